"""Smooth random fields as continuous functions of position: what makes one simulated patient differ from the next.

A field samples a periodic noise texture, made once a process, at rotated, shifted and scaled positions. That costs
one interpolation a point, for any correlation length and any set of points.
"""

from collections.abc import Sequence
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
    """Gaussian noise of unit variance; periodic, with two planes of wrap-around."""
    # Filtering by a Gaussian of sigma s gives a correlation of sigma s * sqrt(2).
    response = np.exp(-2 * (np.pi * _frequencies() * _TEXTURE_SIGMA / np.sqrt(2)) ** 2)
    return _wrapped(_filtered_noise(20240601, response))


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
    return _wrapped(phase / (2 * np.pi * wave))


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A rotation matrix `(3, 3)`, uniform over all rotations."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


def rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation matrix `(3, 3)` by `angles` (radians) about x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[second, first] = np.sin(angle)
        turn[first, second] = -np.sin(angle)
        matrix = turn @ matrix
    return matrix


def chosen(points: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The `points` `(point, 3)` at an `index` `(chosen,)`, as `Grid.points` lays them out."""
    return points.T.take(index, axis=1).T


def moved(points: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """`points` `(point, 3)` by a linear map and an offset, in single precision: half of the memory to go through."""
    # Coordinate by coordinate: products of matrices as long as this and three columns wide are six times slower.
    result = matrix.astype(np.float32) @ points.T.astype(np.float32, copy=False)
    result += offset.astype(np.float32)[:, None]
    return result.T


def lengths(vectors: np.ndarray) -> np.ndarray:
    """Euclidean lengths of `vectors` `(vector, 3)`; several times faster here than NumPy's norm."""
    return np.sqrt(np.square(vectors.T).sum(axis=0))


def interpolate(volumes: Sequence[np.ndarray], index: np.ndarray) -> list[np.ndarray]:
    """Trilinear interpolation; less than half of the time of SciPy's, which works in double precision.

    Args:
        volumes: contiguous float32 `(x, y, z)`, all of one shape.
        index: fractional indices `(point, 3)`, each from 0 to below its size less 1.

    Returns:
        Float32 `(point,)` for each volume.
    """
    index = index.astype(np.float32, copy=False)
    # Not rounded down: rounding may leave a wrapped position just below 0.
    towards_zero = np.trunc(index)
    x, y, z = (index - towards_zero).T
    # Indices of any other type would be converted by each `take`.
    whole = towards_zero.astype(np.intp)
    _, rows, columns = volumes[0].shape
    corner = (whole[:, 0] * rows + whole[:, 1]) * columns + whole[:, 2]

    def between(low: np.ndarray, high: np.ndarray, fraction: np.ndarray) -> np.ndarray:
        high -= low
        high *= fraction
        low += high
        return low

    def along_z(values: np.ndarray, offset: int) -> np.ndarray:
        return between(values[offset:].take(corner), values[offset + 1 :].take(corner), z)

    def along_y(values: np.ndarray, offset: int) -> np.ndarray:
        return between(along_z(values, offset), along_z(values, offset + columns), y)

    flat = (volume.reshape(-1) for volume in volumes)
    return [between(along_y(values, 0), along_y(values, rows * columns), x) for values in flat]


def _sample(texture: np.ndarray, positions: np.ndarray) -> np.ndarray:
    # By hand: np.mod is many times slower.
    whole = np.floor(positions * np.float32(1 / _SIZE))
    whole *= -_SIZE
    whole += positions
    return interpolate([texture], whole)[0]


def _wrapped(texture: np.ndarray) -> np.ndarray:
    """`texture` with its first planes repeated at the end, so that positions up to its size can be interpolated."""
    return np.pad(texture.astype(np.float32), (0, 2), mode="wrap")


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
        return _sample(_smooth_texture(), moved(points, self.to_texture, self.offset))


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
        distance = _sample(_sheet_texture(), moved(points, self.to_texture, self.offset))
        return np.abs(distance) * np.float32(self.voxel)
