"""A table of regions: each metabolite and ratio, before and after super-resolution, with uncertainties.

The check of signal: super-resolution must not create or destroy any. Brought back to the input's resolution, a result
has to hold the same amount in a region as the input does.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
import SimpleITK as sitk
import torch

from inference_core import kspace
from inference_core.errors import InputError
from inference_core.geometry import low_resolution_image, super_resolved_image
from inference_core.patient_result import MetaboliteResult, PatientResult
from inference_core.ratios import Ratio, ratio_map
from inference_core.region_statistics import region_share, region_statistics


@dataclass(frozen=True)
class RegionRow:
    """One quantity in one region.

    Attributes:
        region: its name.
        quantity: a metabolite or a ratio.
        volume_ml: of what the super-resolved map covers of the region.
        mean, median, low, high: of the super-resolved map; `low` and `high` are the 10th and 90th percentile.
        uncertainty: of `mean`: half-width of its 68 % interval; None where the weights have no calibration.
        low_resolution_mean, low_resolution_median, low_resolution_low, low_resolution_high: of the map as measured.
        signal_change: how much more the region holds after super-resolution, as a share, at the input's resolution;
            None for a ratio.
    """

    region: str
    quantity: str
    volume_ml: float
    mean: float
    median: float
    low: float
    high: float
    uncertainty: float | None
    low_resolution_mean: float
    low_resolution_median: float
    low_resolution_low: float
    low_resolution_high: float
    signal_change: float | None


def region_rows(
    result: PatientResult, regions: Mapping[str, sitk.Image], ratios: Sequence[Ratio] = ()
) -> list[RegionRow]:
    """The table's rows, region by region.

    Args:
        result: the patient's maps.
        regions: images that are above 0 in the region, on grids of their own, by the region's name.
        ratios: besides the metabolites.

    Raises:
        InputError: for a region that is empty or holds no brain, and as `ratio_map`.
    """
    rows = []
    for name, region in regions.items():
        if not np.any(sitk.GetArrayViewFromImage(region)):
            raise InputError(f"The region '{name}' is empty: draw it, or leave it out.")
        grid = result.grid
        fine, coarse = (
            region_share(region, make(np.zeros((grid.slices, rows_, columns), np.float32), grid))
            for make, rows_, columns in (
                (super_resolved_image, *result.brain.shape[1:]),
                (low_resolution_image, grid.rows, grid.columns),
            )
        )
        if not (fine * result.brain).any():
            raise InputError(f"The region '{name}' holds no voxel of the maps' brain: draw it there, or leave it out.")
        rows += [
            _metabolite_row(name, quantity, own, result, fine, coarse) for quantity, own in result.metabolites.items()
        ]
        rows += [_ratio_row(name, ratio, result, fine, coarse) for ratio in ratios]
    return rows


def _metabolite_row(
    region: str, name: str, own: MetaboliteResult, result: PatientResult, fine: np.ndarray, coarse: np.ndarray
) -> RegionRow:
    measured = own.prepared.low_resolution
    uncertainty = None if own.uncertainty is None else _mean(own.uncertainty, fine * result.brain)
    kept = kspace.low_resolution(torch.from_numpy(own.values), measured.shape[1:]).numpy()
    before, after = (float((image * coarse).sum()) for image in (measured, kept))
    return _row(
        region,
        name,
        own.values,
        result.brain,
        measured,
        measured > 0,
        result,
        fine,
        coarse,
        uncertainty,
        after / before - 1 if before > 0 else None,
    )


def _ratio_row(region: str, ratio: Ratio, result: PatientResult, fine: np.ndarray, coarse: np.ndarray) -> RegionRow:
    found = ratio_map(ratio, result.values, result.brain, result.uncertainties)
    measured = {name: own.prepared.low_resolution for name, own in result.metabolites.items()}
    brain = np.logical_and.reduce([measured[name] > 0 for name in ratio.metabolites])
    low_resolution = ratio_map(ratio, measured, brain)
    uncertainty = None if found.uncertainty is None else _mean(found.uncertainty, fine * found.mask)
    return _row(
        region,
        ratio.name,
        found.values,
        found.mask,
        low_resolution.values,
        low_resolution.mask,
        result,
        fine,
        coarse,
        uncertainty,
        None,
    )


def _mean(values: np.ndarray, weights: np.ndarray) -> float | None:
    """Errors of neighbours go together: that of their mean is taken for as large as they are, never for less."""
    return float(np.average(values, weights=weights)) if weights.any() else None


def _row(
    region, quantity, values, valid, measured, measured_valid, result, fine, coarse, uncertainty, change
) -> RegionRow:
    grid = result.grid
    try:
        after = region_statistics(values, fine, valid, float(np.prod(grid.spacing)))
        before = region_statistics(measured, coarse, measured_valid, float(np.prod(grid.low_resolution_spacing)))
    except InputError as error:
        raise InputError(f"Region '{region}', {quantity}: {error}") from error
    return RegionRow(
        region,
        quantity,
        after.volume,
        after.mean,
        after.median,
        after.low,
        after.high,
        uncertainty,
        before.mean,
        before.median,
        before.low,
        before.high,
        change,
    )


def as_csv(rows: Sequence[RegionRow]) -> str:
    """The table as CSV with a header; numbers with six significant digits, what is not known empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(RegionRow)])
    for row in rows:
        writer.writerow([f"{v:.6g}" if isinstance(v, float) else "" if v is None else v for v in astuple(row)])
    return text.getvalue()
