"""Which voxels are brain: from a skull-stripped T1 where there is one, and from where the map holds values."""

import numpy as np
import SimpleITK as sitk

from inference_core.imaging.geometry import SuperResolvedGrid, resample_finer
from inference_core.imaging.skull import shows_skull
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

#: A T1 counts as skull-stripped if more than this share of its voxels is exactly 0, ...
_BACKGROUND_SHARE = 0.2
#: ... if what is not 0 is no larger than this (whole heads are, brains are not), and if it has no skull.
_LARGEST_BRAIN_ML = 3000.0
#: A voxel is brain if at least this share of it is.
_BRAIN_SHARE = 0.5


def brain_mask_of_t1(t1: sitk.Image) -> sitk.Image | None:
    """The brain on a skull-stripped T1's own grid, 1 inside, or None for a T1 with its skull.

    Args:
        t1: 3-D, scalar. Cavities within the brain that are exactly 0 count as brain.
    """
    mask = sitk.Cast(t1 > 0, sitk.sitkUInt8)
    # Judged on exact zeros rather than on the mask: a T1 may hold negative values in the noise of its background.
    share = np.count_nonzero(sitk.GetArrayViewFromImage(t1) == 0) / t1.GetNumberOfPixels()
    volume = np.count_nonzero(sitk.GetArrayViewFromImage(mask)) * float(np.prod(t1.GetSpacing())) / 1000
    if share <= _BACKGROUND_SHARE or volume > _LARGEST_BRAIN_ML:
        return None
    mask = sitk.BinaryFillhole(mask)
    return None if shows_skull(t1, mask) else mask


def _block_mean(array: np.ndarray, factor: int) -> np.ndarray:
    slices, rows, columns = (count // factor for count in array.shape)
    return array.reshape(slices, factor, rows, factor, columns, factor).mean(axis=(1, 3, 5))


def share_in_low_resolution(mask: sitk.Image, grid: SuperResolvedGrid) -> np.ndarray:
    """The share of each padded low-resolution voxel that lies in a mask, `(slice, row, column)` from 0 to 1."""
    factor = 5  # 2 mm steps in a voxel of 10 mm
    fine = resample_finer(
        mask,
        grid.low_resolution_size,
        grid.low_resolution_spacing,
        grid.low_resolution_origin,
        grid.direction,
        anti_alias=False,
        factor=factor,
    )
    return _block_mean(fine, factor)


def share_in_super_resolved(mask: sitk.Image, grid: SuperResolvedGrid) -> np.ndarray:
    """The share of each super-resolved voxel that lies in a mask, `(slice, 64, 64)` from 0 to 1."""
    factor = 3
    fine = resample_finer(mask, grid.size, grid.spacing, grid.origin, grid.direction, anti_alias=False, factor=factor)
    return _block_mean(fine, factor)


def coverage(image: sitk.Image, where: np.ndarray, grid: SuperResolvedGrid) -> float:
    """The share, from 0 to 1, of the low-resolution voxels `where` that lies within an image's field of view.

    Args:
        image: 3-D, on a grid of its own.
        where: bool `(slice, row, column)` on the padded low-resolution grid, with at least one voxel.
        grid: from `geometry.super_resolved_grid`.
    """
    field_of_view = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    field_of_view.CopyInformation(image)
    return float(share_in_low_resolution(field_of_view, grid)[where].mean())


def low_resolution_brain(mask: sitk.Image, grid: SuperResolvedGrid) -> np.ndarray:
    """The padded low-resolution voxels that are brain by a mask of it: bool `(slice, row, column)`."""
    return share_in_low_resolution(mask, grid) >= _BRAIN_SHARE


def _axis_indices(count: int) -> np.ndarray:
    """Low-resolution index, along an axis of `count` voxels, at which each super-resolved voxel lies."""
    steps = np.arange(SUPER_RESOLVED_MATRIX) - SUPER_RESOLVED_MATRIX // 2
    return count // 2 + steps * count / SUPER_RESOLVED_MATRIX


def _nearest(array: np.ndarray) -> np.ndarray:
    """Bool `(slice, row, column)` to `(slice, 64, 64)` by the voxel each lies in; False beyond the map's edge."""
    indices = [np.floor(_axis_indices(count) + 0.5).astype(int) for count in array.shape[1:]]
    within = [(index >= 0) & (index < count) for index, count in zip(indices, array.shape[1:], strict=True)]
    rows, columns = (index.clip(0, count - 1) for index, count in zip(indices, array.shape[1:], strict=True))
    return array[:, rows[:, None], columns[None, :]] & within[0][:, None] & within[1][None, :]


def _within_reach(array: np.ndarray) -> np.ndarray:
    """Where `(slice, 64, 64)` a True voxel's centre is less than one low-resolution voxel away along both axes."""
    near = [
        (np.abs(_axis_indices(count)[:, None] - np.arange(count)) < 1).astype(np.float32) for count in array.shape[1:]
    ]
    return np.einsum("ir,src,jc->sij", near[0], array.astype(np.float32), near[1]) > 0


def super_resolved_brain(
    low_resolution: np.ndarray, grid: SuperResolvedGrid, t1_brain: sitk.Image | None
) -> np.ndarray:
    """Where the super-resolved map may hold values.

    Without a T1 brain: in the low-resolution voxels that hold a value. With one: in super-resolved voxels at least
    half of which are brain, if the low-resolution voxel they lie in holds a value, or is mostly outside the brain and
    has a neighbour that does (so that the rim of the brain is not cut along low-resolution voxels, while holes that a
    quality filter left inside stay empty).

    Args:
        low_resolution: `(slice, row, column)`, padded, failed fits already filled.
        grid: from `geometry.super_resolved_grid`.
        t1_brain: from `brain_mask_of_t1`.

    Returns:
        bool `(slice, 64, 64)`.
    """
    measured = low_resolution > 0
    footprint = _nearest(measured)
    if t1_brain is None:
        return footprint
    rim = _nearest(~measured & ~low_resolution_brain(t1_brain, grid)) & _within_reach(measured)
    return (footprint | rim) & (share_in_super_resolved(t1_brain, grid) >= _BRAIN_SHARE)
