"""Matching the network's detail to the data: how much of it a map's own measured k-space confirms.

The network's proposal cannot be judged inside the measured k-space: its training replaced it there, so that it is free
there. It can be judged where k-space was measured but held back from it (`held_back`): there, the measured coefficients
are regressed on the proposed ones, inside the brain, by

    gain(r) = amplitude exp(-fall_off r^2)

for the distance r from k-space's centre. A fall-off is what a point spread wider than the network's leaves. What was
learned there is extrapolated to the k-space that was not measured.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference_core.inference.held_back import HeldBack, in_image
from inference_core.inference.rings import RADIUS
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

if TYPE_CHECKING:
    from inference_core.inference.noise_consistency import NoiseWeights

#: Width of a ring, in steps of the super-resolved map's k-space.
_RING = 1.5
#: Fall-offs that are tried: none, and a Gaussian point spread of about 1 to 8 voxels.
_FALL_OFFS = np.concatenate([[0.0], np.geomspace(3e-4, 6e-2, 40)])
#: A fall-off below this over (n / 2)^2 says nothing: the network trusts itself less the further it extrapolates.
_NO_FALL_OFF = 0.6
#: Mean and standard deviation of the amplitude, before anything was measured: it may be anything from 0 to 1.
_EXPECTED, _DEVIATION = 0.5, 0.5


@dataclass(frozen=True)
class DetailMatch:
    """What the detail that the network adds to a map is multiplied by.

    Attributes:
        amplitude: at the centre of k-space, 0 to 1.
        fall_off: of the Gaussian over k-space, per squared step.
        borne_out: the factor that fits the held-back k-space best, 0 to 1: how much of the proposed detail was there.
        noise: how the measured k-space moves within its noise, or None where it is kept.
    """

    amplitude: float
    fall_off: float
    borne_out: float
    noise: "NoiseWeights | None" = None

    @property
    def point_spread(self) -> float:
        """Full width at half maximum of the Gaussian in the map, in super-resolved voxels; 0 for none."""
        sigma = SUPER_RESOLVED_MATRIX * np.sqrt(2 * self.fall_off) / (2 * np.pi)
        return float(2 * np.sqrt(2 * np.log(2)) * sigma)

    def gain(self) -> np.ndarray:
        """The factor at each coefficient of the super-resolved map's centred k-space, `(64, 64)` float32."""
        return (self.amplitude * np.exp(-self.fall_off * RADIUS**2)).astype(np.float32)


#: Where nothing was measured that could tell.
UNMATCHED = DetailMatch(1.0, 0.0, 1.0)
#: Leaves nothing of the detail.
ZERO_FILLED = DetailMatch(0.0, 0.0, 0.0)


def match_detail(proposed: np.ndarray, held_back: HeldBack, slices: list[int]) -> DetailMatch:
    """How much of the proposed detail the held-back k-space confirms.

    Args:
        proposed: what the network proposes for `held_back.prepared`, `(slice, 64, 64)`, in the map's units.
        held_back: what was held back from it.
        slices: which slices of `held_back` these are.
    """
    rings = np.floor(RADIUS / _RING).astype(int)
    numbers = np.unique(rings[held_back.region])
    weight = held_back.brain[slices]
    bands = np.stack(
        [(in_image(proposed, held_back.region & (rings == number)) * weight).ravel() for number in numbers]
    )
    measured = (held_back.detail[slices] * weight).ravel()
    radii = np.array([RADIUS[held_back.region & (rings == number)].mean() for number in numbers])
    products, shares = bands @ bands.T, bands @ measured
    total = float(measured @ measured)

    def best(fall_off: float) -> tuple[float, float, float]:
        """The amplitude that fits best, how much energy is proposed, and what of the measured remains unexplained."""
        shape = np.exp(-fall_off * radii**2)
        energy, common = float(shape @ products @ shape), float(shape @ shares)
        amplitude = common / energy if energy > 0 else 0.0
        possible = np.clip(amplitude, 0, 1)
        return amplitude, energy, total - 2 * possible * common + possible**2 * energy

    if total == 0 or not np.any(bands):
        return UNMATCHED
    fitted = min(_FALL_OFFS, key=lambda fall_off: best(fall_off)[2])
    n = math.sqrt(held_back.matrix[0] * held_back.matrix[1])
    fall_off = max(0.0, float(fitted) - _NO_FALL_OFF / (n / 2) ** 2)
    borne_out, energy, left = best(fall_off)
    # The fewer voxels, the less certain is the share: it is averaged with what was expected before, by precision,
    # and one standard error is taken off. Detail that may not be there does more harm than missing detail.
    voxels = held_back.region.sum() * weight.sum() / SUPER_RESOLVED_MATRIX**2
    precision = energy / max(left / max(voxels, 1.0), 1e-30)
    before = 1 / _DEVIATION**2
    mean = (precision * borne_out + before * _EXPECTED) / (precision + before)
    amplitude = float(np.clip(mean - (precision + before) ** -0.5, 0, 1))
    # With all of the measured k-space the network does better than with less of it: that share nearer to 1.
    return DetailMatch(amplitude + amplitude * (1 - amplitude), fall_off, float(np.clip(borne_out, 0, 1)))
