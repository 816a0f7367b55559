"""Features of a super-resolved map that predict its error, and need no ground truth.

The *level* of the map: noise and error grow with it. The *standard deviation under test-time augmentation*: the network
super-resolves the same slices mirrored and turned, and the outputs differ. The *unexplained* part: what a smooth
function of T1 and FLAIR does not explain of the map. Where MRI explains the map, it guides the network; where it does
not, as in an MRI-occult lesion, the network has the measured k-space alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from inference_core.inference.super_resolver import PreparedInput, SuperResolver
from inference_core.inference.uncertainty.symmetries import SYMMETRIES
from inference_core.terms.conditions import MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

#: Voxels that differ by more robust standard deviations from what MRI explains do not take part in explaining.
_OUTLYING = 2.5
#: Of a normal distribution, per median absolute deviation.
_ROBUST = 1.4826
#: Gaussian over a voxel's next neighbours, standard deviation 0.7.
_KERNEL = np.exp(-0.5 * (np.arange(-2, 3) / 0.7) ** 2)
_KERNEL /= _KERNEL.sum()


@dataclass(frozen=True)
class Features:
    """Of some slices, each `(slice, 64, 64)` float32 in the map's units, 0 outside the brain.

    Attributes:
        level: the slice's median.
        augmentation_deviation: standard deviation over mirrored and turned slices (test-time augmentation).
        unexplained: root mean square, around a voxel, of what T1 and FLAIR do not explain.
    """

    level: np.ndarray
    augmentation_deviation: np.ndarray
    unexplained: np.ndarray


def gather_features(
    resolver: SuperResolver,
    prepared: PreparedInput,
    metabolite: str,
    sharpness: float,
    slices: list[int],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, Features]:
    """The super-resolved map and its features. Takes eight passes of the network.

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
    apart, outputs, total = resolver.apart(), [], len(SYMMETRIES) * len(slices)
    # Told from all slices, before all but the chosen ones are left out.
    match = resolver.match(prepared, metabolite)
    # Of one slice of many, the others need no mirroring.
    chosen = {name: getattr(prepared, name)[slices] for name in ("low_resolution", "t1", "flair", "brain", "scales")}
    prepared, places = replace(prepared, **chosen), list(range(len(slices)))
    for index, symmetry in enumerate(SYMMETRIES):

        def report(done: int, _: int, before: int = index * len(slices)) -> None:
            if progress is not None:
                progress(before + done, total)

        seen = symmetry.of(prepared)
        outputs.append(symmetry.undone(apart.super_resolve(seen, metabolite, sharpness, places, report, match)))
    maps, brain = outputs[0], prepared.brain
    t1, flair = (on_maps_grid(image) for image in (prepared.t1, prepared.flair))
    unexplained = [unexplained_part(*arrays) for arrays in zip(maps, t1, flair, brain, strict=True)]
    levels = [np.median(values[inside]) if inside.any() else 0.0 for values, inside in zip(maps, brain, strict=True)]
    return maps, Features(
        level=np.array(levels, np.float32)[:, None, None] * brain,
        augmentation_deviation=np.std(outputs, axis=0) * brain,
        unexplained=np.stack(unexplained).astype(np.float32),
    )


def on_maps_grid(mri: np.ndarray) -> np.ndarray:
    """The mean of MRI slabs `(slice, 192, 192, 3)` in each map voxel, `(slice, 64, 64)`."""
    side, factor = SUPER_RESOLVED_MATRIX, MRI_UPSAMPLING
    return mri.reshape(-1, side, factor, side, factor, factor).mean(axis=(2, 4, 5))


def unexplained_part(values: np.ndarray, t1: np.ndarray, flair: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Local root mean square of what a smooth function of T1, FLAIR and position does not explain of a map.

    Args:
        values: the map, `(64, 64)`.
        t1, flair: on its grid.
        brain: bool.

    Returns:
        `(64, 64)`, 0 outside the brain.
    """
    residual = np.zeros(values.shape)
    terms = _terms(t1, flair, brain)
    # Fewer voxels than terms would be explained by anything.
    if len(terms) > 2 * terms.shape[1]:
        inside = values[brain].astype(np.float64)
        for _ in range(2):
            rest = residual[brain]
            usual = np.abs(rest) <= _OUTLYING * _ROBUST * np.median(np.abs(rest))
            residual[brain] = inside - terms @ np.linalg.lstsq(terms[usual], inside[usual], rcond=None)[0]
    return np.sqrt(_smoothed(residual**2)) * brain


def _terms(t1: np.ndarray, flair: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Polynomials of second order in T1 and FLAIR, and in position, `(voxel, term)`."""
    a, b = (
        image[brain] / max(float(np.median(image[brain])), 1e-6) if brain.any() else image[brain]
        for image in (t1, flair)
    )
    y, x = (axis[brain] for axis in np.meshgrid(*(np.linspace(-1, 1, size) for size in brain.shape), indexing="ij"))
    return np.stack([np.ones_like(x), a, b, a * a, b * b, a * b, x, y, x * x, y * y, x * y], axis=1)


def _smoothed(image: np.ndarray) -> np.ndarray:
    padded = np.pad(image, len(_KERNEL) // 2)
    rows = np.lib.stride_tricks.sliding_window_view(padded, len(_KERNEL), axis=0) @ _KERNEL
    return np.lib.stride_tricks.sliding_window_view(rows, len(_KERNEL), axis=1) @ _KERNEL
