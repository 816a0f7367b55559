"""Slices as radiologists look at them, with letters for the patient's sides, from an image's direction alone.

Axial: front up, the patient's right on the left. Coronal: head up, right on the left. Sagittal: head up, front on the
left. A tilted slice is shown in its own plane, with the letters of the axes that it is nearest to.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np

#: Ends of the patient's axes in LPS, at lower and higher coordinates.
_ENDS = (("R", "L"), ("A", "P"), ("I", "S"))
#: Which way each axis runs where it goes across the picture, and where it goes down.
_ACROSS, _DOWN = (1, 1, 1), (1, 1, -1)


@dataclass(frozen=True)
class SliceView:
    """How a slice is turned to be looked at.

    Attributes:
        swapped: whether rows and columns change places, before all else.
        flipped: whether rows, and whether columns, are then reversed.
        left, right, top, bottom: the patient's sides.
    """

    swapped: bool
    flipped: tuple[bool, bool]
    left: str
    right: str
    top: str
    bottom: str

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """A slice `(row, column, ...)`, turned."""
        turned = np.swapaxes(array, 0, 1) if self.swapped else array
        return turned[:: -1 if self.flipped[0] else 1, :: -1 if self.flipped[1] else 1]

    def spacing(self, across: float, down: float) -> tuple[float, float]:
        """Steps along the columns and the rows of a slice, as they are once it is turned."""
        return (down, across) if self.swapped else (across, down)


def slice_view(direction: tuple[float, ...]) -> SliceView:
    """How the slices of an image are turned.

    Args:
        direction: SimpleITK's direction cosines, row-major, LPS; may be left-handed.
    """
    axes = np.array(direction, dtype=np.float64).reshape(3, 3)[:, :2].T
    # Columns and rows must not be given one axis both, as they might be halfway between two.
    pairs = list(permutations(range(3), 2))
    main = max(pairs, key=lambda pair: sum(abs(axis[place]) for axis, place in zip(axes, pair, strict=True)))
    swapped = main[0] > main[1]
    if swapped:
        axes, main = axes[::-1], main[::-1]
    flip_columns, flip_rows = (
        bool(axis[place] * wanted[place] < 0) for axis, place, wanted in zip(axes, main, (_ACROSS, _DOWN), strict=True)
    )
    left, right = _ENDS[main[0]][:: _ACROSS[main[0]]]
    top, bottom = _ENDS[main[1]][:: _DOWN[main[1]]]
    return SliceView(swapped, (flip_rows, flip_columns), left, right, top, bottom)
