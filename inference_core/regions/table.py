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
from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.regions.statistics import region_statistics
from inference_core.terms.ratios import Ratio, ratio_map

if TYPE_CHECKING:
    from inference_core.inference.patient_result import MetaboliteResult, PatientResult


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


@dataclass(frozen=True)
class _Quantity:
    """A metabolite or ratio on both grids, `(slice, row, column)` each, and where it means something."""

    name: str
    values: np.ndarray
    valid: np.ndarray
    uncertainty: np.ndarray | None
    measured: np.ndarray
    measured_valid: np.ndarray


def region_rows(
    result: "PatientResult", regions: Mapping[str, sitk.Image], ratios: Sequence[Ratio] = ()
) -> list[RegionRow]:
    """The table's rows, region by region.

    Args:
        result: the patient's maps.
        regions: images that are above 0 in the region, on grids of their own, by the region's name.
        ratios: besides the metabolites.

    Raises:
        InputError: for a region that is empty or holds no brain, and as `ratio_map`.
    """
    found = [_region(name, image, result) for name, image in regions.items()]
    metabolites = [_metabolite(name, own, result.brain) for name, own in result.metabolites.items()]
    found_ratios = [_ratio(ratio, result) for ratio in ratios]
    rows = []
    for region in found:
        rows += [_row(region, own, result.grid, _signal_change(region, own)) for own in metabolites]
        rows += [_row(region, own, result.grid, None) for own in found_ratios]
    return rows


def _region(name: str, image: sitk.Image, result: "PatientResult") -> _Region:
    if not np.any(sitk.GetArrayViewFromImage(image)):
        raise InputError(f"The region '{name}' is empty: draw it, or leave it out.")
    grid = result.grid
    fine, coarse = share_in_super_resolved(image > 0, grid), share_in_low_resolution(image > 0, grid)
    if not (fine * result.brain).any():
        raise InputError(f"The region '{name}' holds no voxel of the maps' brain: draw it there, or leave it out.")
    return _Region(name, fine, coarse)


def _metabolite(name: str, own: "MetaboliteResult", brain: np.ndarray) -> _Quantity:
    measured = own.prepared.low_resolution
    return _Quantity(name, own.values, brain, own.uncertainty, measured, measured > 0)


def _ratio(ratio: Ratio, result: "PatientResult") -> _Quantity:
    found = ratio_map(ratio, result.values, result.brain, result.uncertainties)
    measured = {name: own.prepared.low_resolution for name, own in result.metabolites.items()}
    brain = np.logical_and.reduce([measured[name] > 0 for name in ratio.metabolites])
    coarse = ratio_map(ratio, measured, brain)
    return _Quantity(ratio.name, found.values, found.mask, found.uncertainty, coarse.values, coarse.mask)


def _signal_change(region: _Region, quantity: _Quantity) -> float | None:
    """How much more the region holds than was measured, as a share, at the measurement's resolution."""
    import torch

    from inference_core.networks import kspace

    kept = kspace.low_resolution(torch.from_numpy(quantity.values), quantity.measured.shape[1:]).numpy()
    before, after = (float((image * region.coarse).sum()) for image in (quantity.measured, kept))
    return after / before - 1 if before > 0 else None


def _row(region: _Region, quantity: _Quantity, grid: SuperResolvedGrid, signal_change: float | None) -> RegionRow:
    after = region_statistics(quantity.values, region.fine, quantity.valid, float(np.prod(grid.spacing)))
    before = region_statistics(
        quantity.measured, region.coarse, quantity.measured_valid, float(np.prod(grid.low_resolution_spacing))
    )
    uncertainty = None
    if after and quantity.uncertainty is not None:
        # Errors of neighbours go together: that of their mean is taken for as large as theirs, never for less.
        uncertainty = float(np.average(quantity.uncertainty, weights=region.fine * quantity.valid))
    return RegionRow(
        region=region.name,
        quantity=quantity.name,
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
        signal_change=signal_change,
    )


def as_csv(rows: Sequence[RegionRow]) -> str:
    """The table as CSV with a header; numbers with six significant digits, what is not known empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(RegionRow)])
    for row in rows:
        writer.writerow([f"{v:.6g}" if isinstance(v, float) else "" if v is None else v for v in astuple(row)])
    return text.getvalue()
