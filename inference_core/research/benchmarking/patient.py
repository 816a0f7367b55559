"""A patient to measure with: the bundled one, or one made of smooth shapes, which needs no file."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

_SAMPLE = Path(__file__).resolve().parents[3] / "Resources" / "SamplePatient"
_SAMPLE_FILES = ("mrsi/*_res-n16_desc-acquired_tCho.nii.gz", "anat/*_T1w.nii.gz", "anat/*_FLAIR.nii.gz")
_RADII = np.array([68.0, 82.0, 72.0])
#: Height of the map's slices together, mm: 39 of 3.4 mm.
_SLAB = 39 * 3.4


def _ellipsoid(size: tuple[int, int, int], spacing: tuple[float, float, float], texture: float) -> sitk.Image:
    """An ellipsoid with waves in it, centred at 0; 0 outside."""
    x, y, z = (((np.arange(n) - (n - 1) / 2) * step).astype(np.float32) for n, step in zip(size, spacing, strict=True))
    z, y = z[:, None, None], y[:, None]
    inside = (x / _RADII[0]) ** 2 + (y / _RADII[1]) ** 2 + (z / _RADII[2]) ** 2 < 1
    waves = 1 + texture * np.sin(x / 5) * np.cos(y / 7) * np.cos(z / 9)
    image = sitk.GetImageFromArray((inside * waves).astype(np.float32))
    image.SetSpacing(spacing)
    image.SetOrigin([-(n - 1) / 2 * step for n, step in zip(size, spacing, strict=True)])
    return image


def benchmark_patient(slices: int, n: int = 20) -> tuple[sitk.Image, sitk.Image, sitk.Image]:
    """A low-resolution map of `slices` slices of n x n voxels, T1 of 1 mm and FLAIR: an ellipsoid, all slices in it."""
    return (
        _ellipsoid((n, n, slices), (200 / n, 200 / n, _SLAB / slices), 0.2),
        _ellipsoid((176, 224, 192), (1.0, 1.0, 1.0), 0.4),
        _ellipsoid((176, 224, 64), (1.0, 1.0, 3.0), 0.3),
    )


def sample_patient() -> tuple[str, tuple[sitk.Image, ...]]:
    """A patient of 5 slices: what it is, and its map, T1 and FLAIR."""
    files = [next(_SAMPLE.glob(pattern), None) for pattern in _SAMPLE_FILES]
    if None in files:
        return "ellipsoid", benchmark_patient(5)
    return "sample patient", tuple(sitk.ReadImage(str(file)) for file in files)
