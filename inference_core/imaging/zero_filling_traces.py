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
#: Voxels below this share of a bright one may be ringing that the magnitude turned around.
_TRUSTED_SHARE = 0.35
#: The last coefficient stands at least this far above the floor behind it.
_STEP = 4.0
#: The last coefficient may lie this far below the ones before it: in whole profiles, and in masked ones.
_EDGE_WHOLE, _EDGE_MASKED = 12.0, 32.0
#: Spectra of measured maps fall by up to about this over three frequencies.
_USUAL_FALL = 4.0
#: Masked profiles show the last coefficients weaker than earlier ones by about this much.
_MASKED_LOSS = 11.0
#: Heights, dB: of either axis for a second look, of one for an answer, of one without the other's consent, of one
#: without doubt; and of both together where both give the same count. Maps as measured reach 6.
_LIKELY, _CLEAR, _CERTAIN_ALONE, _CERTAIN, _AGREED = 8.0, 10.0, 18.0, 25.0, 16.0


@dataclass(frozen=True)
class Cliff:
    """Where the energy ends.

    Attributes:
        count: number of coefficients before the cliff; 0 if there is none.
        height: how clear the cliff is; below about 6 is nothing.
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


def find_cliff(level: np.ndarray, design: np.ndarray) -> Cliff:
    """The clearest cliff of a spectrum.

    Args:
        level: energy of each basis function's new part, `(function,)`.
        design: how much of each basis function is new on the trusted voxels, `(function,)`; all 0 for whole profiles.
    """
    size, whole = len(level), bool(design.min() > -1)
    flat = level - design
    best = _NOTHING
    for count in range(_FEWEST, size - (3 if whole else 1)):
        even = count % 2 == 0
        first = count + 1 if even else count
        floor = level[first : first + 4].max()
        edge = level[count - 1] - floor
        before = np.median(flat[count - 3 : count])
        inside = max(np.median(flat[max(count - 9, 1) : count - 3]), before)
        if edge < _STEP or flat[count - 1] < inside - (_EDGE_WHOLE if whole else _EDGE_MASKED):
            continue
        # The sine of the highest frequency is there for odd counts, and for even ones it is not.
        if even and level[count] > level[count - 1] - 0.3 * edge - 2:
            continue
        if not even and level[count - 1] < level[count - 2] - 0.3 * (level[count - 2] - floor) - 2:
            continue
        behind = level[first + 3 : first + 10]
        if not whole and len(behind) >= 4:
            # Behind a cliff nothing falls any further.
            rest = np.median(behind)
            if level[first : first + 2].max() - rest > 0.25 * (level[count - 1] - rest):
                continue
        visible = inside + design[min(count + 2, size - 1)] - floor - (0 if whole else _MASKED_LOSS)
        # A spectrum that falls ever faster is that of a smooth map.
        # Sine and cosine together, because a symmetric map lacks one of them.
        last = count - (2 if even else 1)
        pair, earlier = flat[last - 1 : last + 1].max(), flat[last - 7 : last - 5].max()
        height = min(
            visible,
            before - (floor - design[first]) - (inside - before),
            pair - (floor - design[first]) - 1.3 * max(earlier - pair - _USUAL_FALL, 0),
        )
        if height > best.height:
            best = Cliff(count, float(height), whole)
    return best


def _unfolded(profiles: np.ndarray, count: int) -> np.ndarray:
    """Magnitudes `(profile, voxel)` with the signs that a signal of the `count` lowest frequencies would have."""
    basis = _basis(profiles.shape[1])[:, : count | 1]
    projector = basis @ basis.T
    signed = profiles
    for _ in range(10):
        signed = np.copysign(profiles, signed @ projector)
    return signed


def _cliff_of_whole(profiles: np.ndarray) -> Cliff:
    """The cliff of profiles that were not masked, `(profile, voxel)`."""
    basis = _basis(profiles.shape[1])
    nothing = np.zeros(profiles.shape[1])

    def level(values: np.ndarray) -> np.ndarray:
        return _decibel(((values @ basis) ** 2).mean(axis=0))

    spectrum = level(profiles)
    cliff = find_cliff(spectrum, nothing)
    count = cliff.count
    if not count:
        steps = [
            np.median(spectrum[guess - 3 : guess]) - spectrum[guess + 1 : guess + 5].max()
            for guess in range(_FEWEST, len(spectrum) - 3)
        ]
        count = _FEWEST + int(np.argmax(steps))
    # The magnitude turned ringing below 0 around, which hides the cliff; knowing about where it is undoes that.
    for _ in range(3):
        cliff = find_cliff(level(_unfolded(profiles, count)), nothing)
        if cliff.count in (0, count):
            break
        count = cliff.count
    return cliff


def _cliff_of_masked(profiles: np.ndarray, trusted: np.ndarray) -> Cliff:
    """The cliff of profiles on their trusted voxels, both `(profile, voxel)`."""
    size = int(trusted.sum(axis=1).min()) - 1
    if size < _FEWEST + 4:
        return _NOTHING
    orthonormal, triangle = np.linalg.qr(_basis(profiles.shape[1]) * trusted[:, :, None])
    energy = np.einsum("pvf,pv->pf", orthonormal, profiles * trusted) ** 2
    design = (np.diagonal(triangle, axis1=1, axis2=2) ** 2).mean(axis=0)
    return find_cliff(_decibel(energy.mean(axis=0)[:size]), _decibel(design[:size]))


def _longest(profiles: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Indices of the profiles with the most trusted voxels."""
    lengths = trusted.sum(axis=1)
    order = np.argsort(-lengths, kind="stable")[:_PROFILES]
    return order[lengths[order] >= _SHORTEST * lengths[order[0]]]


def zero_filling_cliff(profiles: np.ndarray) -> Cliff:
    """How many coefficients an axis may have been zero-filled from, and how clear that is.

    Args:
        profiles: magnitudes along the axis, `(profile, voxel)`; 0 and what is not finite count as masked.
    """
    if profiles.shape[1] < _FEWEST + 4:
        return _NOTHING
    known = np.isfinite(profiles) & (profiles != 0)
    values = np.where(known, profiles, 0).astype(float)
    if not known.any():
        return _NOTHING
    bright = known & (values > _TRUSTED_SHARE * np.quantile(np.abs(values[known]), 0.9))
    cliffs = []
    for trusted in (known, bright):
        chosen = _longest(values, trusted)
        if trusted[chosen].all():
            whole = values[trusted.all(axis=1)]
            content = np.abs(whole).sum(axis=1)
            # Beside the brain there is only ringing.
            cliffs.append(_cliff_of_whole(whole[content >= 0.5 * content.max()]))
        else:
            cliffs.append(_cliff_of_masked(values[chosen], trusted[chosen]))
    everywhere, where_bright = cliffs
    # Whole profiles tell frequencies apart best, bright voxels have the lowest floor.
    if where_bright.height > everywhere.height + (0 if where_bright.height > _CERTAIN else 8):
        return where_bright
    return everywhere


def zero_filled_from(rows: Cliff, columns: Cliff, shape: tuple[int, int], square: bool) -> tuple[int, int] | None:
    """Rows and columns that a map was zero-filled from, or None; in doubt None.

    Args:
        rows, columns: the cliffs along either axis.
        shape: rows and columns of the map.
        square: whether matrix and field of view are square, so that so are most measured matrices.
    """
    high, low = sorted((rows, columns), key=lambda cliff: -cliff.height)
    if not high.count:
        return None
    # The same voxel size along both axes, as nearly as whole voxels allow.
    if abs(rows.count * shape[1] - columns.count * shape[0]) <= 0.5 * min(shape) and low.count:
        agreed = max(high.height, 0) + max(low.height, 0) > _AGREED
        return (rows.count, columns.count) if agreed else None
    if square:
        near = abs(rows.count - columns.count) <= 4 and low.height > _LIKELY and high.height > _CLEAR
        if near and (rows.whole or columns.whole):
            # Ringing that was turned around leaves traces at the next cosine: the odd one is right.
            odd = [cliff.count for cliff in (rows, columns) if cliff.count % 2]
            return (odd[0], odd[0]) if abs(rows.count - columns.count) == 1 else None
        if near:
            # Along the narrower extent of the brain the last coefficients may be out of sight.
            most = max(rows.count, columns.count)
            return most, most
        # It may even be that nothing at all is seen there.
        close = 0 <= high.count - low.count <= 4
        if not low.whole and low.height < 0.6 * high.height and high.height > (_CLEAR if close else _CERTAIN_ALONE):
            return high.count, high.count
    if low.height > (_CERTAIN_ALONE if square else _CLEAR):
        return rows.count, columns.count
    return None
