"""Features of a super-resolved map that predict its error, and need no ground truth.

The *standard deviation under test-time augmentation*: the network super-resolves the same slices mirrored and turned,
and the outputs differ. The *unexplained* part: what a smooth function of T1 and FLAIR does not explain of the map.
Where MRI explains the map, it guides the network; where it does not, as in an MRI-occult lesion, the network has the
measured k-space alone. Its *mean* around a voxel tells lesions from noise. The *k-space dependence*: how the map
changes if the outer part of its k-space is left out. What that would change, k-space beyond the measured one would.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from inference_core.imaging.failed_fits import fill_enclosed_zeros
from inference_core.inference.held_back import with_less_kspace
from inference_core.inference.super_resolver import PreparedInput, SuperResolver
from inference_core.inference.uncertainty.symmetries import SYMMETRIES
from inference_core.terms.conditions import MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX, TRAINED_RESOLUTION

#: Voxels that differ by more robust standard deviations from what MRI explains do not take part in explaining.
_OUTLYING = 2.5
#: Of a normal distribution, per median absolute deviation.
_ROBUST = 1.4826
#: Of the measured k-space along an axis, the share that is kept to see what the rest changes, and the fewest samples.
_KEPT_SHARE, _FEWEST_KEPT = 0.55, 6
#: Standard deviations of Gaussians over a voxel's next neighbours, over those near it and those further, in voxels.
_NEXT, _NEAR, _WIDE = 0.7, 1.2, 1.5


@dataclass(frozen=True)
class Features:
    """Of some slices, each `(slice, 64, 64)` float32 in the map's units, 0 outside the brain.

    Attributes:
        level: the slice's median.
        augmentation_deviation: standard deviation over mirrored and turned slices (test-time augmentation).
        unexplained: root mean square, around a voxel, of what T1 and FLAIR do not explain.
        unexplained_mean: magnitude of its mean around a voxel.
        kspace_dependence: root mean square, around a voxel, of the change without the outer part of k-space.
    """

    level: np.ndarray
    augmentation_deviation: np.ndarray
    unexplained: np.ndarray
    unexplained_mean: np.ndarray
    kspace_dependence: np.ndarray

    def relative(self, names: Sequence[str]) -> np.ndarray:
        """Features as shares of the level, `(slice, 64, 64, feature)`; 0 where the level is 0."""
        level = np.where(self.level > 0, self.level, np.inf)
        return np.stack([getattr(self, name) / level for name in names], axis=-1)


def gather_features(
    resolver: SuperResolver,
    prepared: PreparedInput,
    metabolite: str,
    sharpness: float,
    slices: list[int],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, Features]:
    """The super-resolved map and its features. Takes nine passes of the network.

    Args:
        resolver: what super-resolves; what it keeps for its slider stays.
        prepared, metabolite, sharpness: as `SuperResolver.super_resolve`.
        slices: their indices.
        progress: called after each batch of slices in each pass, with the number done and of all; may raise to end it.

    Returns:
        The map `(slice, 64, 64)`, as `SuperResolver.super_resolve` gives it, and its features.

    Raises:
        InputError: as `SuperResolver.super_resolve`.
    """
    apart, outputs = resolver.apart(), []
    # Told from all slices, before all but the chosen ones are left out.
    match = resolver.match(prepared, metabolite)
    # Of one slice of many, the others need no mirroring.
    chosen = {name: getattr(prepared, name)[slices] for name in ("low_resolution", "t1", "flair", "brain", "scales")}
    prepared, places = replace(prepared, **chosen), list(range(len(slices)))
    # With "noise", k-space is held back on the map's grid, whose rows and columns are not exchanged with the map's.
    exchangeable = resolver.consistency != "noise" or prepared.grid.rows == prepared.grid.columns
    symmetries = [symmetry for symmetry in SYMMETRIES if exchangeable or not symmetry.exchanged]
    total = (len(symmetries) + 1) * len(slices)

    def super_resolved(seen: PreparedInput, before: int) -> np.ndarray:
        def report(done: int, _: int) -> None:
            if progress is not None:
                progress(before * len(slices) + done, total)

        return apart.super_resolve(seen, metabolite, sharpness, places, report, match)

    for index, symmetry in enumerate(symmetries):
        outputs.append(symmetry.undone(super_resolved(symmetry.of(prepared), index)))
    maps, brain = outputs[0], prepared.brain
    change = maps - super_resolved(_with_less_kspace(prepared), len(symmetries))
    t1, flair = (on_maps_grid(image) for image in (prepared.t1, prepared.flair))
    rests = [unexplained_part(*arrays) for arrays in zip(maps, t1, flair, brain, strict=True)]
    levels = [np.median(values[inside]) if inside.any() else 0.0 for values, inside in zip(maps, brain, strict=True)]

    def of_slices(function: Callable[[np.ndarray, np.ndarray], np.ndarray], images: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([function(*pair) for pair in zip(images, brain, strict=True)]).astype(np.float32)

    return maps, Features(
        level=np.array(levels, np.float32)[:, None, None] * brain,
        augmentation_deviation=np.std(outputs, axis=0) * brain,
        unexplained=of_slices(local_rms, rests),
        unexplained_mean=np.abs(of_slices(local_mean, rests)),
        kspace_dependence=of_slices(partial(local_rms, deviation=_WIDE), change),
    )


def _with_less_kspace(prepared: PreparedInput) -> PreparedInput:
    """A patient whose map holds about half of the measured k-space along each axis."""
    # Even numbers, at least 6 where there are more.
    matrix = tuple(
        min(max(_FEWEST_KEPT, 2 * round(_KEPT_SHARE * count / 2)), 2 * ((count - 1) // 2))
        for count in (prepared.grid.rows, prepared.grid.columns)
    )
    filled = np.stack([fill_enclosed_zeros(values) for values in prepared.low_resolution])
    less = with_less_kspace(replace(prepared, low_resolution=filled), matrix)
    return replace(less, n=max(less.n, TRAINED_RESOLUTION[0]))


def on_maps_grid(mri: np.ndarray) -> np.ndarray:
    """The mean of MRI slabs `(slice, 192, 192, 3)` in each map voxel, `(slice, 64, 64)`."""
    side, factor = SUPER_RESOLVED_MATRIX, MRI_UPSAMPLING
    return mri.reshape(-1, side, factor, side, factor, factor).mean(axis=(2, 4, 5))


def unexplained_part(values: np.ndarray, t1: np.ndarray, flair: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """What a smooth function of T1, FLAIR and position does not explain of a map.

    Args:
        values: the map, `(64, 64)`.
        t1, flair: on its grid.
        brain: bool.

    Returns:
        `(64, 64)`, 0 outside the brain.
    """
    residual = np.zeros(values.shape)
    terms = _terms(t1, flair, brain)
    # Voxels that are hardly more than the terms would be explained by anything.
    if len(terms) > 2 * terms.shape[1]:
        inside = values[brain].astype(np.float64)
        for _ in range(2):
            rest = residual[brain]
            usual = np.abs(rest) <= _OUTLYING * _ROBUST * np.median(np.abs(rest))
            residual[brain] = inside - terms @ np.linalg.lstsq(terms[usual], inside[usual], rcond=None)[0]
    return residual


def local_mean(image: np.ndarray, brain: np.ndarray, deviation: float = _NEAR) -> np.ndarray:
    """Mean of an image `(64, 64)` over the brain around each voxel of it, 0 elsewhere.

    Args:
        image: what lies outside the brain does not count.
        brain: bool.
        deviation: standard deviation of the Gaussian that weights neighbours, in voxels.
    """
    from scipy.ndimage import gaussian_filter

    sums, shares = (gaussian_filter(part, deviation, mode="constant") for part in (image * brain, brain.astype(float)))
    return np.divide(sums, shares, out=np.zeros_like(sums), where=brain)


def local_rms(image: np.ndarray, brain: np.ndarray, deviation: float = _NEXT) -> np.ndarray:
    """Root mean square, as `local_mean`."""
    return np.sqrt(np.maximum(local_mean(image**2, brain, deviation), 0))


def _terms(t1: np.ndarray, flair: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Polynomials of second order in T1 and FLAIR, and in position, `(voxel, term)`."""
    a, b = (
        image[brain] / max(float(np.median(image[brain])), 1e-6) if brain.any() else image[brain]
        for image in (t1, flair)
    )
    y, x = (axis[brain] for axis in np.meshgrid(*(np.linspace(-1, 1, size) for size in brain.shape), indexing="ij"))
    return np.stack([np.ones_like(x), a, b, a * a, b * b, a * b, x, y, x * x, y * y, x * y], axis=1)
