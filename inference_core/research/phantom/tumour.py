"""High-grade glioma: a necrotic core, a viable rim and infiltrating oedema, as functions of head coordinates."""

from dataclasses import dataclass

import numpy as np

from inference_core.research.phantom.anatomy import Push
from inference_core.research.phantom.fields import Field, chosen, lengths, random_rotation


def _soft_step(distance: np.ndarray, width: float) -> np.ndarray:
    """1 where `distance` is well below 0, 0 well above, over about `width` mm."""
    return 1 / (1 + np.exp(np.clip(4 * distance / width, -30, 30)))


@dataclass(frozen=True)
class Zones:
    """Fractions of the tumour's parts at some points, all `(point,)` float32, 0..1.

    Attributes:
        necrosis, rim: replace normal tissue.
        oedema: of what is left, as MRI shows it.
        infiltration: of what is left, as metabolism shows it: it may reach beyond the oedema, or stop short.
    """

    necrosis: np.ndarray
    rim: np.ndarray
    oedema: np.ndarray
    infiltration: np.ndarray

    @classmethod
    def none(cls, count: int) -> "Zones":
        """No tumour at `count` points."""
        return cls(*(np.zeros(count, dtype=np.float32) for _ in range(4)))

    def __or__(self, other: "Zones") -> "Zones":
        """Both tumours: where they overlap, the second grows in what the first has left."""
        left = 1 - self.necrosis - self.rim
        return Zones(
            self.necrosis + left * other.necrosis,
            self.rim + left * other.rim,
            np.maximum(self.oedema, other.oedema),
            np.maximum(self.infiltration, other.infiltration),
        )


@dataclass(frozen=True)
class Tumour:
    """One glioma.

    Attributes:
        centre: `(3,)`, LPS mm.
        shape: `(3, 3)`, mm to mm of effective radius; makes an ellipsoid.
        necrosis: radius of the necrotic core, mm; at or below 0 for none.
        radius: outer radius of the rim, mm.
        oedema: outer radius of the oedema, mm.
        infiltration: outer radius of the metabolic change, mm.
        irregularity: mm by which `coarse` and `fine` displace the outlines.
        coarse, fine: fields.
        core_shift: field that makes the core's outline its own.
        white_preference: how strictly oedema follows white matter, 0..1.
        edge: width of the rim's border, mm.
    """

    centre: np.ndarray
    shape: np.ndarray
    necrosis: float
    radius: float
    oedema: float
    infiltration: float
    irregularity: float
    coarse: Field
    fine: Field
    core_shift: Field
    white_preference: float
    edge: float

    @classmethod
    def draw(cls, rng: np.random.Generator, centre: np.ndarray, largest: float = 24.0) -> "Tumour":
        """A random tumour around `centre` (mm), with a rim of at most `largest` mm radius."""
        radius = float(rng.uniform(6, largest))
        rim = rng.uniform(3.0, 8.0)
        elongation = np.exp(rng.normal(0, 0.2, 3))
        shape = random_rotation(rng).T @ np.diag(elongation / np.cbrt(elongation.prod())) @ random_rotation(rng)
        oedema = radius + rng.uniform(2, 20)
        return cls(
            centre=np.asarray(centre, dtype=float),
            shape=shape,
            # A sixth of the tumours have no necrosis, like low-grade ones.
            necrosis=float(radius - rim) if rng.random() > 1 / 6 else -10.0,
            radius=radius,
            oedema=float(oedema),
            infiltration=float(radius + rng.uniform(0.1, 1.1) * (oedema - radius) + rng.uniform(0, 4)),
            irregularity=float(rng.uniform(0.08, 0.22) * radius + 0.6),
            coarse=Field.draw(rng, rng.uniform(8, 14)),
            fine=Field.draw(rng, rng.uniform(3, 5)),
            core_shift=Field.draw(rng, rng.uniform(4, 8)),
            white_preference=float(rng.uniform(0.4, 1.0)),
            edge=float(rng.uniform(1.0, 3.0)),
        )

    @property
    def push(self) -> Push:
        """The tumour's mass effect."""
        return Push(self.centre, self.radius * 1.1, 0.22 * self.radius)

    def zones(self, points: np.ndarray, white: np.ndarray, csf: np.ndarray) -> Zones:
        """The tumour's parts at `points` `(point, 3)`, mm.

        Args:
            points: head coordinates.
            white: white-matter probability, `(point,)`.
            csf: CSF fraction, which stops infiltration but not the solid tumour, `(point,)`.
        """
        zones = Zones.none(len(points))
        reach = (max(self.oedema, self.infiltration) + 4 * self.irregularity + 6) * 1.8
        away = points - self.centre.astype(points.dtype)
        near = np.flatnonzero(lengths(away) < reach)
        if near.size == 0:
            return zones
        here = chosen(points, near)
        distance = lengths((self.shape.astype(points.dtype) @ chosen(away, near).T).T)
        uneven = self.irregularity * (0.8 * self.coarse(here) + 0.45 * self.fine(here))
        solid = _soft_step(distance + uneven - self.radius, self.edge)
        core = _soft_step(distance + uneven + 1.2 * self.core_shift(here) - self.necrosis, 1.5)
        core = np.minimum(core, solid)
        # Oedema spreads along white matter: elsewhere it counts as lying further out.
        detour = self.white_preference * (1 - white[near]) * 0.7 * (self.oedema - self.radius + 3)
        spread = distance + 2.2 * uneven + detour
        wet = 1 - csf[near]
        zones.necrosis[near] = core
        zones.rim[near] = solid - core
        zones.oedema[near] = _soft_step(spread - self.oedema, 4.0) * wet
        # Infiltration thins out where oedema ends abruptly.
        zones.infiltration[near] = _soft_step(spread - self.infiltration, 9.0) * wet
        return zones
