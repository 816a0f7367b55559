"""Test-time augmentation: mirrored and turned slices, whose super-resolved maps should differ in nothing else.

All eight symmetries of the square leave k-space's centre where it is, and so change nothing about which voxel of the
super-resolved map lies where.
"""

from dataclasses import dataclass, replace

import numpy as np

from inference_core.inference.super_resolver import PreparedInput
from inference_core.terms.conditions import MRI_UPSAMPLING


@dataclass(frozen=True)
class Symmetry:
    """One of the square's symmetries: rows mirrored, then columns mirrored, then both exchanged.

    Attributes:
        rows: whether their order is reversed.
        columns: likewise.
        exchanged: whether rows become columns.
    """

    rows: bool
    columns: bool
    exchanged: bool

    def of(self, prepared: PreparedInput) -> PreparedInput:
        """A prepared patient so seen; where it lies in the patient is that of the original."""
        return replace(
            prepared,
            low_resolution=self._seen(prepared.low_resolution),
            t1=self._seen(prepared.t1, MRI_UPSAMPLING),
            flair=self._seen(prepared.flair, MRI_UPSAMPLING),
            brain=self._seen(prepared.brain),
        )

    def undone(self, maps: np.ndarray) -> np.ndarray:
        """Maps `(slice, row, column)` of a patient so seen, as they are."""
        if self.exchanged:
            maps = maps.swapaxes(1, 2)
        if self.columns:
            maps = _mirrored(maps, 2, 1)
        if self.rows:
            maps = _mirrored(maps, 1, 1)
        return np.ascontiguousarray(maps)

    def _seen(self, array: np.ndarray, fineness: int = 1) -> np.ndarray:
        if self.rows:
            array = _mirrored(array, 1, fineness)
        if self.columns:
            array = _mirrored(array, 2, fineness)
        if self.exchanged:
            array = array.swapaxes(1, 2)
        return np.ascontiguousarray(array)


#: The eight, the one that changes nothing first.
SYMMETRIES = tuple(
    Symmetry(rows, columns, exchanged)
    for exchanged in (False, True)
    for rows in (False, True)
    for columns in (False, True)
)


def _mirrored(array: np.ndarray, axis: int, fineness: int) -> np.ndarray:
    """`array` mirrored at the voxel that the centred FFT has its zero at, `size // 2`.

    Args:
        array: `(slice, row, column, ...)`.
        axis: to mirror.
        fineness: the grid's, relative to the maps': fine voxel `fineness i + fineness // 2` is centred on voxel `i`.
    """
    odd = array.shape[axis] // fineness % 2
    return np.roll(np.flip(array, axis), 0 if odd else fineness, axis)
