"""k-space of metabolite maps: centred FFT, truncation, zero-filling and data consistency.

All functions act on the last two axes, `(..., row, column)`, of real or complex tensors. The FFT is orthonormal and
centred: the zero frequency lies at index `size // 2`, for even and odd sizes alike.

Cutting or padding k-space keeps the zero of the centred FFT where it is: the voxel at index `n // 2` of an n-voxel map
and the one at `N // 2` of its N-voxel zero-filled map lie at the same place. For even n the *centres of the first
voxels* therefore coincide. The fields of view, which end at voxel *edges*, do not: `inference_core.imaging.geometry`
gives the super-resolved image the origin that accounts for it.
"""

from collections.abc import Sequence
from types import EllipsisType

import torch
from torch import Tensor

_AXES = (-2, -1)


def to_kspace(image: Tensor) -> Tensor:
    """Centred orthonormal 2-D FFT, `(..., row, column)` to complex `(..., row, column)`; a unitary map."""
    return torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(image, dim=_AXES), norm="ortho"), dim=_AXES)


def to_image(kspace: Tensor) -> Tensor:
    """Inverse, and adjoint, of `to_kspace`. The result is complex."""
    return torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(kspace, dim=_AXES), norm="ortho"), dim=_AXES)


def _centre(shape: Sequence[int], inner: Sequence[int]) -> tuple[EllipsisType, slice, slice]:
    """Index of the centred block of `inner` coefficients in a k-space of `shape`, both `(row, column)`."""
    if any(small > large for small, large in zip(inner, shape, strict=True)):
        raise ValueError(f"a k-space of {tuple(shape)} has no central block of {tuple(inner)}")
    first_row, first_column = (large // 2 - small // 2 for small, large in zip(inner, shape, strict=True))
    return ..., slice(first_row, first_row + inner[0]), slice(first_column, first_column + inner[1])


def truncate(kspace: Tensor, shape: tuple[int, int]) -> Tensor:
    """The central `shape` coefficients of `kspace`. Adjoint of `pad`.

    Raises:
        ValueError: if `shape` is larger than the k-space.
    """
    return kspace[_centre(kspace.shape[-2:], shape)]


def pad(kspace: Tensor, shape: tuple[int, int]) -> Tensor:
    """`kspace` in the centre of a larger k-space of zeros. Adjoint of `truncate`.

    Raises:
        ValueError: if `shape` is smaller than the k-space.
    """
    padded = kspace.new_zeros((*kspace.shape[:-2], *shape))
    padded[_centre(shape, kspace.shape[-2:])] = kspace
    return padded


def _voxel_ratio(image: Tensor, shape: tuple[int, int]) -> float:
    """What an orthonormal FFT scales intensities by, between matrices of the image's size and of `shape`."""
    return (shape[0] * shape[1] / (image.shape[-2] * image.shape[-1])) ** 0.5


def low_resolution(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """What a scanner that measures only the central `shape` coefficients would show of `image` (paper, Sec. 3.1).

    Args:
        image: `(..., row, column)`, real.
        shape: rows and columns of the result, at most the image's.

    Returns:
        `(..., shape[0], shape[1])`, magnitudes in the units of `image`: a constant image keeps its value.
    """
    return to_image(truncate(to_kspace(image), shape)).abs() * _voxel_ratio(image, shape)


def measured_kspace(low_resolution_map: Tensor, shape: tuple[int, int]) -> Tensor:
    """The coefficients that a low-resolution map determines in the k-space of a map of `shape`.

    Args:
        low_resolution_map: `(..., n rows, n columns)`.
        shape: rows and columns of the super-resolved map.

    Returns:
        Complex `(..., n rows, n columns)`, scaled so that intensities keep their units after `pad` to `shape`.
    """
    return to_kspace(low_resolution_map) * _voxel_ratio(low_resolution_map, shape)


def zero_filled(low_resolution_map: Tensor, shape: tuple[int, int]) -> Tensor:
    """Magnitude of the map interpolated to `shape` by zero-filling its k-space: the standard method.

    Args:
        low_resolution_map: `(..., n rows, n columns)`, real.
        shape: rows and columns of the result, at least the map's.

    Returns:
        `(..., shape[0], shape[1])`, in the units of the map.
    """
    return to_image(pad(measured_kspace(low_resolution_map, shape), shape)).abs()


def enforce_data_consistency(image: Tensor, measured: Tensor) -> Tensor:
    """`image` with its central k-space coefficients replaced by the measured ones (paper, Fig. 1; Schlemper 2018).

    Args:
        image: `(..., row, column)`, real or complex.
        measured: `(..., n rows, n columns)`, from `measured_kspace`.

    Returns:
        Complex `(..., row, column)`. An orthogonal projection: doing it twice changes nothing.
    """
    kspace = to_kspace(image)
    consistent = kspace.clone()
    consistent[_centre(image.shape[-2:], measured.shape[-2:])] = measured.to(kspace.dtype)
    return to_image(consistent)
