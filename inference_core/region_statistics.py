"""What a map holds in a region: its volume, level and spread, and whether super-resolution kept the region's signal."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.geometry import resample_finer

#: Each voxel's share of a region is found on a grid so many times as fine.
_REFINEMENT = 5


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


def region_share(region: sitk.Image, reference: sitk.Image) -> np.ndarray:
    """How much of each voxel of a grid lies in a region.

    Args:
        region: 3-D, above 0 inside, on a grid of its own.
        reference: 3-D image on the grid that is asked for.

    Returns:
        float32 `(slice, row, column)`, 0 to 1.
    """
    size = reference.GetSize()
    fine = resample_finer(
        sitk.Cast(region > 0, sitk.sitkFloat32),
        size,
        reference.GetSpacing(),
        reference.GetOrigin(),
        reference.GetDirection(),
        anti_alias=False,
        factor=_REFINEMENT,
    )
    blocks = fine.reshape(size[2], _REFINEMENT, size[1], _REFINEMENT, size[0], _REFINEMENT)
    return blocks.mean(axis=(1, 3, 5))


def region_statistics(values: np.ndarray, share: np.ndarray, valid: np.ndarray, voxel: float) -> RegionStatistics:
    """Statistics of a map in a region.

    Args:
        values: the map, `(slice, row, column)`.
        share: of each voxel in the region, 0 to 1, from `region_share`.
        valid: where the map means something, bool.
        voxel: a voxel's volume, mm^3.

    Raises:
        InputError: if the map means nothing anywhere in the region.
    """
    weights = np.where(valid, share, 0).astype(np.float64)
    total = weights.sum()
    if total == 0:
        raise InputError("The region holds no voxel of the map's brain: draw it there, or choose another.")
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
