"""Finding out, along one axis, how many k-space coefficients a zero-filled map was made from.

Profiles of such a map are sums of the n lowest frequencies of the matrix and of nothing else. Where a mask was applied
afterwards, that still holds inside it. So a Fourier basis, ordered from low to high, is made orthonormal on the voxels
that hold a trusted value (QR decomposition), and the energy that each further basis function explains is recorded: it
falls off a cliff behind the n-th. A map as measured holds noise or detail at every frequency, and shows no cliff.

For even n the highest frequency has no conjugate partner. Zero-filling turns it into a cosine about voxel
`size // 2` and a small imaginary part, which the magnitude folds in: the sine is absent, which tells n from n + 1.
All levels are in dB.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

#: Fewest coefficients that are looked for.
_FEWEST = 12
#: Profiles that are analysed, and how short they may be relative to the longest.
_PROFILES, _SHORTEST = 64, 0.8


@dataclass(frozen=True)
class Limits:
    """What a spectrum must show.

    `python Testing/benchmarks/zero_filling_limits.py --search` found them on simulated patients; without `--search` it
    measures what each is worth, also on patients and on real data that took no part in finding them.

    Attributes:
        trusted_share: voxels below this share of a bright one may be ringing that the magnitude turned around.
        step: how far the last coefficient stands above the floor behind it, at least, dB.
        partner_share: by which share of its step the sine of an even highest frequency must lie below the cosine.
        partner_offset: and by how many dB besides.
        masked_loss: by how much masked profiles show the last coefficients weaker than earlier ones, dB.
        certain: least height for an answer, dB: of both axes together where they agree, of one axis alone where they do
            not; half of it for each axis where they differ by one.
    """

    trusted_share: float = 0.35
    step: float = 8.0
    partner_share: float = 0.3
    partner_offset: float = 2.0
    masked_loss: float = 20.0
    certain: float = 12.0


LIMITS = Limits()


@dataclass(frozen=True)
class Cliff:
    """Where the energy ends.

    Attributes:
        count: number of coefficients before the cliff; 0 if there is none.
        height: how clear the cliff is, dB; see `Limits.certain`.
        whole: whether it was found on profiles that no mask touches.
    """

    count: int
    height: float
    whole: bool = False


_NOTHING = Cliff(0, -np.inf)


@lru_cache(maxsize=8)
def _basis(size: int) -> np.ndarray:
    """Orthonormal real Fourier basis, `(voxel, function)`: 1, cos, sin, cos, ... about voxel `size // 2`."""
    angle = 2 * np.pi * (np.arange(size) - size // 2) / size
    functions = [np.ones(size)]
    for frequency in range(1, size // 2 + 1):
        functions.append(np.cos(frequency * angle))
        if 2 * frequency < size:
            functions.append(np.sin(frequency * angle))
    basis = np.stack(functions, axis=1)
    return basis / np.linalg.norm(basis, axis=0)


def _decibel(energy: np.ndarray) -> np.ndarray:
    # Float32 maps carry rounding at -150 dB: nothing below it is looked at.
    return 10 * np.log10(energy + 1e-15 * energy.sum() + 1e-300)


class Spectrum:
    """A spectrum, and what distinguishes each count of coefficients from its neighbours, before any limit is applied.

    Args:
        level: energy of each basis function's new part, `(function,)`.
        design: how much of each basis function is new on the trusted voxels, `(function,)`; None for whole profiles, on
            which all of each is.
    """

    def __init__(self, level: np.ndarray, design: np.ndarray | None = None):
        self.whole = design is None
        new = np.zeros(len(level)) if design is None else design
        flat = level - new
        self.counts = counts = np.arange(_FEWEST, len(level) - (3 if self.whole else 1))
        self._even = even = counts % 2 == 0
        first = np.where(even, counts + 1, counts)
        self._last, self._next, self._earlier = level[counts - 1], level[counts], level[counts - 2]
        self._floor = _windows(level, first, 4).max(axis=1, initial=-np.inf, where=_inside(level, first, 4))
        self._before = np.median(_windows(flat, counts - 3, 3), axis=1)
        self._within = np.maximum(np.median(_windows(flat, counts - 9, 6), axis=1), self._before)
        self._visible = self._within + new[np.minimum(counts + 2, len(level) - 1)] - self._floor
        self._new_floor = self._floor - new[first]
        # Sine and cosine together, because a symmetric map lacks one of them.
        last = counts - np.where(even, 2, 1)
        self._pair = _windows(flat, last - 1, 2).max(axis=1)

    def cliff(self, limits: Limits = LIMITS) -> Cliff:
        """The clearest cliff."""
        if not len(self.counts):
            return _NOTHING
        edge = self._last - self._floor
        # The sine of the highest frequency is there for odd counts, and for even ones it is not.
        partnered = np.where(
            self._even,
            self._next <= self._last - limits.partner_share * edge - limits.partner_offset,
            self._last >= self._earlier - limits.partner_share * (self._earlier - self._floor) - limits.partner_offset,
        )
        height = np.minimum(
            self._visible - (0 if self.whole else limits.masked_loss),
            np.minimum(self._before - (self._within - self._before), self._pair) - self._new_floor,
        )
        height[(edge < limits.step) | ~partnered] = -np.inf
        best = int(np.argmax(height))
        return Cliff(int(self.counts[best]), float(height[best]), self.whole) if height[best] > -np.inf else _NOTHING


def _windows(values: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Successive values, `(start, length)`; beyond the end, the last one."""
    return values[np.minimum(starts[:, None] + np.arange(length), len(values) - 1)]


def _inside(values: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Where `_windows` does not reach beyond the end."""
    return starts[:, None] + np.arange(length) < len(values)


def _unfolded(profiles: np.ndarray, count: int) -> np.ndarray:
    """Magnitudes `(profile, voxel)` with the signs that a signal of the `count` lowest frequencies would have."""
    basis = _basis(profiles.shape[1])[:, : count | 1]
    projector = basis @ basis.T
    signed = profiles
    for _ in range(10):
        signed = np.copysign(profiles, signed @ projector)
    return signed


class _WholeProfiles:
    """Profiles that were not masked, `(profile, voxel)`."""

    def __init__(self, profiles: np.ndarray):
        self.profiles = profiles
        self._spectra: dict[int, Spectrum] = {}
        self._level = self._measured_level(profiles)

    @staticmethod
    def _measured_level(profiles: np.ndarray) -> np.ndarray:
        return _decibel(((profiles @ _basis(profiles.shape[1])) ** 2).mean(axis=0))

    def _spectrum(self, count: int = 0) -> Spectrum:
        """The spectrum; with a count, of the profiles unfolded for that many coefficients."""
        if count not in self._spectra:
            level = self._measured_level(_unfolded(self.profiles, count)) if count else self._level
            self._spectra[count] = Spectrum(level)
        return self._spectra[count]

    def cliff(self, limits: Limits) -> Cliff:
        """The clearest cliff."""
        cliff = self._spectrum().cliff(limits)
        count = cliff.count
        if not count:
            level = self._level
            steps = [
                np.median(level[guess - 3 : guess]) - level[guess + 1 : guess + 5].max()
                for guess in range(_FEWEST, len(level) - 3)
            ]
            count = _FEWEST + int(np.argmax(steps))
        # The magnitude turned ringing below 0 around, which hides the cliff; knowing about where it is undoes that.
        for _ in range(3):
            cliff = self._spectrum(count).cliff(limits)
            if cliff.count in (0, count):
                break
            count = cliff.count
        return cliff


class _MaskedProfiles:
    """Profiles on their trusted voxels, both `(profile, voxel)`."""

    def __init__(self, profiles: np.ndarray, trusted: np.ndarray):
        self.size = int(trusted.sum(axis=1).min()) - 1
        if self.size < _FEWEST + 4:
            return
        orthonormal, triangle = np.linalg.qr(_basis(profiles.shape[1]) * trusted[:, :, None])
        energy = np.einsum("pvf,pv->pf", orthonormal, profiles * trusted) ** 2
        design = (np.diagonal(triangle, axis1=1, axis2=2) ** 2).mean(axis=0)
        self._spectrum = Spectrum(_decibel(energy.mean(axis=0)[: self.size]), _decibel(design[: self.size]))

    def cliff(self, limits: Limits) -> Cliff:
        """The clearest cliff."""
        return _NOTHING if self.size < _FEWEST + 4 else self._spectrum.cliff(limits)


def _longest(profiles: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Indices of the profiles with the most trusted voxels."""
    lengths = trusted.sum(axis=1)
    order = np.argsort(-lengths, kind="stable")[:_PROFILES]
    return order[lengths[order] >= _SHORTEST * lengths[order[0]]]


class AxisProfiles:
    """A map's profiles along one axis: all that is known of them, and where they are bright.

    Args:
        profiles: magnitudes along the axis, `(profile, voxel)`; 0 and what is not finite count as masked.
        trusted_share: see `Limits`.
    """

    def __init__(self, profiles: np.ndarray, trusted_share: float = LIMITS.trusted_share):
        self.kinds: list[_WholeProfiles | _MaskedProfiles] = []
        known = np.isfinite(profiles) & (profiles != 0)
        if profiles.shape[1] < _FEWEST + 4 or not known.any():
            return
        values = np.where(known, profiles, 0).astype(float)
        bright = known & (values > trusted_share * np.quantile(np.abs(values[known]), 0.9))
        for trusted in (known, bright):
            chosen = _longest(values, trusted)
            if trusted[chosen].all():
                whole = values[trusted.all(axis=1)]
                content = np.abs(whole).sum(axis=1)
                # Beside the brain there is only ringing.
                self.kinds.append(_WholeProfiles(whole[content >= 0.5 * content.max()]))
            else:
                self.kinds.append(_MaskedProfiles(values[chosen], trusted[chosen]))

    def cliff(self, limits: Limits = LIMITS) -> Cliff:
        """How many coefficients the axis may have been zero-filled from, and how clear that is."""
        if not self.kinds:
            return _NOTHING
        # Whole profiles tell frequencies apart best, bright voxels have the lowest floor.
        return max((kind.cliff(limits) for kind in self.kinds), key=lambda cliff: cliff.height)


def zero_filling_cliff(profiles: np.ndarray) -> Cliff:
    """How many coefficients an axis may have been zero-filled from, and how clear that is.

    Args:
        profiles: magnitudes along the axis, `(profile, voxel)`; 0 and what is not finite count as masked.
    """
    return AxisProfiles(profiles).cliff()


def zero_filled_from(
    rows: Cliff, columns: Cliff, shape: tuple[int, int], square: bool, limits: Limits = LIMITS
) -> tuple[int, int] | None:
    """Rows and columns that a map was zero-filled from, or None; in doubt None.

    Args:
        rows, columns: the cliffs along either axis.
        shape: rows and columns of the map.
        square: whether matrix and field of view are square, so that so are most measured matrices.
        limits: the tuned numbers.
    """
    high, low = sorted((rows, columns), key=lambda cliff: -cliff.height)
    if not high.count:
        return None
    counts, apart = (rows.count, columns.count), abs(rows.count - columns.count)
    # The same voxel size along both axes, as nearly as whole voxels allow.
    if low.count and abs(rows.count * shape[1] - columns.count * shape[0]) <= 0.5 * min(shape):
        return counts if max(high.height, 0) + max(low.height, 0) > limits.certain else None
    if square and apart == 1 and low.height > limits.certain / 2:
        # Ringing that was turned around leaves traces at the next cosine: the odd count is right. Behind a mask, the
        # last coefficient may be out of sight along the narrower extent of the brain.
        count = next(count for count in counts if count % 2) if rows.whole or columns.whole else max(counts)
        return count, count
    # It may even be that nothing at all is seen there.
    if square and not low.whole and high.height > limits.certain:
        return high.count, high.count
    return counts if low.height > limits.certain else None
