"""Where a super-resolved map lies in the patient, and how images get onto its grid and back.

The origin. Zero-filling interpolates a map about the voxel at index `size // 2`, the zero of its centred FFT, which
stays where it is. So super-resolved voxel `j` of N lies at low-resolution voxel index `n // 2 + (j - N // 2) * n / N`:
for even n the *centres of the first voxels* coincide, and for odd n the first super-resolved centre lies half a
low-resolution voxel earlier. The fields of view, which end at voxel *edges*, coincide in neither case: each is as wide
as the other, but they are shifted by half a super-resolved voxel (odd n) or by half a low-resolution voxel less that
(even n). The super-resolved image carries the origin that makes its world coordinates right.

The field of view. A map whose field of view is not square is padded with voxels of 0 at its own voxel size, as many
before as after (one more after where their number is odd), until the shorter extent is as near to the longer one as
whole voxels get. Where extents are not whole multiples, up to half a low-resolution voxel remains between them, and
super-resolved voxels are that much (of 64) longer along one axis.

The MRI grid is three times as fine along all three axes; its voxel `3 i + 1` is centred on super-resolved voxel `i`.
World coordinates are SimpleITK's: mm, left-posterior-superior.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.terms.conditions import MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

#: MRI voxels this many times smaller than the grid's are smoothed before resampling.
_ALIASING_RATIO = 1.5
#: Full width at half maximum of a Gaussian, in standard deviations.
_FWHM = 2 * (2 * np.log(2)) ** 0.5


@dataclass(frozen=True)
class SuperResolvedGrid:
    """The super-resolved grid, and what undoes the way from a low-resolution image to it.

    Attributes:
        rows, columns: matrix of the low-resolution map after padding.
        pad_before: rows and columns of zeros that padding put before the first.
        original_size: rows and columns before padding.
        slices: number of slices, the same in both maps.
        low_resolution_spacing: mm along column, row and slice index (SimpleITK's x, y, z).
        low_resolution_origin: centre of the padded map's first voxel, mm.
        spacing: of the super-resolved grid, mm, in the same order.
        origin: centre of the first super-resolved voxel, mm.
        direction: SimpleITK's direction cosines, row-major; may be left-handed.
    """

    rows: int
    columns: int
    pad_before: tuple[int, int]
    original_size: tuple[int, int]
    slices: int
    low_resolution_spacing: tuple[float, float, float]
    low_resolution_origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels of the super-resolved grid along column, row and slice index."""
        return (SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX, self.slices)

    def matches(self, other: "SuperResolvedGrid") -> bool:
        """Whether two grids are one but for the rounding of files' headers, a hundredth of a millimetre."""
        if (self.rows, self.columns, self.slices) != (other.rows, other.columns, other.slices):
            return False
        return all(
            np.allclose(getattr(self, name), getattr(other, name), rtol=1e-4, atol=tolerance)
            for name, tolerance in (("spacing", 0), ("direction", 1e-4), ("origin", 1e-2))
        )

    @property
    def low_resolution_size(self) -> tuple[int, int, int]:
        """Voxels of the padded low-resolution map along column, row and slice index."""
        return (self.columns, self.rows, self.slices)


def _square_matrix(size: tuple[int, int], spacing: tuple[float, float]) -> tuple[int, int]:
    """Columns and rows after padding the shorter extent to the longer one, in whole voxels."""
    extent = max(count * step for count, step in zip(size, spacing, strict=True))
    columns, rows = (max(count, round(extent / step)) for count, step in zip(size, spacing, strict=True))
    return columns, rows


def _first_index(count: int) -> float:
    """Low-resolution index, along an axis of `count` voxels, at which the super-resolved map's first voxel lies."""
    return count // 2 - SUPER_RESOLVED_MATRIX // 2 * count / SUPER_RESOLVED_MATRIX


def super_resolved_grid(low_resolution: sitk.Image) -> SuperResolvedGrid:
    """The grid on which a low-resolution map is super-resolved.

    Args:
        low_resolution: 3-D; slices along the third axis, in any orientation.
    """
    columns, rows, slices = low_resolution.GetSize()
    spacing = low_resolution.GetSpacing()
    padded_columns, padded_rows = _square_matrix((columns, rows), spacing[:2])
    before_columns, before_rows = (padded_columns - columns) // 2, (padded_rows - rows) // 2
    first = (_first_index(padded_columns) - before_columns, _first_index(padded_rows) - before_rows, 0.0)
    return SuperResolvedGrid(
        rows=padded_rows,
        columns=padded_columns,
        pad_before=(before_rows, before_columns),
        original_size=(rows, columns),
        slices=slices,
        low_resolution_spacing=spacing,
        low_resolution_origin=low_resolution.TransformContinuousIndexToPhysicalPoint(
            (-float(before_columns), -float(before_rows), 0.0)
        ),
        spacing=(
            spacing[0] * padded_columns / SUPER_RESOLVED_MATRIX,
            spacing[1] * padded_rows / SUPER_RESOLVED_MATRIX,
            spacing[2],
        ),
        origin=low_resolution.TransformContinuousIndexToPhysicalPoint(first),
        direction=low_resolution.GetDirection(),
    )


def padded_array(low_resolution: sitk.Image, grid: SuperResolvedGrid) -> np.ndarray:
    """A low-resolution image as float32 `(slice, row, column)`, padded with zeros to the grid's matrix."""
    array = sitk.GetArrayFromImage(low_resolution).astype(np.float32)
    before = (0, *grid.pad_before)
    after = [
        total - start - count
        for total, start, count in zip((grid.slices, grid.rows, grid.columns), before, array.shape, strict=True)
    ]
    return np.pad(array, list(zip(before, after, strict=True)))


def _placed(array: np.ndarray, origin: tuple, spacing: tuple, direction: tuple) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(array, dtype=np.float32))
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    return image


def low_resolution_image(array: np.ndarray, grid: SuperResolvedGrid) -> sitk.Image:
    """A padded low-resolution array `(slice, row, column)` as a float32 image in its place in the patient."""
    return _placed(array, grid.low_resolution_origin, grid.low_resolution_spacing, grid.direction)


def super_resolved_image(array: np.ndarray, grid: SuperResolvedGrid) -> sitk.Image:
    """A super-resolved array `(slice, 64, 64)` as a float32 image in its place in the patient."""
    return _placed(array, grid.origin, grid.spacing, grid.direction)


def _anti_aliased(image: sitk.Image, spacing: np.ndarray, direction: np.ndarray) -> sitk.Image:
    """`image` smoothed along those of its axes on which it is much finer than a grid to be sampled.

    The Gaussian brings a voxel's width, taken as a full width at half maximum, to that of the grid's voxel.
    """
    own = np.array(image.GetSpacing())
    # How far a grid voxel reaches along each axis of the image: exact for aligned axes, in between for oblique ones.
    cosines = np.array(image.GetDirection()).reshape(3, 3).T @ direction
    reach = np.sqrt(((cosines * spacing) ** 2).sum(axis=1))
    variance = np.where(reach > _ALIASING_RATIO * own, np.maximum(reach**2 - own**2, 0) / _FWHM**2, 0.0)
    if not variance.any():
        return image
    # Discrete rather than recursive: its kernel is finite and never negative, so background stays exactly 0.
    return sitk.DiscreteGaussian(sitk.Cast(image, sitk.sitkFloat32), variance.tolist(), 64, 0.01, True)


def resample_finer(
    image: sitk.Image,
    size: tuple[int, int, int],
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float],
    direction: tuple[float, ...],
    *,
    anti_alias: bool = True,
    factor: int = MRI_UPSAMPLING,
) -> np.ndarray:
    """An image resampled linearly on a grid `factor` times as fine, along each axis, as the one given.

    Args:
        image: 3-D, scalar, on a grid of its own.
        size, spacing, origin, direction: the coarser grid, in SimpleITK's order.
        anti_alias: smooth first along the axes on which `image` is much finer than the finer grid.
        factor: odd, so that fine voxel `factor * i + factor // 2` is centred on coarse voxel `i`.

    Returns:
        float32 `(factor * slices, factor * rows, factor * columns)`, 0 outside the image.
    """
    fine_spacing = np.array(spacing) / factor
    axes = np.array(direction).reshape(3, 3)
    fine_origin = np.array(origin) - axes @ fine_spacing * (factor // 2)
    if anti_alias:
        image = _anti_aliased(image, fine_spacing, axes)
    fine_size = np.array(size) * factor
    fine = np.zeros(fine_size[::-1], dtype=np.float32)
    first, last = _reached(image, fine_origin, axes * fine_spacing, fine_size)
    if (last > first).all():
        resampled = sitk.Resample(
            image,
            (last - first).tolist(),
            sitk.Transform(),
            sitk.sitkLinear,
            (fine_origin + axes @ (fine_spacing * first)).tolist(),
            fine_spacing.tolist(),
            direction,
            0.0,
            sitk.sitkFloat32,
        )
        block = tuple(slice(low, high) for low, high in zip(first[::-1], last[::-1], strict=True))
        fine[block] = sitk.GetArrayViewFromImage(resampled)
    return fine


def _reached(
    image: sitk.Image, origin: np.ndarray, steps: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The block of a grid that what an image holds beside 0 reaches: a skull-stripped one is half empty.

    Args:
        image: 3-D.
        origin: of the grid, mm.
        steps: `(3, 3)`, from the grid's index (column, row, slice) to mm.
        size: of the grid.

    Returns:
        First index and the one after the last, `(3,)` each; outside, the image's linear interpolation is 0.
    """
    values = sitk.GetArrayViewFromImage(image)
    holds = np.any(values, axis=0)
    along = [np.flatnonzero(part) for part in (holds.any(axis=0), holds.any(axis=1), np.any(values, axis=(1, 2)))]
    if not all(part.size for part in along):
        return np.zeros(3, dtype=int), np.zeros(3, dtype=int)
    # Linear interpolation reaches one voxel further.
    corners = np.array(list(product(*((part[0] - 1, part[-1] + 1) for part in along))))
    to_mm = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    index = np.linalg.solve(steps, (np.array(image.GetOrigin()) - origin)[:, None] + to_mm @ corners.T)
    first, last = np.floor(index.min(axis=1)).astype(int), np.ceil(index.max(axis=1)).astype(int) + 1
    return np.clip(first, 0, size), np.clip(last, 0, size)


def mri_slabs(image: sitk.Image, grid: SuperResolvedGrid, role: str = "MRI") -> np.ndarray:
    """T1 or FLAIR behind each slice of the map, at three times the super-resolved grid's resolution.

    Args:
        image: 3-D, scalar, on a grid of its own.
        grid: from `super_resolved_grid`.
        role: what to call the image in an error.

    Returns:
        float32 `(slice, 192, 192, 3)` from 0 to 1: divided by the maximum over all slabs, negative values set to 0.

    Raises:
        InputError: if the image shows nothing in the field of view of the map.
    """
    volume = resample_finer(image, grid.size, grid.spacing, grid.origin, grid.direction)
    np.maximum(volume, 0, out=volume)
    maximum = volume.max()
    if maximum == 0:
        raise InputError(
            f"The {role} is zero or absent everywhere in the map's field of view: check that both belong to the same "
            "patient and are registered."
        )
    volume /= maximum
    slabs = volume.reshape(grid.slices, MRI_UPSAMPLING, *volume.shape[1:])
    return np.ascontiguousarray(np.moveaxis(slabs, 1, -1))
