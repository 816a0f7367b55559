"""A patient made of smooth shapes, for timing where no file is at hand."""

import numpy as np
import SimpleITK as sitk

_CENTRE = np.array([0.0, 0.0, 0.0])
_RADII = np.array([68.0, 82.0, 65.0])


def _ellipsoid(size: tuple[int, int, int], spacing: tuple[float, float, float], texture: float) -> sitk.Image:
    """An ellipsoid with waves in it, centred at 0; 0 outside."""
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(size, spacing, strict=True)]
    z, y, x = np.meshgrid(*axes[::-1], indexing="ij")
    inside = ((np.stack((x, y, z), axis=-1) - _CENTRE) ** 2 / _RADII**2).sum(axis=-1) < 1
    waves = 1 + texture * np.sin(x / 5) * np.cos(y / 7) * np.cos(z / 9)
    image = sitk.GetImageFromArray((inside * waves).astype(np.float32))
    image.SetSpacing(spacing)
    image.SetOrigin([axis[0] for axis in axes])
    return image


def benchmark_patient(slices: int, n: int = 20) -> tuple[sitk.Image, sitk.Image, sitk.Image]:
    """A low-resolution map of `slices` slices of n x n voxels, T1 and FLAIR."""
    thickness = 110 / slices
    return (
        _ellipsoid((n, n, slices), (200 / n, 200 / n, thickness), 0.2),
        _ellipsoid((160, 192, 160), (1.1, 1.1, 1.1), 0.4),
        _ellipsoid((160, 192, 60), (1.1, 1.1, 3.0), 0.3),
    )
