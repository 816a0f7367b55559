"""Concentrations of the seven metabolites, as functions of head coordinates.

Levels in healthy tissue, in mM, are approximately after Pouwels and Frahm 1998 (Magn Reson Med 39:53; quantitative
regional 1H MRS) and de Graaf, *In Vivo NMR Spectroscopy* (Wiley): similar NAA in grey and white matter, more tCr,
Glu and Gln in grey matter, more tCho in white matter. The ratios agree in kind with 7 T FID-MRSI maps (Hingerl et
al. 2020, Invest Radiol 55:239). Glycine, which longer echo times at lower field hide beneath Ins, is set to about 1 mM.

Changes in high-grade glioma are approximately after 7 T FID-MRSI (Hangel et al. 2020, NeuroImage Clin 28:102433):
tCho, Gly and Gln raised, NAA lowered strongly, tCr and Glu mildly, Ins raised around the tumour and variable in it.
The numbers are ranges to draw from, wider than any one study, not measurements.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from inference_core.research.phantom.anatomy import Tissue
from inference_core.research.phantom.contrast import Spot, reached
from inference_core.research.phantom.fields import Field
from inference_core.research.phantom.tumour import Zones
from inference_core.terms.conditions import METABOLITES


@dataclass(frozen=True)
class _Behaviour:
    """How one metabolite varies.

    Attributes:
        gm, wm: levels, mM.
        rim, infiltration, necrosis: ranges of the factor on the mean level.
        gradient: range of the relative change from the back to the front of the brain.
        coarse, fine: amplitudes of the smooth and the local variation.
        grain: range of the local variation's correlation length, mm.
    """

    gm: float
    wm: float
    rim: tuple[float, float]
    infiltration: tuple[float, float]
    necrosis: tuple[float, float]
    gradient: tuple[float, float]
    coarse: float
    fine: float
    grain: tuple[float, float]


_BEHAVIOUR = {
    "tCho": _Behaviour(1.3, 1.6, (1.5, 3.0), (1.05, 1.6), (0.1, 0.7), (0.1, 0.5), 0.08, 0.07, (5, 8)),
    "tCr": _Behaviour(7.0, 5.6, (0.5, 0.9), (0.8, 1.0), (0.05, 0.35), (-0.2, 0.1), 0.06, 0.05, (5, 8)),
    "NAA": _Behaviour(8.9, 7.9, (0.1, 0.45), (0.55, 0.9), (0.03, 0.2), (-0.2, 0.2), 0.06, 0.05, (4, 8)),
    "Gly": _Behaviour(1.1, 0.8, (2.0, 5.0), (1.1, 2.0), (0.3, 1.3), (-0.2, 0.2), 0.15, 0.06, (9, 16)),
    "Gln": _Behaviour(3.3, 2.0, (1.4, 3.0), (1.05, 1.7), (0.2, 0.9), (-0.15, 0.25), 0.10, 0.08, (4, 8)),
    "Glu": _Behaviour(9.0, 6.2, (0.35, 0.8), (0.65, 1.0), (0.1, 0.4), (-0.2, 0.1), 0.07, 0.05, (4, 7)),
    "Ins": _Behaviour(4.7, 4.0, (0.5, 1.8), (1.1, 1.9), (0.1, 0.6), (-0.3, 0.3), 0.12, 0.07, (6, 10)),
}

#: Factors on the level in the middle of lesions that MRI shows, as ranges to draw from: in MS, NAA falls and Ins rises;
#: an infarct loses all of them, NAA most.
_LESIONS = {
    "ms": {"tCho": (0.9, 1.3), "tCr": (0.8, 1.1), "NAA": (0.5, 0.95), "Gly": (0.8, 1.3), "Gln": (0.8, 1.2),
           "Glu": (0.6, 1.0), "Ins": (1.0, 1.6)},
    "stroke": {"tCho": (0.4, 1.0), "tCr": (0.2, 0.7), "NAA": (0.05, 0.5), "Gly": (0.3, 1.0), "Gln": (0.3, 1.2),
               "Glu": (0.1, 0.6), "Ins": (0.3, 1.0)},
}  # fmt: skip

#: What raises and lowers metabolites together in spots that look like a tumour.
_TUMOUR_SIGN = {"tCho": 1, "tCr": -1, "NAA": -1, "Gly": 1, "Gln": 1, "Glu": -1, "Ins": 1}


@dataclass(frozen=True)
class Mixture:
    """What metabolites are in, at some points or on average in some voxels; all `(point,)`.

    Attributes:
        gm, wm, csf: fractions of the whole volume outside the solid tumour.
        infiltrated_gm, infiltrated_wm: the infiltrated part of these.
        necrosis, rim: fractions of the whole volume.
        front: back-to-front template coordinate in mm.
    """

    gm: np.ndarray
    wm: np.ndarray
    csf: np.ndarray
    infiltrated_gm: np.ndarray
    infiltrated_wm: np.ndarray
    necrosis: np.ndarray
    rim: np.ndarray
    front: np.ndarray

    @classmethod
    def of(cls, tissue: Tissue, zones: Zones) -> "Mixture":
        """At the points of tissue and tumour."""
        left = tissue.brain * (1 - zones.necrosis - zones.rim)
        gm, wm = left * tissue.gm, left * tissue.wm
        return cls(
            gm=gm,
            wm=wm,
            csf=left * tissue.csf,
            infiltrated_gm=gm * zones.infiltration,
            infiltrated_wm=wm * zones.infiltration,
            necrosis=tissue.brain * zones.necrosis,
            rim=tissue.brain * zones.rim,
            front=tissue.front,
        )

    def averaged(self, mean: Callable[[np.ndarray], np.ndarray], centre: Callable[[np.ndarray], np.ndarray]):
        """In voxels: the fractions by `mean`, the coordinate by what `centre` gives of it."""
        fractions = {name: mean(values) for name, values in vars(self).items() if name != "front"}
        return Mixture(**fractions, front=centre(self.front))


@dataclass(frozen=True)
class Metabolism:
    """One patient's concentrations, in institutional units.

    Attributes:
        gm, wm, csf: levels, `(metabolite,)`.
        rim, infiltration, necrosis: factors on the mean level, `(metabolite,)`.
        gradient: relative change per mm towards the front, `(metabolite,)`.
        coarse, fine: amplitudes and fields of the smooth and the local variation, one each a metabolite.
        patchiness: amplitude of the variation within the rim, `(metabolite,)`.
        reception: amplitude and field of what the coils add to all maps alike.
        spots: for each metabolite, the spots that MRI does not show, in relative `amount`.
        lesions: for each metabolite, its change in lesions that MRI shows, too.
    """

    gm: np.ndarray
    wm: np.ndarray
    csf: np.ndarray
    rim: np.ndarray
    infiltration: np.ndarray
    necrosis: np.ndarray
    gradient: np.ndarray
    coarse: tuple[tuple[float, Field], ...]
    fine: tuple[tuple[float, Field], ...]
    patchiness: np.ndarray
    reception: tuple[float, Field]
    spots: tuple[tuple[Spot, ...], ...]
    lesions: tuple[tuple[Spot, ...], ...] = ((),) * len(METABOLITES)

    @classmethod
    def draw(cls, rng: np.random.Generator, spots: tuple[tuple[Spot, ...], ...], varied: bool = False) -> "Metabolism":
        """A random patient's metabolism, with the given `spots` for each metabolite.

        Levels of grey and white matter and CSF of `varied` ones relate to each other in any way: what a network must
        read from the low-resolution map rather than know.
        """
        behaviours = [_BEHAVIOUR[name] for name in METABOLITES]
        count = len(behaviours)
        # Institutional units depend on the scanner: their scale means nothing.
        gain = np.exp(rng.uniform(np.log(0.3), np.log(6.0)))
        level = gain * np.exp(rng.normal(0, 0.12, count))
        ratio = np.exp(rng.normal(0, 0.07, count))
        # Spawned, so that what is drawn after stays the same.
        unusual = rng.spawn(1)[0]
        if varied:
            ratio *= np.exp(unusual.normal(0, unusual.choice([0.18, 0.4]), count))
        gm = level * ratio * [behaviour.gm for behaviour in behaviours]
        wm = level / ratio * [behaviour.wm for behaviour in behaviours]

        def factors(part: str) -> np.ndarray:
            return np.array([rng.uniform(*getattr(behaviour, part)) for behaviour in behaviours])

        return cls(
            gm=gm,
            wm=wm,
            csf=gm
            * (rng.uniform(0.02, 0.12, count) + (unusual.uniform(0, unusual.choice([0.15, 0.6])) if varied else 0.0)),
            rim=factors("rim"),
            infiltration=factors("infiltration"),
            necrosis=factors("necrosis"),
            gradient=factors("gradient") / 170.0,
            coarse=tuple(
                (behaviour.coarse * rng.uniform(0.5, 1.5), Field.draw(rng, rng.uniform(16, 40)))
                for behaviour in behaviours
            ),
            fine=tuple(
                (behaviour.fine * rng.uniform(0.5, 1.5), Field.draw(rng, rng.uniform(*behaviour.grain)))
                for behaviour in behaviours
            ),
            patchiness=rng.uniform(0.1, 0.35, count),
            reception=(rng.uniform(0.02, 0.08), Field.draw(rng, rng.uniform(50, 80))),
            spots=spots,
        )

    def with_small_spots(self) -> "Metabolism":
        """The same metabolism, whose MRI-occult spots have radii of 3 to 6 mm instead of up to 10.

        Of those a measurement shows the least, and an uncertainty has to hold there, too.
        """
        share = (_LARGEST_SMALL_SPOT - _SPOT_RADII[0]) / (_SPOT_RADII[1] - _SPOT_RADII[0])

        def small(spot: Spot) -> Spot:
            return replace(spot, radius=_SPOT_RADII[0] + share * (spot.radius - _SPOT_RADII[0]))

        return replace(self, spots=tuple(tuple(map(small, group)) for group in self.spots))

    @property
    def level(self) -> np.ndarray:
        """Mean of the grey- and white-matter levels, `(metabolite,)`, institutional units."""
        return (self.gm + self.wm) / 2

    def concentration(self, points: np.ndarray, mixture: Mixture) -> np.ndarray:
        """Concentrations at `points` `(point, 3)`, or in voxels around them: float32 `(metabolite, point)`.

        In a voxel, what varies smoothly is taken to be as in its centre.
        """
        amplitude, field = self.reception
        everywhere = np.exp(amplitude * field(points))
        ill = np.flatnonzero(mixture.rim > 1e-3)
        front = mixture.front + 18.0
        result = np.empty((len(METABOLITES), len(points)), dtype=np.float32)
        for index in range(len(METABOLITES)):
            gm, wm, change = self.gm[index], self.wm[index], self.infiltration[index] - 1
            value = gm * mixture.gm + wm * mixture.wm
            value += change * (gm * mixture.infiltrated_gm + wm * mixture.infiltrated_wm)
            variation = self.gradient[index] * front
            local = None
            for amplitude, field in (self.coarse[index], self.fine[index]):
                local = field(points)
                variation += amplitude * local
            value *= np.exp(variation)
            for spot, near, profile in reached(points, self.lesions[index]):
                value[near] *= 1 + spot.amount * profile
            for spot, near, profile in reached(points, self.spots[index]):
                # Half of a raised spot is independent of the tissue, so that it shows in all of it alike.
                base = value[near]
                if spot.amount > 0:
                    base = 0.5 * (base + self.level[index] * (mixture.gm[near] + mixture.wm[near]))
                value[near] += spot.amount * profile * base
            value += self.csf[index] * mixture.csf
            value += self.level[index] * self.necrosis[index] * mixture.necrosis
            patches = np.maximum(1 + self.patchiness[index] * local[ill], 0.2)
            value[ill] += self.level[index] * self.rim[index] * mixture.rim[ill] * patches
            result[index] = value * everywhere
        return result


def draw_lesions(rng: np.random.Generator, kind: str, lesions: tuple[Spot, ...]) -> tuple[tuple[Spot, ...], ...]:
    """What lesions that MRI shows do to each metabolite: of one patient, about the same in all lesions.

    Args:
        rng: source of all that is drawn.
        kind: "ms" or "stroke".
        lesions: where they are, and how large.
    """
    strengths = rng.uniform(0.6, 1.0, len(lesions))
    factors = [rng.uniform(*_LESIONS[kind][name]) for name in METABOLITES]
    return tuple(
        tuple(
            Spot(lesion.centre, lesion.radius, float(strength * (factor - 1)))
            for lesion, strength in zip(lesions, strengths, strict=True)
        )
        for factor in factors
    )


#: Radii of MRI-occult spots, mm, and the largest of small ones.
_SPOT_RADII, _LARGEST_SMALL_SPOT = (3.0, 10.0), 6.0


def draw_occult_spots(rng: np.random.Generator, centres: np.ndarray) -> tuple[tuple[Spot, ...], ...]:
    """Spots at the given `centres` `(spot, 3)` that only metabolism shows: for each metabolite, a tuple of spots.

    Some change one metabolite, some a few independently, and some all as a tumour does.
    """
    spots: list[list[Spot]] = [[] for _ in METABOLITES]
    for centre in centres:
        radius = float(rng.uniform(*_SPOT_RADII))
        kind = rng.random()
        if kind < 0.3:
            signs = {int(rng.integers(len(METABOLITES))): int(rng.choice([-1, 1]))}
        elif kind < 0.75:
            chosen = rng.choice(len(METABOLITES), size=int(rng.integers(2, 5)), replace=False)
            signs = {int(index): int(rng.choice([-1, 1])) for index in chosen}
        else:
            signs = {index: _TUMOUR_SIGN[name] for index, name in enumerate(METABOLITES) if rng.random() < 0.85}
        for index, sign in signs.items():
            amount = rng.uniform(0.4, 1.8) if sign > 0 else -rng.uniform(0.3, 0.8)
            spots[index].append(Spot(centre, radius, float(amount)))
    return tuple(tuple(group) for group in spots)
