"""One subject's brain as what simulated patients are made from: real cortex, and what the scanner saw of it."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference_core.errors import InputError
from inference_core.imaging.hole_filling import fill_holes
from inference_core.imaging.reading import read_image
from inference_core.research.phantom.templates import Templates
from inference_core.research.phantom.tissue import fractions_of_labels, fractions_of_t1

if TYPE_CHECKING:
    import SimpleITK as sitk

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
    """Files of one subject, all in the same space.

    Tissue is known from maps of fractions, from a label map, or, if there are neither, from the T1.

    Attributes:
        t1: T1, skull-stripped; None if only labels are known, so that T1 and FLAIR are simulated from tissue alone.
        grey, white, csf: fractions of grey matter, white matter and CSF from 0 to 1, or percent; all three or none.
        flair: FLAIR, or T2 in its place; None if there is none.
        labels: label map with FreeSurfer's numbers.
        lesions: mask of white-matter lesions, for a T1 without fractions or labels.
    """

    t1: Path | None
    grey: Path | None = None
    white: Path | None = None
    csf: Path | None = None
    flair: Path | None = None
    labels: Path | None = None
    lesions: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that there are."""
        given = (self.t1, self.grey, self.white, self.csf, self.flair, self.labels, self.lesions)
        return tuple(path for path in given if path)

    @property
    def name(self) -> str:
        """Of the folder that holds the files."""
        return self.paths[0].absolute().parent.name

    @property
    def fingerprint(self) -> str:
        """Tells subjects apart by what their files hold."""
        states = tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in self.paths)
        return _fingerprint(self.paths, states)

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


def _on_grid(image, origin: list[float], size: list[int]) -> np.ndarray:
    """An image at 1 mm as `(x, y, z)` float32 with x to the right and y to the front."""
    import SimpleITK as sitk

    sampled = sitk.Resample(
        sitk.Cast(image, sitk.sitkFloat32), size, sitk.Transform(), sitk.sitkLinear, origin, (1.0, 1.0, 1.0),
        np.eye(3).ravel().tolist(), 0.0,
    )  # fmt: skip
    # From (z, y, x), to the back and to the left.
    return np.ascontiguousarray(sitk.GetArrayFromImage(sampled).T[::-1, ::-1])


def _extent(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest index of a mask, `(3,)` each."""
    along = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return np.array([each[0] for each in along]), np.array([each[-1] for each in along])


def _bounds(image) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinates of an image's voxels above 0, `(3,)` each (LPS, mm)."""
    import SimpleITK as sitk

    above = sitk.GetArrayViewFromImage(image) > 0
    if not above.any():
        raise InputError("The map of grey matter is 0 everywhere: fractions of a whole brain are expected.")
    corners = np.array(np.meshgrid(*np.transpose(_extent(above))[::-1])).reshape(3, -1)
    matrix = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    points = np.array(image.GetOrigin())[:, None] + matrix @ corners
    return points.min(axis=1), points.max(axis=1)


def _smoothed(volume: np.ndarray, sigma: float) -> np.ndarray:
    """A volume, 0 outside, through a wide Gaussian of `sigma` voxels: on every fourth voxel, which costs little."""
    import SimpleITK as sitk
    from scipy.ndimage import gaussian_filter

    padded = np.pad(volume, [(0, -size % _COARSE) for size in volume.shape])
    blocks = padded.reshape([part for size in padded.shape for part in (size // _COARSE, _COARSE)]).mean(axis=(1, 3, 5))
    coarse = gaussian_filter(blocks, sigma / _COARSE, mode="constant")
    # As SciPy's zoom, in half of the time.
    fine = sitk.GetArrayFromImage(sitk.Expand(sitk.GetImageFromArray(coarse), [_COARSE] * 3, sitk.sitkLinear))
    return fine[tuple(slice(size) for size in volume.shape)]


def _detail(image: np.ndarray, solid: np.ndarray, fractions: list[np.ndarray]) -> np.ndarray:
    """Logarithm of an image over what its tissues alone would give, without smooth variation; 0 in CSF and outside."""
    _, gm, wm = fractions
    matter = solid & (image > 0)
    design = np.stack([part[matter] for part in fractions], axis=1, dtype=np.float64)
    # By the normal equations, of three unknowns, a tenth of the time.
    levels = np.linalg.lstsq(design.T @ design, design.T @ image[matter], rcond=None)[0]
    levels = np.clip(levels, 1e-3 * image.max(), None)
    ratio = np.zeros_like(image)
    ratio[matter] = np.log(image[matter] / (design @ levels + 1e-6 * image.max()))
    ratio = np.clip(ratio, -2 * _LARGEST_DETAIL, 2 * _LARGEST_DETAIL)
    weight = (gm + wm) * matter
    smooth = _smoothed(ratio * weight, _BIAS) / np.maximum(_smoothed(weight, _BIAS), 1e-3)
    return np.clip(ratio - smooth, -_LARGEST_DETAIL, _LARGEST_DETAIL).astype(np.float32) * weight.astype(np.float32)


def _fractions(subject: Subject, t1: "sitk.Image | None") -> "list[sitk.Image]":
    """CSF, grey and white matter, as the subject's files tell them.

    Raises:
        InputError: for files that can't be read or tell no tissue.
    """
    given = subject.csf, subject.grey, subject.white
    if all(given):
        return [read_image(path, "tissue map") for path in given if path]
    if subject.labels:
        return list(fractions_of_labels(read_image(subject.labels, "label map")))
    if t1 is None:
        raise InputError("A subject needs a T1, tissue fractions or a label map: name one of them.")
    lesions = read_image(subject.lesions, "mask of lesions") if subject.lesions else None
    return list(fractions_of_t1(t1, lesions))


@lru_cache(maxsize=2)
def _templates(subject: Subject) -> Templates:
    from scipy.ndimage import gaussian_filter

    t1 = read_image(subject.t1, "T1") if subject.t1 else None
    maps = _fractions(subject, t1)
    low, high = _bounds(maps[1])
    origin = np.floor(low) - _MARGIN
    size = (np.ceil(high) + _MARGIN - origin + 1).astype(int)
    grid = origin.tolist(), size.tolist()
    fractions = [_on_grid(image, *grid) for image in maps]
    total = sum(fractions)
    if total.max() > 1.5:
        fractions, total = [part / 100 for part in fractions], total / 100
    solid = fill_holes(total > 0.5)
    if solid.sum() < 1000 * _SMALLEST_BRAIN:
        raise InputError(
            f"The tissue maps of '{subject.paths[-1]}' and its companions hold {solid.sum() / 1000:.0f} ml of brain: "
            "fractions of grey matter, white matter and CSF of a whole brain are expected."
        )
    fractions = [np.clip(part / np.maximum(total, 0.5), 0, 1) * solid for part in fractions]
    details = []
    for image, role in ((t1, "T1"), (read_image(subject.flair, "FLAIR") if subject.flair else None, "FLAIR")):
        if image is None:
            details.append(np.zeros(solid.shape, np.float32))
            continue
        sampled = _on_grid(image, *grid)
        if (sampled[solid] > 0).mean() < 0.8:
            raise InputError(
                f"The {role} of '{subject.name}' does not cover the brain of the tissue maps: give images in the same "
                "space."
            )
        details.append(_detail(sampled, solid, fractions))
    first, last = _extent(solid)
    middle = (first + last) / 2
    ras_origin = np.array([_MIDDLE[0] - middle[0], _MIDDLE[1] - middle[1], _TOP - last[2]])
    _, gm, wm = (part.astype(np.float32) for part in fractions)
    return Templates.of(ras_origin, solid, gm, wm, gaussian_filter(wm, 1.5), blurred=False, details=tuple(details))
