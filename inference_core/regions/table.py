"""A table of regions: each metabolite and ratio, before and after super-resolution, with uncertainties.

The check of signal: super-resolution must not create or destroy any. Brought back to the input's resolution, a result
has to hold the same amount in a region as the input does.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.imaging.brain_mask import share_in_low_resolution, share_in_super_resolved
from inference_core.regions.statistics import region_statistics

if TYPE_CHECKING:
    from inference_core.inference.patient_result import PatientResult
    from inference_core.inference.quantity_source import QuantityResult


@dataclass(frozen=True)
class RegionRow:
    """One quantity in one region.

    Attributes:
        region: its name.
        quantity: a metabolite or a ratio.
        volume_ml: of what the super-resolved map covers of the region.
        mean, median, low, high: of the super-resolved map; `low` and `high` are the 10th and 90th percentile. None
            for a ratio that means nothing anywhere in the region.
        uncertainty: of `mean`: half-width of its 68 % interval; None where the weights have no calibration.
        low_resolution_mean, low_resolution_median, low_resolution_low, low_resolution_high: of the map as measured.
        signal_change: how much more the region holds after super-resolution, as a share, at the input's resolution;
            None for a ratio.
    """

    region: str
    quantity: str
    volume_ml: float
    mean: float | None
    median: float | None
    low: float | None
    high: float | None
    uncertainty: float | None
    low_resolution_mean: float | None
    low_resolution_median: float | None
    low_resolution_low: float | None
    low_resolution_high: float | None
    signal_change: float | None


@dataclass(frozen=True)
class _Region:
    """A region on both grids: each voxel's share in it, `(slice, row, column)`."""

    name: str
    fine: np.ndarray
    coarse: np.ndarray


def region_rows(result: "PatientResult", regions: Mapping[str, sitk.Image]) -> list[RegionRow]:
    """The table's rows, region by region: metabolites, then ratios.

    Args:
        result: the patient's metabolites and ratios.
        regions: images that are above 0 in the region, on grids of their own, by the region's name.

    Raises:
        InputError: for a region that is empty or holds no brain.
    """
    found = [_region(name, image, result) for name, image in regions.items()]
    return [_row(region, quantity) for region in found for quantity in result.quantities]


def _region(name: str, image: sitk.Image, result: "PatientResult") -> _Region:
    if not np.any(sitk.GetArrayViewFromImage(image)):
        raise InputError(f"The region '{name}' is empty: draw it, or leave it out.")
    grid = result.grid
    fine, coarse = share_in_super_resolved(image > 0, grid), share_in_low_resolution(image > 0, grid)
    if not (fine * result.brain).any():
        raise InputError(f"The region '{name}' holds no voxel of the maps' brain: draw it there, or leave it out.")
    return _Region(name, fine, coarse)


def _signal_change(region: _Region, quantity: "QuantityResult") -> float | None:
    """How much more the region holds than was measured, as a share, at the measurement's resolution."""
    import torch

    from inference_core.networks import kspace

    if quantity.quantity.ratio is not None:
        return None
    kept = kspace.low_resolution(torch.from_numpy(quantity.values), quantity.measured.shape[1:]).numpy()
    before, after = (float((image * region.coarse).sum()) for image in (quantity.measured, kept))
    return after / before - 1 if before > 0 else None


def _row(region: _Region, quantity: "QuantityResult") -> RegionRow:
    grid = quantity.grid
    after = region_statistics(quantity.values, region.fine, quantity.mask, float(np.prod(grid.spacing)))
    before = region_statistics(
        quantity.measured, region.coarse, quantity.measured_mask, float(np.prod(grid.low_resolution_spacing))
    )
    uncertainty = None
    if after and quantity.uncertainty is not None:
        # Errors of neighbours go together: that of their mean is taken for as large as theirs, never for less.
        uncertainty = float(np.average(quantity.uncertainty, weights=region.fine * quantity.mask))
    return RegionRow(
        region=region.name,
        quantity=quantity.quantity.name,
        volume_ml=after.volume if after else 0.0,
        mean=after and after.mean,
        median=after and after.median,
        low=after and after.low,
        high=after and after.high,
        uncertainty=uncertainty,
        low_resolution_mean=before and before.mean,
        low_resolution_median=before and before.median,
        low_resolution_low=before and before.low,
        low_resolution_high=before and before.high,
        signal_change=_signal_change(region, quantity),
    )


def as_csv(rows: Sequence[RegionRow]) -> str:
    """The table as CSV with a header; numbers with six significant digits, what is not known empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(RegionRow)])
    for row in rows:
        writer.writerow([f"{v:.6g}" if isinstance(v, float) else "" if v is None else v for v in astuple(row)])
    return text.getvalue()
