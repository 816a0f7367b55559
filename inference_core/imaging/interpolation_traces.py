"""Finding out, along one axis, which coarser samples a map was interpolated from: nearest neighbour, linear or cubic.

An interpolated value is a weighted sum of the few coarser samples around it. So as soon as a short window of voxels is
longer than the number of samples behind it, some combination of its voxels is exactly 0, whatever the map shows. For
each possible grid of coarser samples these combinations are applied to all windows that no mask touches: for the right
grid next to nothing remains, for all others something does. Nothing of it depends on the rest of the map.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

#: Fewest and most coarser samples that are looked for, the latter also relative to the voxels.
_FEWEST, _MOST, _MOST_SHARE = 10, 64, 0.8
#: Profiles that are looked at, and those of them that rule out most grids.
_PROFILES, _FIRST_PROFILES = 64, 12
#: What a grid may leave of those, squared and relative to what it leaves elsewhere.
_LARGEST_FIRST_REST = 0.1
#: What may remain for the right grid, relative to what remains beside it, squared.
_LARGEST_REST = 5e-3
#: Combinations shorter than this relative to the largest possible are 0 (squared).
_ZERO = 1e-9
#: Fewest combinations of a grid, relative to the voxels; fewest that must be informative.
_FEWEST_COMBINATIONS, _FEWEST_TELLING = 0.25, 10
#: What a combination must find beside it to be informative, squared and relative to the others; and the share of the
#: informative ones that must agree.
_TELLING, _AGREEING = 1e-3, 0.9

KINDS = ("nearest neighbour", "linear", "cubic")
#: Where the coarser samples lie: both grids end at the same voxel edges, at the same voxel centres, or start at the
#: same voxel centre.
ALIGNMENTS = ("edges", "centres", "first centre")


@dataclass(frozen=True)
class CoarseGrid:
    """Where coarser samples lie along an axis.

    Attributes:
        count: how many there are.
        step: distance between them in voxels.
        start: voxel coordinate of the first.
    """

    count: int
    step: float
    start: float

    @classmethod
    def aligned(cls, size: int, count: int, alignment: str) -> "CoarseGrid":
        """The grid of `count` samples along an axis of `size` voxels; `alignment` is one of `ALIGNMENTS`."""
        if alignment == "centres":
            return cls(count, (size - 1) / (count - 1), 0.0)
        step = size / count
        return cls(count, step, (step - 1) / 2 if alignment == "edges" else 0.0)

    def coordinates(self, size: int) -> np.ndarray:
        """Coordinates of `size` voxels among the samples."""
        return (np.arange(size) - self.start) / self.step

    @property
    def places(self) -> np.ndarray:
        """Coordinates of the samples among the voxels."""
        return self.start + self.step * np.arange(self.count)


def _cubic(distance: np.ndarray) -> np.ndarray:
    """The cubic B-spline."""
    near, far = 2 / 3 - distance**2 + distance**3 / 2, np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far)


def weights(grid: CoarseGrid, size: int, kind: str) -> np.ndarray:
    """How voxels depend on coarser samples (for "cubic", on B-spline coefficients, one more at either end).

    Returns:
        `(voxel, sample)`.
    """
    at = grid.coordinates(size)
    if kind == "cubic":
        return _cubic(np.abs(at[:, None] - np.arange(-1, grid.count + 1)))
    at = np.clip(at, 0, grid.count - 1)
    if kind == "linear":
        return np.maximum(1 - np.abs(at[:, None] - np.arange(grid.count)), 0)
    return (np.round(at)[:, None] == np.arange(grid.count)).astype(float)


@lru_cache(maxsize=4096)
def _combinations(size: int, grid: CoarseGrid, kind: str) -> np.ndarray | None:
    """Combinations of voxels that are 0 for every interpolated profile, `(combination, voxel)`; None if few."""
    if kind == "nearest neighbour":
        at = grid.coordinates(size)
        # Halfway between two samples and beyond the outermost, programs differ.
        sure = (np.abs(at - np.floor(at) - 0.5) > 1e-6) & (at > -0.5) & (at < grid.count - 0.5)
        same = np.flatnonzero((np.round(at[1:]) == np.round(at[:-1])) & sure[1:] & sure[:-1])
        rows = np.zeros((len(same), size))
        rows[np.arange(len(same)), same], rows[np.arange(len(same)), same + 1] = 0.5**0.5, -(0.5**0.5)
        return rows if len(same) >= _FEWEST_COMBINATIONS * size else None
    at = grid.coordinates(size)
    # Beyond the outermost samples programs differ.
    inside = np.flatnonzero((at > -1e-9) & (at < grid.count - 1 + 1e-9))
    reach, dependence = {"linear": 2, "cubic": 4}[kind], weights(grid, size, kind)
    # On average as many samples are behind this many voxels.
    length = int((reach - 1 / grid.step) / (1 - 1 / grid.step)) + 1
    for longer in range(length, min(length + 3, size // 2)):
        windows = inside[: len(inside) - longer + 1, None] + np.arange(longer)
        parts = dependence[windows]
        values, vectors = np.linalg.eigh(parts @ parts.transpose(0, 2, 1))
        window, column = np.nonzero(values < _ZERO)
        if len(window) >= _FEWEST_COMBINATIONS * size:
            rows = np.zeros((len(window), size))
            rows[np.arange(len(window))[:, None], windows[window]] = vectors[window, :, column]
            return rows
    return None


def _residual(profiles: np.ndarray, unknown: np.ndarray, combinations: np.ndarray, shift: int) -> float:
    """What combinations leave of profiles, relative to what they leave of the voxels beside.

    Args:
        profiles: `(profile, voxel)`.
        unknown: 1 where a mask hides the value, else 0; the same shape.
        combinations: `(combination, voxel)`.
        shift: how far beside to look, besides the next voxel.

    Returns:
        Relative mean square; NaN where too few combinations prove anything or they don't agree.
    """
    here = (profiles @ combinations.T) ** 2
    nonzero = combinations != 0
    first, last = nonzero.argmax(axis=1), nonzero.shape[1] - 1 - nonzero[:, ::-1].argmax(axis=1)
    used = nonzero.astype(np.float32)
    applies = unknown @ used.T == 0
    left, reference = np.zeros(len(combinations)), np.zeros(len(combinations))
    for move in sorted({-shift, -1, 1, shift}):
        fits = (first + move >= 0) & (last + move < combinations.shape[1])
        both = applies & fits & (unknown @ np.roll(used, move, axis=1).T == 0)
        left += (here * both).sum(axis=0)
        reference += ((profiles @ np.roll(combinations, move, axis=1).T) ** 2 * both).sum(axis=0)
    # Where everything is 0 or constant nothing is proved, and a single edge or peak proves little.
    tells = reference > _TELLING * reference.max()
    if np.count_nonzero(tells) < max(_FEWEST_TELLING, profiles.shape[1] // 8):
        return np.nan
    if np.mean(left[tells] < _LARGEST_FIRST_REST * reference[tells]) < _AGREEING:
        return np.nan
    return float(left.sum() / reference.sum())


@dataclass(frozen=True)
class Finding:
    """An interpolation that explains the profiles along an axis.

    Attributes:
        kind: one of `KINDS`.
        grid: of the coarser samples.
        rest: what it leaves relative to others, squared: 0 is perfect.
    """

    kind: str
    grid: CoarseGrid
    rest: float


def find_interpolation(profiles: np.ndarray) -> list[Finding]:
    """The coarser grids from which an axis may have been interpolated, the best first, at most one for each kind.

    Args:
        profiles: values along the axis, `(profile, voxel)`; 0 and what is not finite count as masked.
    """
    size = profiles.shape[1]
    unknown = ~np.isfinite(profiles) | (profiles == 0)
    order = np.argsort(unknown.sum(axis=1), kind="stable")[:_PROFILES]
    unknown = unknown[order].astype(np.float32)
    values = np.where(unknown > 0, 0, profiles[order]).astype(float)
    few = slice(None, None, max(1, len(order) // _FIRST_PROFILES))
    counts = range(_FEWEST, min(_MOST, int(_MOST_SHARE * size)) + 1)
    findings = []
    for kind in KINDS:
        rests, places = {}, {}
        for alignment in ALIGNMENTS:
            for count in counts:
                grid = CoarseGrid.aligned(size, count, alignment)
                combinations = _combinations(size, grid, kind)
                if combinations is not None:
                    shift = max(1, round(grid.step / 2))
                    rest = _residual(values[few], unknown[few], combinations, shift)
                    if rest < _LARGEST_FIRST_REST:
                        rest = _residual(values, unknown, combinations, shift)
                    if np.isfinite(rest):
                        rests[grid], places[grid] = rest, len(combinations)
        if not rests:
            continue
        least = min(rests.values())
        if least > _LARGEST_REST:
            continue
        # Grids of twice as many samples explain the map as well, and so may ones of some fewer, but in fewer places.
        limit = min(max(100 * least, 1e-9), _LARGEST_REST)
        good = [grid for grid, rest in rests.items() if rest <= limit]
        fewest = min(grid.count for grid in good)
        grid = max((grid for grid in good if grid.count <= fewest + 2), key=lambda each: (places[each], -rests[each]))
        findings.append(Finding(kind, grid, rests[grid]))
    return sorted(findings, key=lambda finding: finding.rest)
