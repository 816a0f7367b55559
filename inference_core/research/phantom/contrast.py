"""T1 and FLAIR of a simulated patient: intensities of tissue and tumour, lesions, texture and receive bias."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from inference_core.research.phantom.anatomy import Tissue
from inference_core.research.phantom.fields import Field
from inference_core.research.phantom.tumour import Zones

#: Of varied patients, the share whose contrast is not the usual one, and whose FLAIR is a T2.
_UNUSUAL, _T2 = 0.4, 0.12


@dataclass(frozen=True)
class Spot:
    """A round change: `amount` at its `centre` (LPS mm), about half of it at `radius` mm."""

    centre: np.ndarray
    radius: float
    amount: float

    @property
    def reach(self) -> float:
        """Distance from the centre beyond which nothing changes, mm."""
        return 2.2 * self.radius

    def profile(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the `points` `(point, 3)` that the spot reaches, and its profile there, 0..1."""
        # Axis by axis: a spot reaches few of the points.
        near = np.flatnonzero(np.abs(points[:, 0] - self.centre[0]) < self.reach)
        for axis in (1, 2):
            near = near[np.abs(points[near, axis] - self.centre[axis]) < self.reach]
        squared = ((points[near] - self.centre) ** 2).sum(axis=1) / self.radius**2
        return near, np.exp(-np.log(2) * squared**1.5).astype(np.float32)


def reached(points: np.ndarray, spots: Iterable[Spot]) -> Iterator[tuple[Spot, np.ndarray, np.ndarray]]:
    """The `spots` that reach any of the `points`, with `Spot.profile` of each."""
    # Column by column: NumPy is slow at reducing the long axis of a narrow array.
    low = np.array([points[:, axis].min() for axis in range(3)])
    high = np.array([points[:, axis].max() for axis in range(3)])
    for spot in spots:
        if np.all(spot.centre > low - spot.reach) and np.all(spot.centre < high + spot.reach):
            yield spot, *spot.profile(points)


@dataclass(frozen=True)
class Contrast:
    """What one sequence shows, relative to its brightest normal tissue.

    Attributes:
        csf, gm, wm: normal tissue.
        necrosis, rim: of the tumour.
        oedema: added to normal tissue.
        rim_texture: how patchy the rim is.
        patches: where.
        spots: lesions without metabolic counterpart, in `amount` of intensity.
        texture: amplitude and field, relative.
        bias: amplitude and field of the logarithm.
        detail: which of `Tissue.details` is this sequence's, and how strongly it shows.
        noise: standard deviation in both channels of the complex image.
        blur: Gaussian sigma, mm.
    """

    csf: float
    gm: float
    wm: float
    necrosis: float
    rim: float
    oedema: float
    rim_texture: float
    patches: Field
    spots: tuple[Spot, ...]
    texture: tuple[float, Field]
    bias: tuple[float, Field]
    detail: tuple[int, float]
    noise: float
    blur: float

    @classmethod
    def _draw(cls, rng: np.random.Generator, sequence: int, **intensities) -> "Contrast":
        return cls(
            # Spawned, so that what is drawn after stays the same.
            detail=(sequence, float(rng.spawn(1)[0].uniform(0.2, 1.2))),
            rim_texture=rng.uniform(0.05, 0.3),
            patches=Field.draw(rng, rng.uniform(2.5, 5)),
            texture=(rng.uniform(0.005, 0.04), Field.draw(rng, rng.uniform(1.2, 2.5))),
            bias=(rng.uniform(0.02, 0.15), Field.draw(rng, rng.uniform(50, 90))),
            noise=rng.uniform(0.005, 0.035),
            blur=float(rng.choice([0.0, rng.uniform(0.3, 0.9)])),
            **intensities,
        )

    @classmethod
    def draw_t1(
        cls, rng: np.random.Generator, spots: tuple[Spot, ...], unusual: np.random.Generator | None = None
    ) -> "Contrast":
        """T1-weighted, with contrast agent in about half of the patients.

        With `unusual` numbers, grey matter may be as dark as in MP2RAGE or nearly as bright as white matter.
        """
        enhanced = rng.random() < 0.55
        gm = rng.uniform(0.55, 0.85)
        if unusual and unusual.random() < _UNUSUAL:
            gm = unusual.uniform(0.35, 0.95)
        return cls._draw(
            rng,
            0,
            csf=rng.uniform(0.1, 0.6) * gm,
            gm=gm,
            wm=1.0,
            necrosis=rng.uniform(0.25, 0.6) * gm,
            rim=rng.uniform(1.0, 1.7) if enhanced else rng.uniform(0.6, 1.0) * gm,
            oedema=-rng.uniform(0.0, 0.3) * gm,
            spots=spots,
        )

    @classmethod
    def draw_flair(
        cls, rng: np.random.Generator, spots: tuple[Spot, ...], unusual: np.random.Generator | None = None
    ) -> "Contrast":
        """FLAIR: dark CSF, grey brighter than white matter, bright oedema.

        With `unusual` numbers, some are T2, with bright CSF, and some show less or other contrast.
        """
        csf, wm = rng.uniform(0.03, 0.25), rng.uniform(0.65, 0.93)
        if unusual:
            if unusual.random() < _T2:
                csf, wm = unusual.uniform(1.3, 2.5), unusual.uniform(0.6, 0.9)
            elif unusual.random() < _UNUSUAL:
                csf, wm = unusual.uniform(0.02, 0.5), unusual.uniform(0.5, 1.1)
        return cls._draw(
            rng,
            1,
            csf=csf,
            gm=1.0,
            wm=wm,
            necrosis=rng.uniform(0.25, 1.2),
            rim=rng.uniform(0.85, 1.5),
            oedema=rng.uniform(0.25, 0.95),
            spots=spots,
        )

    def signal(self, points: np.ndarray, tissue: Tissue, zones: Zones) -> np.ndarray:
        """Noise-free signal at `points` `(point, 3)`, `(point,)`, 0 outside the brain."""
        normal = self.csf * tissue.csf + self.gm * tissue.gm + self.wm * tissue.wm
        if tissue.details:
            sequence, amount = self.detail
            normal *= np.exp(amount * tissue.details[sequence])
        normal += self.oedema * zones.oedema * (1 - tissue.csf)
        for spot, near, profile in reached(points, self.spots):
            normal[near] += spot.amount * profile * (1 - tissue.csf[near])
        left = 1 - zones.necrosis - zones.rim
        signal = left * normal + self.necrosis * zones.necrosis
        ill = np.flatnonzero(zones.rim > 1e-3)
        signal[ill] += self.rim * zones.rim[ill] * (1 + self.rim_texture * self.patches(points[ill]))
        amplitude, field = self.texture
        signal *= 1 + amplitude * field(points)
        amplitude, field = self.bias
        return np.maximum(signal, 0) * np.exp(amplitude * field(points)) * tissue.brain

    def measure(self, signal: np.ndarray, spacing: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
        """Magnitude image of `signal` with blur and Rician noise, still 0 outside the brain.

        Args:
            signal: `(..., row, column)`.
            spacing: mm between rows and between columns.
            rng: source of the noise.
        """
        from scipy.ndimage import gaussian_filter1d

        outside = signal == 0
        if self.blur:
            for axis, size in zip((-2, -1), spacing, strict=True):
                signal = gaussian_filter1d(signal, self.blur / size, axis=axis, truncate=3)
        real, imaginary = np.float32(self.noise) * rng.standard_normal((2, *signal.shape), dtype=np.float32)
        measured = np.hypot(signal + real, imaginary)
        measured[outside] = 0
        return measured.astype(np.float32, copy=False)
