"""Holding back the outer part of a map's measured k-space: ground truth that every examination has.

What remains is what a scanner would have given that measures less of k-space; what was held back is known. The field
of view stays, and so does the voxel at the FFT's zero, so that T1, FLAIR and the super-resolved grid are the patient's.

All comparisons are made inside the brain, of images that hold the held-back k-space only: outside the brain the
network is not trained, and measured signal there must not count against it. Both images are cut by the same mask, and
only after the k-space was chosen, so that the mask takes nothing out of k-space. Holes that a quality filter left
inside a map are filled first: their edges are no detail of the patient's.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from inference_core.imaging.failed_fits import fill_enclosed_zeros
from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.inference.prepared_input import PreparedInput
from inference_core.inference.rings import COLUMNS, ROWS
from inference_core.networks import kspace
from inference_core.networks.scaling import slice_scale
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

#: The least n that a map is checked at: below, the network would be left with less than it was trained on.
LEAST_CHECKED = 12
#: The least n that detail is matched at: what the network does with less than it was trained on errs to less detail.
LEAST_MATCHED = 8
#: Of the measured k-space along an axis, the share that is kept.
_KEPT_SHARE = 2 / 3
#: Slices with fewer brain voxels show too little of it.
_FEWEST_VOXELS = 150

_MATRIX = (SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX)


@dataclass(frozen=True)
class HeldBack:
    """A patient with less k-space, and what was held back.

    Attributes:
        prepared: with less k-space.
        matrix: rows and columns of the measured k-space.
        kept: rows and columns of the k-space that is left.
        region: the held-back coefficients, `(64, 64)` bool, each with its complex conjugate's place: those of the
            highest frequency of an even matrix, which have none, are left out.
        brain: where it is compared, `(slice, 64, 64)` bool.
        detail: the image of the held-back k-space, `(slice, 64, 64)`, in the map's units.
    """

    prepared: PreparedInput
    matrix: tuple[int, int]
    kept: tuple[int, int]
    region: np.ndarray
    brain: np.ndarray
    detail: np.ndarray


def in_image(images: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Images `(slice, 64, 64)` with nothing but a region of their k-space, `(64, 64)` bool."""
    spectrum = kspace.to_kspace(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float64)))
    return kspace.to_image(spectrum * torch.from_numpy(region)).real.numpy()


def held_back_problem(prepared: PreparedInput, least: int = LEAST_CHECKED) -> str | None:
    """Why nothing can be held back from a map, as a sentence; None if it can.

    Args:
        prepared: the map.
        least: the least number of rows and of columns.
    """
    if min(prepared.grid.rows, prepared.grid.columns) < least:
        return (
            f"A map of n = {prepared.n} can't be checked against its own measurement: at least n = {least} is needed "
            "to hold back a part of it."
        )
    if not telling_slices(prepared):
        return "The map can't be checked against its own measurement: no slice shows enough of the brain."
    return None


def telling_slices(prepared: PreparedInput, most: int | None = None) -> list[int]:
    """Indices of slices that show enough of the brain, spread evenly over them if there are more than `most`."""
    there = np.flatnonzero(
        (prepared.brain.sum(axis=(1, 2)) >= _FEWEST_VOXELS) & prepared.low_resolution.any(axis=(1, 2))
    )
    if most is not None and len(there) > most:
        there = there[np.linspace(0, len(there) - 1, most).round().astype(int)]
    return there.tolist()


def hold_back(prepared: PreparedInput) -> HeldBack:
    """A prepared patient without the outer part of the map's measured k-space.

    Args:
        prepared: from `SuperResolver.prepare`, without a `held_back_problem`.
    """
    matrix = prepared.grid.rows, prepared.grid.columns
    kept = kept_matrix(*matrix)
    filled = np.stack([fill_enclosed_zeros(values) for values in prepared.low_resolution])
    region = held_back_region(matrix, kept)
    measured = kspace.pad(kspace.measured_kspace(torch.from_numpy(filled.astype(np.float64)), _MATRIX), _MATRIX)
    return HeldBack(
        prepared=with_less_kspace(replace(prepared, low_resolution=filled), kept),
        matrix=matrix,
        kept=kept,
        region=region,
        brain=prepared.brain,
        detail=kspace.to_image(measured * torch.from_numpy(region)).real.numpy(),
    )


def kept_matrix(rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of the k-space that is kept of a measured one, even numbers near two thirds of it.

    At least one frequency is held back along each axis, besides the highest one of an even matrix.
    """
    return tuple(min(2 * round(_KEPT_SHARE * count / 2), 2 * ((count - 1) // 2 - 1)) for count in (rows, columns))


def held_back_region(matrix: tuple[int, int], kept: tuple[int, int]) -> np.ndarray:
    """Coefficients measured in a matrix, but not in the kept one, see `HeldBack.region`."""

    def within(counts: tuple[float, float]) -> np.ndarray:
        return (np.abs(ROWS) <= counts[0]) & (np.abs(COLUMNS) <= counts[1])

    # A kept coefficient tells its complex conjugate, even where that lies outside of an even matrix.
    return within(tuple((count - 1) // 2 for count in matrix)) & ~within(tuple(count // 2 for count in kept))


def with_less_kspace(prepared: PreparedInput, matrix: tuple[int, int]) -> PreparedInput:
    """A prepared patient whose map holds only the centre of the measured k-space.

    Args:
        prepared: from `SuperResolver.prepare`.
        matrix: rows and columns to keep.
    """
    low_resolution = kspace.low_resolution(torch.from_numpy(prepared.low_resolution), matrix)
    return replace(
        prepared,
        low_resolution=low_resolution.numpy(),
        scales=slice_scale(low_resolution).flatten().numpy(),
        n=round(math.sqrt(matrix[0] * matrix[1])),
        grid=_coarser(prepared.grid, matrix),
    )


def _coarser(grid: SuperResolvedGrid, matrix: tuple[int, int]) -> SuperResolvedGrid:
    """The same super-resolved grid, of a low-resolution map of another matrix and the same field of view."""
    rows, columns = matrix
    across, down, through = grid.low_resolution_spacing
    spacing = (across * grid.columns / columns, down * grid.rows / rows, through)
    axes = np.array(grid.direction).reshape(3, 3)
    centre = axes @ np.array((grid.columns // 2 * across, grid.rows // 2 * down, 0.0))
    first = axes @ np.array((columns // 2 * spacing[0], rows // 2 * spacing[1], 0.0))
    return replace(
        grid,
        rows=rows,
        columns=columns,
        pad_before=(0, 0),
        original_size=matrix,
        low_resolution_spacing=spacing,
        low_resolution_origin=tuple((np.array(grid.low_resolution_origin) + centre - first).tolist()),
    )
