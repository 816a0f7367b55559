"""Which voxels are brain: from a skull-stripped T1 where there is one, and from where the map holds values."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
import SimpleITK as sitk

from inference_core.imaging.geometry import SuperResolvedGrid, resample_finer
from inference_core.imaging.hole_filling import fill_holes
from inference_core.imaging.skull import shows_skull
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

#: A T1 counts as skull-stripped if more than this share of its voxels is exactly 0, ...
_BACKGROUND_SHARE = 0.2
#: ... if what is not 0 is no larger than this (whole heads are, brains are not), and if it has no skull.
_LARGEST_BRAIN_ML = 3000.0
#: A voxel is brain if at least this share of it is.
_BRAIN_SHARE = 0.5
#: Parts that a low-resolution voxel is divided into along each axis: 2 mm in a voxel of 10 mm.
_FINE_STEPS = 5


def brain_mask_of_t1(t1: sitk.Image) -> sitk.Image | None:
    """The brain on a skull-stripped T1's own grid, 1 inside, or None for a T1 with its skull.

    Args:
        t1: 3-D, scalar. Cavities within the brain that are exactly 0 count as brain.
    """
    values = sitk.GetArrayViewFromImage(t1)
    mask = values > 0
    # Judged on exact zeros rather than on the mask: a T1 may hold negative values in the noise of its background.
    share = np.count_nonzero(values == 0) / values.size
    volume = np.count_nonzero(mask) * float(np.prod(t1.GetSpacing())) / 1000
    if share <= _BACKGROUND_SHARE or volume > _LARGEST_BRAIN_ML:
        return None
    brain = sitk.GetImageFromArray(fill_holes(mask).astype(np.uint8))
    brain.CopyInformation(t1)
    return None if shows_skull(t1, brain) else brain


def _block_mean(array: np.ndarray, factor: int) -> np.ndarray:
    """The mean of each block of `factor` voxels along each axis."""
    # Axis by axis: NumPy is slow at reducing several short axes at once.
    for axis in range(3):
        along = np.moveaxis(array, axis, 0)
        array = np.moveaxis(reduce(np.add, (along[start::factor] for start in range(factor))), 0, axis)
    return np.ascontiguousarray(array) / np.float32(factor**3)


def share_in_low_resolution(mask: sitk.Image, grid: SuperResolvedGrid) -> np.ndarray:
    """The share of each padded low-resolution voxel that lies in a mask, `(slice, row, column)` from 0 to 1."""
    factor = _FINE_STEPS
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
    factor = _FINE_STEPS
    spacing = np.array(grid.low_resolution_spacing)
    axes = np.array(grid.direction).reshape(3, 3)
    to_index = np.linalg.inv(np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing())
    # Where the voxels' centres lie in the image, in its continuous index (column, row, slice).
    steps = to_index @ (axes * spacing)
    first = to_index @ (np.array(grid.low_resolution_origin) - image.GetOrigin())
    centres = first + np.argwhere(where)[:, ::-1] @ steps.T
    low, high = -0.5, np.array(image.GetSize()) - 0.5
    parts = (np.arange(factor) - factor // 2) / factor
    offsets = np.array(list(product(parts, repeat=3))) @ steps.T
    # Of most voxels either all or no parts lie inside: only the others' are looked at one by one.
    reach = np.abs(offsets).max(axis=0)
    shares = ((centres - reach >= low) & (centres + reach < high)).all(axis=1).astype(float)
    cut = np.flatnonzero((shares == 0) & ((centres + reach >= low) & (centres - reach < high)).all(axis=1))
    points = centres[cut, None] + offsets
    shares[cut] = ((points >= low) & (points < high)).all(axis=2).mean(axis=1)
    return float(shares.mean())


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
    rows, columns = (
        (np.abs(_axis_indices(count)[:, None] - np.arange(count)) < 1).astype(np.float32) for count in array.shape[1:]
    )
    return rows @ array.astype(np.float32) @ columns.T > 0


@dataclass(frozen=True)
class BrainOnGrid:
    """A brain mask on the grids of a map.

    Attributes:
        low_resolution: the padded low-resolution voxels that are brain, bool `(slice, row, column)`.
        super_resolved: the super-resolved ones, bool `(slice, 64, 64)`.
    """

    low_resolution: np.ndarray
    super_resolved: np.ndarray

    @classmethod
    def of(cls, mask: sitk.Image, grid: SuperResolvedGrid) -> "BrainOnGrid":
        """Those voxels at least half of which lie in `mask`."""
        with ThreadPoolExecutor() as threads:
            low_resolution = threads.submit(low_resolution_brain, mask, grid)
            super_resolved = share_in_super_resolved(mask, grid) >= _BRAIN_SHARE
        return cls(low_resolution.result(), super_resolved)


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
    return measured_brain(low_resolution, None if t1_brain is None else BrainOnGrid.of(t1_brain, grid))


def measured_brain(low_resolution: np.ndarray, brain: BrainOnGrid | None) -> np.ndarray:
    """As `super_resolved_brain`, from the T1's brain on the map's grids."""
    measured = low_resolution > 0
    holding_a_value = _nearest(measured)
    if brain is None:
        return holding_a_value
    rim = _nearest(~measured & ~brain.low_resolution) & _within_reach(measured)
    return (holding_a_value | rim) & brain.super_resolved
