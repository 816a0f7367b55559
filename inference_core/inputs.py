"""Reading images, and refusing or repairing what can't be super-resolved as it is.

Failed fits. LCModel and its like leave NaN, infinite or negative values where a fit failed. Inside the brain they are
filled with the mean of their valid in-plane neighbours, ring by ring from the outside inwards, and counted in a
warning; once half of the brain is missing the map is refused. Outside the brain they become 0 without a word. A value
of 0 is no failed fit: a quality filter put it there.

The brain is where a skull-stripped T1 is not 0. With any other T1 it is what the map itself shows: its positive
voxels, and the failed ones that have positive ones on all four sides or that no other failed ones connect with the
edge of the slice (what they do connect is taken for a background of NaN).
"""

import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its customary name

from inference_core.errors import InputError, InputWarning
from inference_core.footprint import coverage, low_resolution_brain
from inference_core.geometry import SuperResolvedGrid

#: A map of which this share of the brain's voxels failed is refused.
_LARGEST_FAILED_SHARE = 0.5
#: T1 or FLAIR that covers a smaller share of the map's voxels than this deserves a second look.
_SMALLEST_COVERAGE = 0.5


def read_image(path: str | Path, role: str = "image") -> sitk.Image:
    """Read a 3-D scalar image in any format that SimpleITK knows.

    Args:
        path: of the file.
        role: what to call the image in an error: "map", "T1", "FLAIR".

    Raises:
        InputError: if there is no such file, it can't be read as an image, or `check_volume` refuses it.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"The {role} '{path}' does not exist: check the path.")
    if path.is_dir():
        raise InputError(f"The {role} '{path}' is a folder: name one image file, such as a NIfTI file.")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(
            f"The {role} '{path}' can't be read as an image: check that the file is complete, and in a format such "
            "as NIfTI or NRRD."
        ) from error
    return check_volume(image, f"{role} '{path}'")


def check_volume(image: sitk.Image, role: str = "image") -> sitk.Image:
    """The image as a 3-D one of real numbers; a fourth axis of one volume is dropped.

    Args:
        image: of any real pixel type, integers included.
        role: what to call the image in an error.

    Raises:
        InputError: if it is 2-D, holds several volumes, colours, vectors or complex numbers.
    """
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise InputError(
            f"The {role} holds {image.GetNumberOfComponentsPerPixel()} values a voxel, as colour images do: "
            "give an image of one value a voxel."
        )
    if "complex" in image.GetPixelIDTypeAsString():
        raise InputError(f"The {role} holds complex numbers: give an image of real values, such as their magnitude.")
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[..., 0]
    if image.GetDimension() != 3:
        sizes = " x ".join(str(count) for count in image.GetSize())
        hint = "save it as 3-D with one slice" if image.GetDimension() == 2 else "extract one volume of it"
        raise InputError(f"The {role} is {image.GetDimension()}-D ({sizes} voxels), not 3-D: {hint}.")
    return image


def check_map(image: sitk.Image) -> sitk.Image:
    """The low-resolution map as a 3-D image of real numbers that holds at least one positive value.

    Raises:
        InputError: as `check_volume`, or if the map holds no positive value.
    """
    image = check_volume(image, "map")
    array = sitk.GetArrayViewFromImage(image)
    if not np.any(array):
        raise InputError("The map holds only zeros: check that it is the right file and the metabolite was fitted.")
    if not np.any(np.isfinite(array) & (array > 0)):
        raise InputError("The map holds no positive value, only failed fits: check that it is the right file.")
    return image


def check_mri(image: sitk.Image, role: str) -> sitk.Image:
    """T1 or FLAIR as a 3-D float32 image, with 0 where it is not finite.

    Raises:
        InputError: as `check_volume`, or if the image holds no positive value.
    """
    image = check_volume(image, role)
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    np.nan_to_num(array, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if not np.any(array > 0):
        raise InputError(f"The {role} holds no positive value: check that it is the right file.")
    checked = sitk.GetImageFromArray(array)
    checked.CopyInformation(image)
    return checked


def check_overlap(mri: sitk.Image, low_resolution: np.ndarray, grid: SuperResolvedGrid, role: str) -> None:
    """Check that T1 or FLAIR covers the map.

    Args:
        mri: 3-D, on a grid of its own.
        low_resolution: the padded map, `(slice, row, column)`; its positive voxels count.
        grid: of the map.
        role: what to call the MRI in an error.

    Warns:
        InputWarning: if its field of view holds less than half of the map's positive voxels.

    Raises:
        InputError: if its field of view holds none of them.
    """
    share = coverage(mri, np.isfinite(low_resolution) & (low_resolution > 0), grid)
    if share == 0:
        raise InputError(
            f"The {role} does not overlap the map: check that both belong to the same patient and are registered."
        )
    if share < _SMALLEST_COVERAGE:
        warnings.warn(
            f"The {role} covers only {share:.0%} of the map: judge the rest of the result with care.",
            InputWarning,
            stacklevel=2,
        )


def _between(valid: np.ndarray) -> np.ndarray:
    """Voxels of a slice with valid ones on all four sides: `(row, column)` to the same."""
    sides = [
        np.flip(np.logical_or.accumulate(np.flip(valid, axis), axis=axis), axis) if backwards
        else np.logical_or.accumulate(valid, axis=axis)
        for axis in (0, 1)
        for backwards in (False, True)
    ]  # fmt: skip
    return np.logical_and.reduce(sides)


def _connected_with_edge(mask: np.ndarray) -> np.ndarray:
    """The voxels of a mask, `(row, column)`, that a chain of it connects with the edge of the slice."""
    connected = np.zeros_like(mask)
    connected[[0, -1]] = mask[[0, -1]]
    connected[:, [0, -1]] = mask[:, [0, -1]]
    while True:
        grown = connected.copy()
        grown[1:] |= connected[:-1]
        grown[:-1] |= connected[1:]
        grown[:, 1:] |= connected[:, :-1]
        grown[:, :-1] |= connected[:, 1:]
        grown &= mask
        if np.array_equal(grown, connected):
            return connected
        connected = grown


def _acquired(grid: SuperResolvedGrid) -> tuple[slice, slice]:
    """The rows and columns of a padded map that are not padding."""
    rows, columns = (
        slice(start, start + count) for start, count in zip(grid.pad_before, grid.original_size, strict=True)
    )
    return rows, columns


def _brain_of_map(low_resolution: np.ndarray, failed: np.ndarray, grid: SuperResolvedGrid) -> np.ndarray:
    """The brain as far as the map itself shows it, bool `(slice, row, column)`."""
    positive = ~failed & (low_resolution > 0)
    brain = positive.copy()
    # The edge that counts is that of the acquired matrix, not of its padding.
    acquired = _acquired(grid)
    for index in range(len(failed)):
        where = (index, *acquired)
        background = _connected_with_edge(failed[where]) & ~_between(positive[where])
        brain[where] |= failed[where] & ~background
    return brain


def _fill_slice(values: np.ndarray, valid: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """`values` `(row, column)` with the missing voxels that a chain connects with valid ones filled."""
    values, valid, missing = np.where(valid, values, 0), valid.copy(), missing.copy()
    rows, columns = values.shape
    while missing.any():
        sums, counts = np.zeros_like(values), np.zeros(values.shape, dtype=int)
        padded_values, padded_valid = np.pad(values * valid, 1), np.pad(valid, 1)
        for row in range(3):
            for column in range(3):
                sums += padded_values[row : row + rows, column : column + columns]
                counts += padded_valid[row : row + rows, column : column + columns]
        ring = missing & (counts > 0)
        if not ring.any():
            break
        values[ring] = sums[ring] / counts[ring]
        valid |= ring
        missing &= ~ring
    return values


def fill_failed_fits(low_resolution: np.ndarray, grid: SuperResolvedGrid, t1_brain: sitk.Image | None) -> np.ndarray:
    """A map without failed fits: filled inside the brain, 0 outside.

    Args:
        low_resolution: `(slice, row, column)`, padded; NaN, infinite and negative values are failed fits.
        grid: of the map.
        t1_brain: from `footprint.brain_mask_of_t1`, or None.

    Returns:
        float32 `(slice, row, column)`, finite and not negative. Failed fits without any valid voxel in their slice
        that they could be filled from are 0.

    Warns:
        InputWarning: with the number of failed fits in the brain.

    Raises:
        InputError: if they make up half of the brain.
    """
    failed = ~np.isfinite(low_resolution) | (low_resolution < 0)
    if not failed.any():
        return low_resolution
    if t1_brain is None:
        brain = _brain_of_map(low_resolution, failed, grid)
    else:
        brain = np.zeros_like(failed)
        acquired = (slice(None), *_acquired(grid))
        brain[acquired] = low_resolution_brain(t1_brain, grid)[acquired]
    missing = failed & brain
    count, total = int(missing.sum()), int(brain.sum())
    if count and count >= _LARGEST_FAILED_SHARE * total:
        raise InputError(
            f"{count} of the map's {total} voxels in the brain are missing (NaN, infinite or negative), half or more: "
            "repeat the fit, or set the voxels that were not measured to 0."
        )
    values = np.where(failed, 0, low_resolution).astype(np.float32)
    # Zeros are neighbours that a quality filter rejected, and values outside the brain are noise or scalp lipids.
    valid = (values > 0) & brain
    filled = np.stack([_fill_slice(*arrays) for arrays in zip(values, valid, missing, strict=True)])
    values = np.where(missing, filled, values)
    if count:
        empty = int((missing & (values == 0)).sum())
        rest = f" ({empty} of them left at 0, no valid voxel being near)" if empty else ""
        warnings.warn(
            f"{count} of the map's {total} voxels in the brain are missing (NaN, infinite or negative) and were filled "
            f"from their neighbours{rest}: judge the result there with care.",
            InputWarning,
            stacklevel=2,
        )
    return values
