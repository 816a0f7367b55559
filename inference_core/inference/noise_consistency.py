"""Data consistency that knows the noise: measured k-space moves towards the network's proposal, as far as noise goes.

Hard consistency keeps each measured coefficient, its noise included. Here, those of the outer k-space, where noise is
a larger share, move towards what the network proposes when they are held back from it (`held_back`), by James and
Stein's share in each ring, and by one standard deviation of their noise at most. Where the map differs from the
proposal by more than noise does, as at a spot that MRI does not show, the measured image stays as it is.
"""

from dataclasses import dataclass

import numpy as np

from inference_core.imaging.centred_fft import to_image, to_kspace
from inference_core.inference.held_back import HeldBack, in_image
from inference_core.inference.map_noise import MapNoise
from inference_core.inference.rings import RADIUS
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

#: Width of a ring, in steps of the super-resolved map's k-space.
_RING = 2.0
#: Standard deviations of the noise that a coefficient may move by.
_LARGEST_MOVE = 1.0
#: Standard deviation of the Gaussian, in super-resolved voxels, over which a spot is looked for.
_SPOT = 1.2
#: Standard deviations of the noise from which a difference begins to count as a spot, and from which it fully does.
_FIRST_SIGN, _CERTAIN = 1.0, 2.0
#: What a spot keeps around it: the standard deviation, in voxels, and how much more than the mean.
_REACH, _EMPHASIS = 1.0, 1.5


@dataclass(frozen=True)
class NoiseWeights:
    """How measured coefficients of a map move.

    Attributes:
        share: of the way to the proposal, `(64, 64)` from 0 to 1.
        limit: how far one may move, in the units of the map's orthonormal k-space.
        spot_noise: standard deviation of the noise in the map in which spots are looked for, in the map's units.
        source: what the noise was estimated from.
    """

    share: np.ndarray
    limit: float
    spot_noise: float
    source: str


@dataclass(frozen=True)
class Movement:
    """How far the measured k-space of a map was moved.

    Attributes:
        mean: root mean square over the coefficients that may move, inside the brain, in standard deviations of their
            noise; 0 where all were kept.
        source: what the noise was estimated from; "" where all were kept.
        reason: why all were kept although they might have moved, as a sentence; "" without such a reason.
    """

    mean: float = 0.0
    source: str = ""
    reason: str = ""

    @property
    def sentence(self) -> str:
        """In plain words."""
        if not self.source:
            return f"The measured data were kept exactly. {self.reason}".rstrip()
        return (
            f"The outer part of the measured data was moved by {self.mean:.2f} standard deviations of its noise (root "
            f"mean square; {_LARGEST_MOVE:g} at most), the noise being estimated from {self.source}."
        )


def movement(difference: np.ndarray, held_back: HeldBack, slices: list[int], weights: NoiseWeights) -> Movement:
    """How far measured coefficients were moved.

    Args:
        difference: super-resolved maps with moved less those with kept coefficients, `(slice, 64, 64)`.
        held_back: whose region may move.
        slices: which slices of `held_back` these are.
        weights: of the map.
    """
    # The noise, too, was told inside the brain.
    spectrum = to_kspace(difference * held_back.brain[slices])
    energy = float(np.square(np.abs(spectrum[:, held_back.region])).mean())
    return Movement(float(np.sqrt(energy)) / max(weights.limit, 1e-30), weights.source)


def noise_weights(
    proposed: np.ndarray, gain: np.ndarray, held_back: HeldBack, slices: list[int], noise: MapNoise
) -> NoiseWeights:
    """How the measured coefficients of a map move, told from some slices.

    Args:
        proposed: what the network proposes for `held_back.prepared`, `(slice, 64, 64)`.
        gain: what its k-space is multiplied by, `(64, 64)`.
        held_back: what was held back from it.
        slices: which slices of `held_back` these are.
        noise: of the map.
    """
    brain, region = held_back.brain[slices], held_back.region
    rest = held_back.detail[slices] - _scaled(proposed, gain, region)
    difference = np.square(np.abs(to_kspace(rest * brain)))
    draws = noise.images(slices, region)
    energy = np.square(np.abs(to_kspace(draws * brain))).mean(axis=0)
    share, rings = np.zeros(RADIUS.shape), np.floor(RADIUS / _RING).astype(int)
    for number in np.unique(rings[region]):
        ring = region & (rings == number)
        found = float(difference[:, ring].mean())
        share[ring] = min(float(energy[:, ring].mean()) / found, 1.0) if found > 0 else 0.0
    smooth = _smoothed(draws, _SPOT)[:, brain]
    return NoiseWeights(share, float(np.sqrt(energy[:, region].mean())), float(smooth.std()), noise.source)


def moved(
    images: np.ndarray,
    proposed: np.ndarray,
    gain: np.ndarray,
    held_back: HeldBack,
    slices: list[int],
    weights: NoiseWeights,
) -> np.ndarray:
    """Super-resolved maps whose measured coefficients moved as far as noise goes, `(slice, 64, 64)`.

    Args:
        images: with hard consistency.
        proposed, gain, held_back, slices: as `noise_weights`, for these images.
        weights: of the map.
    """
    region = held_back.region
    rest = held_back.detail[slices] - _scaled(proposed, gain, region)
    move = -weights.share * to_kspace(rest)
    move *= np.minimum(1.0, _LARGEST_MOVE * weights.limit / np.maximum(np.abs(move), 1e-30))
    spots = np.abs(_smoothed(rest, _SPOT)) / max(weights.spot_noise, 1e-30)
    spots = np.clip((spots - _FIRST_SIGN) / (_CERTAIN - _FIRST_SIGN), 0, 1)
    kept = np.clip(_EMPHASIS * _smoothed(spots, _REACH), 0, 1)
    return np.maximum(images + to_image(move).real * (1 - kept), 0).astype(np.float32)


def _scaled(proposed: np.ndarray, gain: np.ndarray, region: np.ndarray) -> np.ndarray:
    return in_image(to_image(to_kspace(proposed) * gain).real, region)


def _smoothed(images: np.ndarray, deviation: float) -> np.ndarray:
    """Images convolved with a Gaussian of a standard deviation in voxels."""
    transfer = np.exp(-2 * (np.pi * deviation * RADIUS / SUPER_RESOLVED_MATRIX) ** 2)
    return to_image(to_kspace(images) * transfer).real
