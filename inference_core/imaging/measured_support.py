"""The matrix that a map was measured on, where it was zero-filled or interpolated before it was loaded.

Scanners and viewers often hand out a 22 x 22 acquisition on 32 x 32, 48 x 48 or 64 x 64 voxels. The network must be
given the measured resolution, and data consistency may use only measured coefficients, so such maps are taken back to
the matrix they were measured on. Interpolation leaves traces that measured maps don't have: see
`inference_core.imaging.zero_filling_traces` and `inference_core.imaging.interpolation_traces`. In doubt a map is taken
as measured.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from inference_core.imaging.centred_fft import to_image, to_kspace
from inference_core.imaging.interpolation_traces import CoarseGrid, Finding, find_interpolation, weights
from inference_core.imaging.zero_filling_traces import zero_filled_from, zero_filling_cliff

ZERO_FILLING = "zero-filling"
#: Slices that are looked at, the fullest ones.
_SLICES = 8
#: What an interpolation along one axis may leave to be sure without the other axis, squared and relative.
_SURE_REST = 1e-6
#: Most rounds of restoring what magnitude and mask did to an interpolated map; a smaller change than this ends them.
_ROUNDS, _SETTLED = 20, 3e-4


@dataclass(frozen=True)
class MeasuredSupport:
    """What was measured of a map.

    Attributes:
        rows, columns: the measured matrix.
        interpolation: how the map's matrix came from it: "zero-filling", "nearest neighbour", "linear", "cubic", or
            None if the matrix is as measured.
    """

    rows: int
    columns: int
    interpolation: str | None

    def notice(self, image: sitk.Image) -> str:
        """A sentence for the user on a map that was interpolated: the image that was loaded."""
        columns, rows, _ = image.GetSize()
        return (
            f"The map's {rows} x {columns} voxels were interpolated ({self.interpolation}) from {self.rows} x "
            f"{self.columns}: it is super-resolved from those."
        )


def measured_support(image: sitk.Image) -> MeasuredSupport:
    """The matrix that a map was measured on.

    Args:
        image: the map, 3-D, real; slices along the third axis. Values of 0 and values that are not finite count as
            masked.
    """
    return _analyse(image)[0]


def as_measured(image: sitk.Image) -> tuple[sitk.Image, MeasuredSupport]:
    """A map on the matrix that it was measured on.

    Args:
        image: the map, as for `measured_support`.

    Returns:
        A float32 image whose voxels lie where they were measured in world coordinates, or the same image if nothing
        was interpolated; and what was found. Voxels that lie in a mask or on a value that is not finite do so in the
        result.
    """
    support, grids = _analyse(image)
    if support.interpolation is None:
        return image, support
    array = sitk.GetArrayFromImage(image).astype(float)
    if support.interpolation == ZERO_FILLING:
        values = _without_zero_filling(array, support)
    else:
        values = _without_interpolation(array, grids, support.interpolation)
    measured = sitk.GetImageFromArray(_masked_again(values, array, grids))
    rows, columns = grids
    across, down, through = image.GetSpacing()
    measured.SetSpacing((across * columns.step, down * rows.step, through))
    measured.SetOrigin(image.TransformContinuousIndexToPhysicalPoint((columns.start, rows.start, 0.0)))
    measured.SetDirection(image.GetDirection())
    for key in image.GetMetaDataKeys():
        measured.SetMetaData(key, image.GetMetaData(key))
    return measured, support


def _analyse(image: sitk.Image) -> tuple[MeasuredSupport, tuple[CoarseGrid, CoarseGrid]]:
    """What was measured, and where it lies along rows' and columns' index."""
    array = sitk.GetArrayViewFromImage(image)
    _, rows, columns = array.shape
    fullest = np.argsort(-np.count_nonzero(array, axis=(1, 2)), kind="stable")[:_SLICES]
    array = array[np.sort(fullest)].astype(float)
    array[~np.isfinite(array)] = np.nan
    along_rows, along_columns = (
        np.moveaxis(array, axis, -1).reshape(-1, size) for axis, size in ((1, rows), (2, columns))
    )
    as_it_is = MeasuredSupport(rows, columns, None), (CoarseGrid(rows, 1.0, 0.0), CoarseGrid(columns, 1.0, 0.0))
    across, down, _ = image.GetSpacing()
    square = rows == columns and bool(np.isclose(across, down, rtol=0.01))
    findings = _common(find_interpolation(along_rows), find_interpolation(along_columns), square)
    if findings:
        kind, grids = findings[0].kind, (findings[0].grid, findings[1].grid)
        return MeasuredSupport(grids[0].count, grids[1].count, kind), grids
    counts = zero_filled_from(
        zero_filling_cliff(along_rows), zero_filling_cliff(along_columns), (rows, columns), square
    )
    if counts is None:
        return as_it_is
    grids = _zero_filling_grid(rows, counts[0]), _zero_filling_grid(columns, counts[1])
    return MeasuredSupport(*counts, ZERO_FILLING), grids


def _common(rows: list[Finding], columns: list[Finding], square: bool) -> tuple[Finding, Finding] | None:
    """The best kind of interpolation that was found along both axes; of a square map both must be sure or agree."""
    pairs = [
        (one, other)
        for one in rows
        for other in columns
        if one.kind == other.kind
        and (not square or one.grid.count == other.grid.count or max(one.rest, other.rest) < _SURE_REST)
    ]
    return min(pairs, key=lambda pair: pair[0].rest + pair[1].rest) if pairs else None


def _zero_filling_grid(size: int, count: int) -> CoarseGrid:
    """Where `count` voxels lie in their zero-filled matrix: the voxel at index `count // 2` at index `size // 2`."""
    step = size / count
    return CoarseGrid(count, step, size // 2 - count // 2 * step)


def _nearest(grid: CoarseGrid, size: int) -> np.ndarray:
    """Indices of the voxels next to a grid's samples."""
    return np.clip(np.round(grid.places), 0, size - 1).astype(int)


def _masked_again(values: np.ndarray, array: np.ndarray, grids: tuple[CoarseGrid, CoarseGrid]) -> np.ndarray:
    """Measured `values` with 0 where `array`, which they come from, is mostly 0, and NaN where it is not finite.

    Both `(slice, row, column)`; the result is float32.
    """
    shape = array.shape[1:]
    boxes = [weights(grid, size, "nearest neighbour") for grid, size in zip(grids, shape, strict=True)]
    rows, columns = (box / box.sum(axis=0) for box in boxes)
    known = rows.T @ (array != 0).astype(float) @ columns >= 0.5
    # Rounding must not turn voxels of 0 into negative ones, which count as failed fits.
    least = -0.01 * np.nanmax(values) if np.any(array < 0) else -np.inf
    values = np.where(known & ((values > 0) | (values < least)), values, 0)
    at_rows, at_columns = (_nearest(grid, size) for grid, size in zip(grids, shape, strict=True))
    failed = ~np.isfinite(array[:, at_rows[:, None], at_columns])
    return np.where(failed, np.nan, values).astype(np.float32)


def _without_interpolation(array: np.ndarray, grids: tuple[CoarseGrid, CoarseGrid], kind: str) -> np.ndarray:
    """The samples that reproduce an interpolated `array` best, `(slice, row, column)`."""
    if kind == "nearest neighbour":
        rows, columns = (_nearest(grid, size) for grid, size in zip(grids, array.shape[1:], strict=True))
        return array[:, rows[:, None], columns]
    known = np.isfinite(array) & (array != 0)
    values = np.where(known, array, 0)
    matrices, forward = [], []
    for grid, size in zip(grids, array.shape[1:], strict=True):
        forward.append(weights(grid, size, kind))
        matrices.append(np.linalg.pinv(forward[-1], rcond=1e-3))

    coefficients = matrices[0] @ values @ matrices[1].T
    if not known.all():
        for _ in range(_ROUNDS):
            # What a mask hides is taken from the estimate so far.
            filled = np.where(known, values, forward[0] @ coefficients @ forward[1].T)
            coefficients = matrices[0] @ filled @ matrices[1].T
    if kind != "cubic":
        return coefficients
    # From the spline's coefficients to its values at the samples.
    rows, columns = (weights(CoarseGrid(grid.count, 1.0, 0.0), grid.count, kind) for grid in grids)
    return rows @ coefficients @ columns.T


def _without_zero_filling(array: np.ndarray, support: MeasuredSupport) -> np.ndarray:
    """The measured map behind a zero-filled `array`, both `(slice, row, column)`; conventions as in `kspace`."""
    shape, inner = array.shape[-2:], (support.rows, support.columns)
    starts = [size // 2 - count // 2 for size, count in zip(shape, inner, strict=True)]
    centre = (slice(None), *(slice(start, start + count) for start, count in zip(starts, inner, strict=True)))
    # Voxels of either matrix show the same level.
    scale = np.sqrt(inner[0] * inner[1] / (shape[0] * shape[1]))
    known = np.isfinite(array) & (array != 0)
    values = np.where(known, array, 0)
    magnitude = not np.any(values < 0)

    def measured(zero_filled: np.ndarray) -> np.ndarray:
        return to_image(to_kspace(zero_filled)[centre]).real * scale

    def zero_filled(low_resolution: np.ndarray) -> np.ndarray:
        kspace = np.zeros(array.shape, dtype=complex)
        kspace[centre] = to_kspace(low_resolution) / scale
        return to_image(kspace)

    low_resolution = measured(values)
    for _ in range(_ROUNDS):
        # The magnitude lost the phase, and a mask what lay outside: both are taken from the estimate so far.
        estimate = zero_filled(low_resolution)
        phase = estimate / np.maximum(np.abs(estimate), 1e-12 * values.max()) if magnitude else 1
        previous, low_resolution = low_resolution, measured(np.where(known, values * phase, estimate))
        if np.linalg.norm(low_resolution - previous) < _SETTLED * np.linalg.norm(low_resolution):
            break
    return low_resolution
