"""The page's columns: each metabolite and ratio, as measured, super-resolved, and its uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from inference_core.imaging.geometry import SuperResolvedGrid, low_resolution_image
from inference_core.terms.conditions import MRI_MATRIX, MRI_UPSAMPLING

if TYPE_CHECKING:
    from inference_core.inference.patient_result import PatientResult
    from inference_core.inference.quantity_source import QuantityResult

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


def make_columns(result: "PatientResult", slices: Sequence[int]) -> list[Column]:
    """The columns, metabolites first.

    Args:
        result: the patient's metabolites and ratios.
        slices: that are shown.
    """
    return [_column(quantity, slices) for quantity in result.quantities]


def _column(own: "QuantityResult", slices: Sequence[int]) -> Column:
    from inference_core.inference.data_share import measured_energy

    grid, is_ratio = own.grid, own.quantity.ratio is not None
    shown = np.zeros_like(own.mask)
    shown[list(slices)] = own.mask[list(slices)]

    def window(array: np.ndarray | None) -> float:
        share_below = _RATIO_WINDOW if is_ratio else _WINDOW
        return 0.0 if array is None or not shown.any() else float(np.percentile(array[shown], share_below))

    return Column(
        name=own.quantity.name,
        is_ratio=is_ratio,
        measured=_on_mri_grid(own.measured, grid),
        measured_mask=_on_mri_grid(own.measured_mask, grid) > 0,
        values=finer(own.values),
        mask=finer(own.mask),
        window=window(own.values),
        uncertainty=None if own.uncertainty is None else finer(own.uncertainty),
        uncertainty_window=window(own.uncertainty),
        measured_share=None if is_ratio else measured_energy(own.values, (grid.rows, grid.columns)),
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
