"""One subject's tissue maps as what simulated patients are made from: real cortex, and what the scanner saw of it."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from inference_core.errors import InputError
from inference_core.imaging.hole_filling import fill_holes
from inference_core.imaging.reading import read_image
from inference_core.research.phantom.templates import Templates

#: Where the middle of the brain from left to right and back to front, and its top, lie in the templates (RAS, mm).
_MIDDLE, _TOP = (0.0, -18.0), 78.0
#: Free space kept around the brain, mm.
_MARGIN = 6
#: Of the smooth intensity variation that is taken for the scanner's, not the brain's; Gaussian sigma, mm.
_BIAS = 20.0
#: Voxels along each axis that are taken together for that variation.
_COARSE = 4
#: Largest logarithm of what an image shows beyond its tissues: vessels and remnants of skull go further.
_LARGEST_DETAIL = 0.5
#: A brain is at least this large, in ml.
_SMALLEST_BRAIN = 400


@dataclass(frozen=True)
class Subject:
    """Files of one subject, all in the same space; tissue maps as fractions from 0 to 1, or percent.

    Attributes:
        t1: T1, skull-stripped.
        grey, white, csf: fractions of grey matter, white matter and CSF.
        flair: FLAIR, or T2 in its place; None if there is none.
    """

    t1: Path
    grey: Path
    white: Path
    csf: Path
    flair: Path | None = None

    @property
    def fingerprint(self) -> str:
        """Tells subjects apart by what their files hold."""
        paths = tuple(filter(None, (self.t1, self.grey, self.white, self.csf, self.flair)))
        return _fingerprint(paths, tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in paths))

    def templates(self) -> Templates:
        """The subject's tissue, shifted to where the templates' brain lies; loaded once a process (some seconds).

        Raises:
            InputError: for files that can't be read, do not overlap, or hold no brain.
        """
        return _templates(self)


@lru_cache(maxsize=64)
def _fingerprint(paths: tuple[Path, ...], states: tuple[tuple[int, int], ...]) -> str:
    """Of files' content; `states` tells files that have changed since from those that were read."""
    digest = sha256()
    for path in paths:
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _on_grid(image, reference, origin: list[float], size: list[int]) -> np.ndarray:
    """An image at 1 mm as `(x, y, z)` float32 with x to the right and y to the front."""
    import SimpleITK as sitk

    sampled = sitk.Resample(
        sitk.Cast(image, sitk.sitkFloat32), size, sitk.Transform(), sitk.sitkLinear, origin, (1.0, 1.0, 1.0),
        np.eye(3).ravel().tolist(), 0.0,
    )  # fmt: skip
    # From (z, y, x), to the back and to the left.
    return np.ascontiguousarray(sitk.GetArrayFromImage(sampled).T[::-1, ::-1])


def _bounds(image) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinates of an image's voxels above 0, `(3,)` each (LPS, mm)."""
    import SimpleITK as sitk

    index = np.argwhere(sitk.GetArrayViewFromImage(image) > 0)
    if not len(index):
        raise InputError("The map of grey matter is 0 everywhere: fractions of a whole brain are expected.")
    corners = np.array(np.meshgrid(*zip(index.min(axis=0)[::-1], index.max(axis=0)[::-1], strict=True))).reshape(3, -1)
    matrix = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    points = np.array(image.GetOrigin())[:, None] + matrix @ corners
    return points.min(axis=1), points.max(axis=1)


def _smoothed(volume: np.ndarray, sigma: float) -> np.ndarray:
    """A volume, 0 outside, through a wide Gaussian of `sigma` voxels: on every fourth voxel, which costs little."""
    from scipy.ndimage import gaussian_filter, zoom

    padded = np.pad(volume, [(0, -size % _COARSE) for size in volume.shape])
    blocks = padded.reshape([part for size in padded.shape for part in (size // _COARSE, _COARSE)]).mean(axis=(1, 3, 5))
    coarse = gaussian_filter(blocks, sigma / _COARSE, mode="constant")
    fine = zoom(coarse, _COARSE, order=1, mode="nearest", grid_mode=True)
    return fine[tuple(slice(size) for size in volume.shape)]


def _detail(image: np.ndarray, solid: np.ndarray, fractions: list[np.ndarray]) -> np.ndarray:
    """Logarithm of an image over what its tissues alone would give, without smooth variation; 0 in CSF and outside."""
    _, gm, wm = fractions
    matter = solid & (image > 0)
    design = np.stack([part[matter] for part in fractions], axis=1)
    levels = np.clip(np.linalg.lstsq(design, image[matter], rcond=None)[0], 1e-3 * image.max(), None)
    ratio = np.zeros_like(image)
    ratio[matter] = np.log(image[matter] / (design @ levels + 1e-6 * image.max()))
    ratio = np.clip(ratio, -2 * _LARGEST_DETAIL, 2 * _LARGEST_DETAIL)
    weight = (gm + wm) * matter
    smooth = _smoothed(ratio * weight, _BIAS) / np.maximum(_smoothed(weight, _BIAS), 1e-3)
    return np.clip(ratio - smooth, -_LARGEST_DETAIL, _LARGEST_DETAIL).astype(np.float32) * weight.astype(np.float32)


@lru_cache(maxsize=2)
def _templates(subject: Subject) -> Templates:
    from scipy.ndimage import gaussian_filter

    t1 = read_image(subject.t1, "T1")
    maps = [read_image(path, "tissue map") for path in (subject.csf, subject.grey, subject.white)]
    grey = maps[1]
    low, high = _bounds(grey)
    origin = np.floor(low) - _MARGIN
    size = (np.ceil(high) + _MARGIN - origin + 1).astype(int)
    grid = t1, origin.tolist(), size.tolist()
    fractions = [_on_grid(image, *grid) for image in maps]
    total = sum(fractions)
    if total.max() > 1.5:
        fractions, total = [part / 100 for part in fractions], total / 100
    image = _on_grid(t1, *grid)
    solid = fill_holes(total > 0.5)
    if solid.sum() < 1000 * _SMALLEST_BRAIN:
        raise InputError(
            f"The tissue maps '{subject.grey}' and its companions hold {solid.sum() / 1000:.0f} ml of brain: fractions "
            "of grey matter, white matter and CSF of a whole brain are expected."
        )
    if (image[solid] > 0).mean() < 0.8:
        raise InputError(
            f"The T1 '{subject.t1}' does not cover the brain of the tissue maps: give images in the same space."
        )
    fractions = [np.clip(part / np.maximum(total, 0.5), 0, 1) * solid for part in fractions]
    details = [_detail(image, solid, fractions)]
    if subject.flair:
        details.append(_detail(_on_grid(read_image(subject.flair, "FLAIR"), *grid), solid, fractions))
    else:
        details.append(np.zeros_like(details[0]))
    places = np.argwhere(solid)
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    ras_origin = np.array([_MIDDLE[0] - middle[0], _MIDDLE[1] - middle[1], _TOP - places[:, 2].max()])
    _, gm, wm = (part.astype(np.float32) for part in fractions)
    return Templates.of(ras_origin, solid, gm, wm, gaussian_filter(wm, 1.5), blurred=False, details=tuple(details))
