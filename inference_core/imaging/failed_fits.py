"""Repairing the voxels of a map in which the metabolite fit failed.

LCModel and its like leave NaN, infinite or negative values where a fit failed. Inside the brain they are
filled with the mean of their valid in-plane neighbours, ring by ring from the outside inwards, and counted in a
warning; once half of the brain is missing the map is refused. Outside the brain they become 0 without a word. A value
of 0 is no failed fit: a quality filter put it there.

The brain is where a skull-stripped T1 is not 0. With any other T1 it is what the map itself shows: its positive
voxels, and the failed ones that lie between positive ones of their row or column, or that no other failed ones connect
with the edge of the slice (what they do connect is taken for a background of NaN).
"""

import warnings

import numpy as np

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.geometry import SuperResolvedGrid

#: A map of which this share of the brain's voxels failed is refused.
_LARGEST_FAILED_SHARE = 0.5


def _between(valid: np.ndarray) -> np.ndarray:
    """Voxels of a slice between two valid ones of their row or of their column: `(row, column)` to the same."""

    def from_both_ends(axis: int) -> np.ndarray:
        reverse = np.flip(np.logical_or.accumulate(np.flip(valid, axis), axis=axis), axis)
        return np.logical_or.accumulate(valid, axis=axis) & reverse

    return from_both_ends(0) | from_both_ends(1)


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


def fill_enclosed_zeros(values: np.ndarray) -> np.ndarray:
    """A slice with its holes filled from their neighbours, ring by ring from the outside inwards.

    Args:
        values: `(row, column)`, finite and not negative. A hole is a voxel of 0 that no chain of others connects with
            the slice's edge, such as a quality filter leaves inside the brain.
    """
    zero = values == 0
    holes = zero & ~_connected_with_edge(zero)
    return _fill_slice(values, ~zero, holes) if holes.any() else values


def fill_failed_fits(low_resolution: np.ndarray, grid: SuperResolvedGrid, t1_brain: np.ndarray | None) -> np.ndarray:
    """A map without failed fits: filled inside the brain, 0 outside.

    Args:
        low_resolution: `(slice, row, column)`, padded; NaN, infinite and negative values are failed fits.
        grid: of the map.
        t1_brain: from `brain_mask.low_resolution_brain`, or None for a T1 that shows no brain of its own.

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
        brain[acquired] = t1_brain[acquired]
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
