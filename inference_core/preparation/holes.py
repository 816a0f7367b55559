"""Filling what the quality filter left out inside the brain, for maps to be super-resolved; never for training."""

import warnings

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.brain_mask import low_resolution_brain
from inference_core.imaging.failed_fits import fill_failed_fits
from inference_core.imaging.geometry import padded_array, super_resolved_grid


def fill_holes(image: sitk.Image, holes: np.ndarray, mask: sitk.Image) -> tuple[np.ndarray, int]:
    """A filtered map with its holes filled from their neighbours, ring by ring, as failed fits are.

    Args:
        image: the filtered map, 0 where voxels were rejected.
        holes: bool `(slice, row, column)`, the voxels to fill.
        mask: of the brain, on a finer grid.

    Returns:
        float32 `(slice, row, column)`, and how many voxels were filled.

    Warns:
        InputWarning: if half of the brain would have to be filled, so that the map is left as it is.
    """
    grid = super_resolved_grid(image)
    before = sitk.GetArrayFromImage(image)
    values = np.where(holes, np.nan, before).astype(np.float32)
    missing = sitk.GetImageFromArray(values)
    missing.CopyInformation(image)
    rows, columns = (
        slice(start, start + count) for start, count in zip(grid.pad_before, grid.original_size, strict=True)
    )
    try:
        with warnings.catch_warnings():
            # It counts the holes for a user who does not know of any; here they were asked for.
            warnings.simplefilter("ignore", InputWarning)
            filled = fill_failed_fits(padded_array(missing, grid), grid, low_resolution_brain(mask, grid))
    except InputError as error:
        warnings.warn(f"Its holes were not filled: {error}", InputWarning, stacklevel=2)
        return before, 0
    filled = filled[:, rows, columns]
    return filled, int((holes & (filled > 0)).sum())
