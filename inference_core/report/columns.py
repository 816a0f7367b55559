"""What the page has a column of: each metabolite and ratio, as measured, super-resolved, and how sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.imaging.geometry import SuperResolvedGrid, low_resolution_image
from inference_core.terms.conditions import MRI_MATRIX, MRI_UPSAMPLING
from inference_core.terms.ratios import Ratio, ratio_map

if TYPE_CHECKING:
    from inference_core.inference.patient_result import MetaboliteResult, PatientResult

#: Share of the voxels that the colours of maps and of ratios, which have long tails, end above.
_WINDOW, _RATIO_WINDOW = 99.7, 98.0


@dataclass(frozen=True)
class Column:
    """A metabolite or a ratio; all arrays lie on the MRI's grid, `(slice, 192, 192)`.

    Attributes:
        name: of the metabolite or ratio.
        is_ratio: which of them.
        measured: the map as measured, each voxel a square.
        measured_mask: where it holds values.
        values: super-resolved.
        mask: where they mean something.
        window: where the colours of both end.
        uncertainty: half-width of the 68 % interval around `values`, or None where it is not known.
        uncertainty_window: where its colours end.
        measured_share: of the result's detail energy, inside the measured k-space; None for a ratio.
    """

    name: str
    is_ratio: bool
    measured: np.ndarray
    measured_mask: np.ndarray
    values: np.ndarray
    mask: np.ndarray
    window: float
    uncertainty: np.ndarray | None
    uncertainty_window: float
    measured_share: float | None


def make_columns(
    result: "PatientResult", ratios: Sequence[Ratio], slices: Sequence[int]
) -> tuple[list[Column], list[str]]:
    """The columns, metabolites first, and a sentence for each ratio that can't have one.

    Args:
        result: the patient's maps.
        ratios: wanted besides the metabolites.
        slices: that are shown.
    """
    columns = [_metabolite(name, own, result, slices) for name, own in result.metabolites.items()]
    left_out = []
    for ratio in ratios:
        try:
            columns.append(_ratio(ratio, result, slices))
        except InputError as error:
            left_out.append(str(error))
    return columns, left_out


def _metabolite(name: str, own: "MetaboliteResult", result: "PatientResult", slices: Sequence[int]) -> Column:
    grid, measured = result.grid, own.prepared.low_resolution
    from inference_core.inference.data_share import measured_energy

    share = measured_energy(own.values, (grid.rows, grid.columns))
    return _column(
        name, grid, slices, (measured, measured > 0), (own.values, own.prepared.brain, own.uncertainty), _WINDOW, share
    )


def _ratio(ratio: Ratio, result: "PatientResult", slices: Sequence[int]) -> Column:
    found = ratio_map(ratio, result.values, result.brain, result.uncertainties)
    measured = {name: own.prepared.low_resolution for name, own in result.metabolites.items()}
    there = np.logical_and.reduce([measured[name] > 0 for name in ratio.metabolites])
    coarse = ratio_map(ratio, measured, there)
    return _column(
        ratio.name,
        result.grid,
        slices,
        (coarse.values, coarse.mask),
        (found.values, found.mask, found.uncertainty),
        _RATIO_WINDOW,
        None,
    )


def _column(
    name: str,
    grid: SuperResolvedGrid,
    slices: Sequence[int],
    measured: tuple[np.ndarray, np.ndarray],
    fine: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    share_below: float,
    measured_share: float | None,
) -> Column:
    values, mask, uncertainty = fine
    shown = np.zeros_like(mask)
    shown[list(slices)] = mask[list(slices)]

    def window(array: np.ndarray | None) -> float:
        return 0.0 if array is None or not shown.any() else float(np.percentile(array[shown], share_below))

    return Column(
        name=name,
        is_ratio=measured_share is None,
        measured=_on_mri_grid(measured[0], grid),
        measured_mask=_on_mri_grid(measured[1], grid) > 0,
        values=finer(values),
        mask=finer(mask),
        window=window(values),
        uncertainty=None if uncertainty is None else finer(uncertainty),
        uncertainty_window=window(uncertainty),
        measured_share=measured_share,
    )


def finer(array: np.ndarray) -> np.ndarray:
    """`(slice, 64, 64)` on the MRI's grid, `(slice, 192, 192)`: each voxel a square."""
    return array.repeat(MRI_UPSAMPLING, axis=1).repeat(MRI_UPSAMPLING, axis=2)


def _on_mri_grid(array: np.ndarray, grid: SuperResolvedGrid) -> np.ndarray:
    """A low-resolution array where it lies in the patient, which is not where the super-resolved one's edges are."""
    across, down, through = grid.spacing
    step = np.array([across / MRI_UPSAMPLING, down / MRI_UPSAMPLING, through])
    # An MRI voxel in the middle of its three is centred on a super-resolved one.
    axes = np.array(grid.direction).reshape(3, 3)
    origin = np.array(grid.origin) - axes @ (step * [1, 1, 0])
    return sitk.GetArrayFromImage(
        sitk.Resample(
            low_resolution_image(array, grid),
            [MRI_MATRIX, MRI_MATRIX, grid.slices],
            sitk.Transform(),
            sitk.sitkNearestNeighbor,
            origin.tolist(),
            step.tolist(),
            grid.direction,
            0.0,
        )
    )
