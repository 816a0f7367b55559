"""A result that fades where it is uncertain.

Slicer's slice views draw a voxel of an overlay or leave it out; only the whole overlay can be translucent. So a voxel
is parted into small ones, of which fewer are drawn the less certain it is: the reference shows between them.
"""

import numpy as np

#: A voxel is parted into so many along each side.
FINENESS = 4
#: 68 % half-widths, relative to the map's median, up to which a voxel is drawn whole, and from which not at all.
CERTAIN, UNCERTAIN = 0.1, 0.5
#: The order in which a voxel's parts disappear, spread evenly over it (Bayer 1973).
_ORDER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])


def visibility(values: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """How much of each voxel is drawn, 0 to 1.

    Args:
        values: the result, 0 outside the brain.
        widths: half-widths of the 68 % intervals, of the same shape and unit.
    """
    inside = values > 0
    level = float(np.median(values[inside])) if inside.any() else 1.0
    return np.clip((UNCERTAIN - widths / level) / (UNCERTAIN - CERTAIN), 0, 1) * inside


def faded(values: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """A map that fades where it is uncertain.

    Args:
        values: the result, `(slice, row, column)`, 0 outside the brain.
        widths: half-widths of the 68 % intervals, of the same shape and unit.

    Returns:
        `(slice, FINENESS row, FINENESS column)` float32, 0 where nothing is drawn.
    """
    inside = values > 0
    weight = _finer(inside.astype(np.float32))
    drawn = _finer(values * inside) / np.maximum(weight, 1e-6)
    share = _finer(visibility(values, widths)) / np.maximum(weight, 1e-6)
    slices, rows, columns = values.shape
    order = np.tile((_ORDER + 0.5) / _ORDER.size, (slices, rows, columns))
    within = inside.repeat(FINENESS, axis=1).repeat(FINENESS, axis=2)
    return np.where(within & (share > order), drawn, 0).astype(np.float32)


def finer_matrix(ijk_to_ras: np.ndarray) -> np.ndarray:
    """From voxel indices (column, row, slice) of what `faded` returns to RAS mm, of those of its input."""
    to_coarse = np.diag([1 / FINENESS, 1 / FINENESS, 1.0, 1.0])
    to_coarse[:2, 3] = (1 / FINENESS - 1) / 2
    return ijk_to_ras @ to_coarse


def _finer(array: np.ndarray) -> np.ndarray:
    """Linearly interpolated within each slice."""
    for axis in (1, 2):
        size = array.shape[axis]
        at = np.clip((np.arange(size * FINENESS) + 0.5) / FINENESS - 0.5, 0, size - 1)
        low = np.minimum(at.astype(int), size - 2)
        shape = [1, 1, 1]
        shape[axis] = -1
        share = (at - low).reshape(shape).astype(np.float32)
        array = array.take(low, axis) * (1 - share) + array.take(low + 1, axis) * share
    return array
