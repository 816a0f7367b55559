"""How a simulated patient is measured: the grids, the maps' noise and the quality filter."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from inference_core.errors import InputError
from inference_core.research.phantom.fields import Field, rotation
from inference_core.terms.conditions import METABOLITES, MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX


@dataclass(frozen=True)
class Grid:
    """A grid of voxels in head coordinates, LPS.

    Attributes:
        origin: `(x, y, z)` of the first voxel's centre, mm.
        spacing: voxel size along column, row and slice index, mm.
        direction: `(3, 3)`; its columns are the directions of increasing column, row and slice index.
        size: number of columns, rows and slices.
    """

    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    direction: tuple[tuple[float, float, float], ...]
    size: tuple[int, int, int]

    @property
    def to_head(self) -> np.ndarray:
        """`(3, 3)`, from column, row and slice index to mm."""
        return np.array(self.direction) * np.array(self.spacing)

    def points(self, slices: np.ndarray | None = None, offset: float = 0.0) -> np.ndarray:
        """Centres of the voxels of some slices (all if None), `(slice, row, column, 3)`, mm.

        In memory, each coordinate of all voxels comes before the next: what works on them is several times faster.
        `offset` shifts the row and column indices.
        """
        slices = np.arange(self.size[2]) if slices is None else np.asarray(slices)
        columns, rows = np.arange(self.size[0]) + offset, np.arange(self.size[1]) + offset
        along_x, along_y, along_z = (along[:, None, None, None] for along in self.to_head.T)
        points = (
            np.asarray(self.origin)[:, None, None, None]
            + slices[:, None, None] * along_z
            + rows[:, None] * along_y
            + columns * along_x
        )
        return np.moveaxis(points, 0, -1)

    def refined(self) -> "Grid":
        """Grid of the T1 and FLAIR behind this one: sub-voxel 3 i + 1 lies at the centre of voxel i, on each axis."""
        fine = np.array(self.spacing) / MRI_UPSAMPLING
        origin = np.array(self.origin) - np.array(self.direction) @ fine
        return Grid(tuple(origin), tuple(fine), self.direction, tuple(MRI_UPSAMPLING * size for size in self.size))

    def corners(self) -> np.ndarray:
        """The eight outer corners of the volume, `(8, 3)`, mm."""
        index = np.array(list(product(*((-0.5, size - 0.5) for size in self.size))))
        return np.asarray(self.origin) + index @ self.to_head.T


def _as_tuples(matrix: np.ndarray) -> tuple[tuple[float, float, float], ...]:
    return tuple(tuple(float(value) for value in row) for row in matrix)


def draw_mrsi_grid(rng: np.random.Generator, centre: np.ndarray, length: float, varied: bool = False) -> Grid:
    """A random MRSI grid of 64 x 64 voxels a slice, near-axial, around `centre` (mm).

    After the 64 x 64 acquisitions at 7 T of the paper's data: 3.4 mm voxels are common, 2.8 to 4.2 mm occur.

    Args:
        rng: source of randomness.
        centre: middle of the slab, mm.
        length: front-to-back length of the brain, which must fit, mm.
        varied: whether voxels may be 2 to 5 mm; the finest do not cover the brain, as where only a part is excited.
    """
    voxel = 3.4 if rng.random() < 0.4 else rng.uniform(2.8, 4.2)
    voxel = float(np.clip(voxel, (length + 10) / SUPER_RESOLVED_MATRIX, 4.2))
    # Spawned, so that what is drawn after stays the same.
    unusual = rng.spawn(1)[0]
    if varied and unusual.random() < _UNUSUAL:
        voxel = float(unusual.uniform(2.0, 5.0))
    thickness = voxel * (1.0 if rng.random() < 0.6 else rng.uniform(0.9, 1.4))
    slices = int(rng.integers(11, 19))
    tilt = np.deg2rad([np.clip(rng.normal(4, 7), -20, 20), *np.clip(rng.normal(0, 2.5, 2), -8, 8)])
    flips = [-1.0 if rng.random() < chance else 1.0 for chance in (0.15, 0.15, 0.1)]
    direction = rotation(tilt) @ np.diag(flips)
    spacing = np.array([voxel, voxel, thickness])
    size = np.array([SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX, slices])
    origin = centre + rng.uniform(-2, 2, 3) - (direction * spacing) @ ((size - 1) / 2)
    return Grid(tuple(map(float, origin)), tuple(map(float, spacing)), _as_tuples(direction), tuple(map(int, size)))


#: Of varied patients, the share whose voxels may be much finer or coarser than the paper's, and whose noise is higher,
#: up to a factor.
_UNUSUAL, _NOISY, _HIGHEST_NOISE = 0.3, 0.4, 2.0


@dataclass(frozen=True)
class Frame:
    """Orientation and voxel size of an MRI volume that has a grid of its own.

    Attributes:
        direction: `(3, 3)`, as in `Grid`.
        spacing: mm, as in `Grid`.
    """

    direction: np.ndarray
    spacing: tuple[float, float, float]

    def cover(self, volume: Grid) -> Grid:
        """The grid in this frame that covers `volume` and a margin of a few mm around it."""
        margin = 4.0 + max(self.spacing)
        corners = volume.corners() @ self.direction
        low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
        size = np.ceil((high - low) / self.spacing).astype(int)
        origin = self.direction @ (low + np.array(self.spacing) / 2)
        return Grid(tuple(map(float, origin)), self.spacing, _as_tuples(self.direction), tuple(map(int, size)))


#: Noise of the 64 x 64 maps: range of its standard deviation relative to the level in grey and white matter. Follows
#: the order of the Cramer-Rao bounds that 7 T FID-MRSI reports: lowest for the singlets, highest for Gly and Gln
#: (approximately after Hingerl et al. 2020, Invest Radiol 55:239; Hangel et al. 2020, NeuroImage Clin 28:102433). Their
#: size is held against the paper's Table 1: networks reach 30.8 dB PSNR against ground truth that is noisy itself,
#: an error of 3 % of a map's range over the field of view and 5 % in the brain, that noise alone can't exceed.
_NOISE = {
    "tCho": (0.02, 0.05),
    "tCr": (0.02, 0.045),
    "NAA": (0.02, 0.045),
    "Gly": (0.06, 0.12),
    "Gln": (0.05, 0.09),
    "Glu": (0.03, 0.06),
    "Ins": (0.035, 0.07),
}

#: Range of the share of brain voxels that the quality filter rejects.
_REJECTED = {
    "tCho": (0.005, 0.06),
    "tCr": (0.005, 0.06),
    "NAA": (0.005, 0.06),
    "Gly": (0.06, 0.28),
    "Gln": (0.03, 0.18),
    "Glu": (0.01, 0.08),
    "Ins": (0.01, 0.12),
}


@dataclass(frozen=True)
class Scanner:
    """How sharp and how noisy maps are beside the paper's data, which come from 7 T.

    Attributes:
        point_spread: as `Measurement`.
        noise_factor: on the noise of the 64 x 64 maps.

    Raises:
        InputError: for values that can't be.
    """

    point_spread: float = 0.0
    noise_factor: float = 1.0

    def __post_init__(self):
        """Refuse what can't be."""
        if not 0 <= self.point_spread <= 16:
            raise InputError(f"A point spread of {self.point_spread:g} voxels is not from 0 to 16.")
        if not 0 <= self.noise_factor <= 100:
            raise InputError(f"A factor of {self.noise_factor:g} on the noise is not from 0 to 100.")

    @classmethod
    def draw(cls, seed: int) -> "Scanner":
        """One of many: from the paper's up to a point spread of 3 voxels and eight times the noise."""
        rng = np.random.default_rng([seed, _SCANNER])
        sharp = rng.random() < 0.25
        return cls(0.0 if sharp else float(rng.uniform(0.4, 3.0)), float(np.exp(rng.uniform(0, np.log(8)))))


#: The stream of random numbers that draws scanners.
_SCANNER = 17


@dataclass(frozen=True)
class Measurement:
    """Noise and quality filter of one patient's maps.

    Attributes:
        noise: `(metabolite,)`, standard deviation in institutional units.
        rejected: `(metabolite,)`, share of brain voxels rejected by the quality filter, about.
        shimming: where the field is inhomogeneous, hence noise high and quality low.
        quality: one field a metabolite, on top.
        base: height in the template, mm, below which the skull base spoils quality.
        csf_penalty: how much less likely CSF is to pass.
        erosion: mm of the brain's surface that do not pass.
        point_spread: full width at half maximum of what the truth is seen through, in voxels of the maps; 0 for none.
    """

    noise: np.ndarray
    rejected: np.ndarray
    shimming: Field
    quality: tuple[Field, ...]
    base: float
    csf_penalty: float
    erosion: float
    point_spread: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, levels: np.ndarray, varied: bool = False) -> "Measurement":
        """A random measurement of maps with typical `levels` `(metabolite,)` in institutional units.

        `varied` ones may have up to twice the noise, as at lower field or in shorter scans.
        """
        factor = np.exp(rng.normal(0, 0.2))
        # Spawned, so that what is drawn after stays the same.
        unusual = rng.spawn(1)[0]
        if varied and unusual.random() < _NOISY:
            factor *= unusual.uniform(1, _HIGHEST_NOISE)
        return cls(
            noise=levels * factor * np.array([rng.uniform(*_NOISE[name]) for name in METABOLITES]),
            rejected=np.array([rng.uniform(*_REJECTED[name]) for name in METABOLITES]),
            shimming=Field.draw(rng, rng.uniform(12, 22)),
            quality=tuple(Field.draw(rng, rng.uniform(3.5, 8)) for _ in METABOLITES),
            base=rng.uniform(-12, 4),
            csf_penalty=rng.uniform(0, 1.5),
            erosion=float(rng.choice([0.0, 0.0, rng.uniform(1, 5)])),
        )

    def inhomogeneity(self, points: np.ndarray, height: np.ndarray, front: np.ndarray) -> np.ndarray:
        """Local field inhomogeneity, about 0 +- 1 and higher above the frontal sinus and the ear canals, `(point,)`."""
        sinus = np.clip((self.base + 10 - height) / 12, 0, 2) * np.clip((front + 10) / 40, 0.3, 1.5)
        return 0.6 * self.shimming(points) + sinus

    def on(self, scanner: "Scanner") -> "Measurement":
        """The same measurement on another scanner."""
        return replace(self, noise=self.noise * scanner.noise_factor, point_spread=scanner.point_spread)

    def seen(self, truth: np.ndarray) -> np.ndarray:
        """What the scanner can show of a truth at most, `(metabolite, row, column)`: it, through the point spread."""
        if not self.point_spread:
            return truth
        from scipy.ndimage import gaussian_filter

        sigma = self.point_spread / (2 * np.sqrt(2 * np.log(2)))
        return gaussian_filter(truth, (0, sigma, sigma))

    def acquire(self, truth: np.ndarray, inhomogeneity: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """`truth` with noise, never negative: fitted concentrations are not.

        Args:
            truth: `(metabolite, row, column)`.
            inhomogeneity: `(row, column)`.
            normal: standard normal noise, `(metabolite, row, column)`.
        """
        amplified = self.noise[:, None, None] * np.exp(0.15 * inhomogeneity)
        return np.maximum(truth + amplified * normal, 0)

    def passes(self, points: np.ndarray, inhomogeneity: np.ndarray, csf: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """Which voxels the SNR, FWHM and CRLB filter lets through, `(metabolite, point)`.

        Args:
            points: `(point, 3)`, mm.
            inhomogeneity: `(point,)`.
            csf: CSF fraction, `(point,)`.
            normal: standard normal noise of the fits themselves, `(metabolite, point)`.
        """
        from scipy.special import ndtri

        badness = np.stack([field(points) for field in self.quality]) * 0.75 + 0.35 * normal
        badness += 0.55 * inhomogeneity + self.csf_penalty * csf
        return badness < -ndtri(self.rejected)[:, None] * 0.97
