"""Which slices the page shows."""

from collections.abc import Sequence

import numpy as np


def shown_slices(brain: np.ndarray, regions: Sequence[np.ndarray], count: int) -> list[int]:
    """The slice that holds the most of the regions, or else the middle of the brain, and its neighbours.

    Args:
        brain: where the maps hold values, `(slice, row, column)` bool, True somewhere.
        regions: each voxel's share in each region, of the same shape.
        count: how many slices, at most.

    Returns:
        Their indices, ascending; only such as hold brain.
    """
    areas = brain.sum(axis=(1, 2))
    there = np.flatnonzero(areas)
    # Each region counts as much as any other, whatever its size.
    inside = [(region * brain).sum(axis=(1, 2)) for region in regions]
    shares = sum(area / area.sum() for area in inside if area.any())
    middle = np.searchsorted(np.cumsum(areas), areas.sum() / 2)
    first = int(np.argmax(shares) if np.any(shares) else middle)
    nearest = sorted(there, key=lambda index: (abs(index - first), index))
    return sorted(int(index) for index in nearest[:count])
