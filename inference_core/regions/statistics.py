"""What a map holds in a region: its volume, level and standard deviation."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RegionStatistics:
    """One map in one region.

    Attributes:
        volume: of what the map covers of the region, mL.
        mean, median: of the map, in its units; voxels count by how much of them lies in the region.
        low, high: the 10th and 90th percentile.
    """

    volume: float
    mean: float
    median: float
    low: float
    high: float


def region_statistics(
    values: np.ndarray, share: np.ndarray, valid: np.ndarray, voxel: float
) -> RegionStatistics | None:
    """Statistics of a map in a region.

    Args:
        values: the map, `(slice, row, column)`.
        share: of each voxel in the region, 0 to 1.
        valid: where the map means something, bool.
        voxel: a voxel's volume, mm^3.

    Returns:
        None if the map means nothing anywhere in the region.
    """
    weights = np.where(valid, share, 0).astype(np.float64)
    total = weights.sum()
    if total == 0:
        return None
    inside = weights > 0
    levels, weights = values[inside].astype(np.float64), weights[inside]
    order = np.argsort(levels, kind="stable")
    levels, weights = levels[order], weights[order]
    # Each voxel's middle in the distribution, so that equal weights give the usual percentiles.
    middles = (np.cumsum(weights) - weights / 2) / total
    low, median, high = np.interp((0.1, 0.5, 0.9), middles, levels)
    return RegionStatistics(
        volume=float(total * voxel / 1000),
        mean=float((levels * weights).sum() / total),
        median=float(median),
        low=float(low),
        high=float(high),
    )
