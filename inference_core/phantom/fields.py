"""Smooth random fields as continuous functions of position: what makes one simulated patient differ from the next.

A field samples a periodic noise texture, made once a process, at rotated, shifted and scaled positions. That costs
one interpolation a point, for any correlation length and any set of points.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_SIZE = 96
#: Correlation length (Gaussian sigma) of the smooth texture, in its voxels.
_TEXTURE_SIGMA = 3.0
#: Wavelength of the folded texture, in its voxels.
_TEXTURE_WAVELENGTH = 16.0


def _frequencies() -> np.ndarray:
    """Radial frequency of each FFT coefficient of a texture, in cycles a voxel."""
    full, half = np.fft.fftfreq(_SIZE), np.fft.rfftfreq(_SIZE)
    return np.sqrt(full[:, None, None] ** 2 + full[None, :, None] ** 2 + half[None, None, :] ** 2)


def _filtered_noise(seed: int, response: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((_SIZE,) * 3)
    field = np.fft.irfftn(np.fft.rfftn(noise) * response, s=(_SIZE,) * 3, axes=(0, 1, 2))
    return (field - field.mean()) / field.std()


@lru_cache(maxsize=1)
def _smooth_texture() -> np.ndarray:
    """Gaussian noise of unit variance, `(96, 96, 96)`, periodic."""
    # Filtering by a Gaussian of sigma s gives a correlation of sigma s * sqrt(2).
    response = np.exp(-2 * (np.pi * _frequencies() * _TEXTURE_SIGMA / np.sqrt(2)) ** 2)
    return _filtered_noise(20240601, response).astype(np.float32)


@lru_cache(maxsize=1)
def _sheet_texture() -> np.ndarray:
    """Signed distance, in voxels, to the zero surfaces of band-limited noise: winding sheets, as sulci are."""
    wave = 1 / _TEXTURE_WAVELENGTH
    noise = _filtered_noise(20240602, np.exp(-(((_frequencies() - wave) / (0.25 * wave)) ** 2) / 2))
    padded = np.pad(noise, 1, mode="wrap")
    slopes = [derivative[1:-1, 1:-1, 1:-1] for derivative in np.gradient(padded)]
    steepness = np.sqrt(sum(slope**2 for slope in slopes))
    # Exact for a sinusoid: a phase divided by the wave number.
    phase = np.arctan2(2 * np.pi * wave * noise, steepness)
    return (phase / (2 * np.pi * wave)).astype(np.float32)


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A rotation matrix `(3, 3)`, uniform over all rotations."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


def _sample(texture: np.ndarray, positions: np.ndarray) -> np.ndarray:
    from scipy.ndimage import map_coordinates

    return map_coordinates(texture, positions.T, order=1, mode="grid-wrap", output=np.float32)


@dataclass(frozen=True)
class Field:
    """Zero mean, unit variance, Gaussian correlation.

    Attributes:
        to_texture: `(3, 3)`, mm to texture voxels.
        offset: `(3,)`, texture voxels.
    """

    to_texture: np.ndarray
    offset: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, sigma: float) -> "Field":
        """A random field whose correlation is a Gaussian of `sigma` mm."""
        return cls(random_rotation(rng) * (_TEXTURE_SIGMA / sigma), rng.uniform(0, _SIZE, 3))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Values at `points` `(point, 3)` in mm, as float32 `(point,)`."""
        return _sample(_smooth_texture(), points @ self.to_texture.T + self.offset)


@dataclass(frozen=True)
class Sheets:
    """Distance to the nearest of many winding sheets.

    Attributes:
        to_texture: `(3, 3)`, mm to texture voxels.
        offset: `(3,)`, texture voxels.
        voxel: size of a texture voxel in mm.
    """

    to_texture: np.ndarray
    offset: np.ndarray
    voxel: float

    @classmethod
    def draw(cls, rng: np.random.Generator, spacing: float) -> "Sheets":
        """Sheets about `spacing` mm apart."""
        voxel = 2 * spacing / _TEXTURE_WAVELENGTH
        return cls(random_rotation(rng) / voxel, rng.uniform(0, _SIZE, 3), voxel)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Distance in mm at `points` `(point, 3)` in mm, as float32 `(point,)`."""
        return np.abs(_sample(_sheet_texture(), points @ self.to_texture.T + self.offset)) * np.float32(self.voxel)
