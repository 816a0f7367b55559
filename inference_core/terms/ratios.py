"""Ratios of metabolites, such as choline over NAA, from maps on one grid.

A ratio is meaningless where its denominator may as well be zero: it is masked where the denominator is not above zero
by more than its own uncertainty.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import reduce

import numpy as np

from inference_core.errors import InputError
from inference_core.terms.conditions import resolve_metabolite

#: Uncertainties that a denominator must be above zero: its 68 % interval excludes zero. The 95 % interval, which has to
#: hold occult lesions, would leave next to nothing of choline over NAA in a tumour.
_LEAST_UNCERTAINTIES = 1.0
#: Where no uncertainty is known: the share of the denominator's median in the brain below which it counts as zero.
_LEAST_SHARE = 0.1
_SUM = re.compile(r"\(([^()/]+)\)|([^()/]+)")


@dataclass(frozen=True)
class Ratio:
    """A sum of metabolites over another.

    Attributes:
        numerator: the metabolites' paper names.
        denominator: like `numerator`.
    """

    numerator: tuple[str, ...]
    denominator: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Ratio":
        """The ratio that a text such as "tCho/NAA" or "(Gly + Gln)/tCr" names; aliases are understood.

        Raises:
            InputError: for anything else, an unknown metabolite, one named twice, or a ratio of a sum to itself.
        """
        # Aliases such as GPC+PCh hold a plus sign of their own.
        found = [_SUM.fullmatch(part.strip()) for part in text.split("/")]
        parts = [part for part in found if part]
        if len(found) != 2 or len(parts) != 2:
            raise InputError(
                f"'{text}' is no ratio: write one metabolite or sum over another, such as tCho/NAA or (Gly + Gln)/tCr."
            )
        numerator, denominator = (_metabolites(part.group(1) or part.group(2)) for part in parts)
        for names in (numerator, denominator):
            if len(set(names)) < len(names):
                raise InputError(f"The ratio '{text}' names a metabolite twice in one sum: leave one out.")
        if set(numerator) == set(denominator):
            raise InputError(f"The ratio '{text}' is one everywhere: choose different metabolites.")
        return cls(numerator, denominator)

    @property
    def metabolites(self) -> tuple[str, ...]:
        """All that it is made of, each once."""
        return tuple(dict.fromkeys(self.numerator + self.denominator))

    @property
    def name(self) -> str:
        """As users write it: "tCho/NAA", "(Gly + Gln)/tCr"."""
        return "/".join(_written(names) for names in (self.numerator, self.denominator))

    @property
    def label(self) -> str:
        """For the names of files: "tChoOverNAA", "GlyGlnOverTCr"."""
        over = "".join(self.denominator)
        return f"{''.join(self.numerator)}Over{over[0].upper()}{over[1:]}"

    def require(self, names: Container[str]) -> None:
        """Check that there are maps of all that it is made of.

        Raises:
            InputError: if one is missing.
        """
        missing = [name for name in self.metabolites if name not in names]
        if missing:
            raise InputError(
                f"The ratio {self.name} needs a map of {' and '.join(missing)}: add it, or leave the ratio."
            )


def _metabolites(text: str) -> tuple[str, ...]:
    try:
        return (resolve_metabolite(text),)
    except InputError:
        return tuple(resolve_metabolite(term) for term in text.split("+"))


def _written(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"({' + '.join(names)})"


#: The ratios that are asked for most.
STANDARD_RATIOS = tuple(map(Ratio.parse, ("tCho/NAA", "tCho/tCr", "NAA/tCr", "Gln/Glu", "(Gly + Gln)/tCr")))


@dataclass(frozen=True)
class RatioMap:
    """A ratio's values, on its maps' grid.

    Attributes:
        values: 0 where masked.
        uncertainty: half-widths of the 68 % intervals around `values`, or None where those of the maps are not known.
        mask: where the ratio means something, bool.
    """

    values: np.ndarray
    uncertainty: np.ndarray | None
    mask: np.ndarray

    def in_multiples_of(self, level: float) -> "RatioMap":
        """The same, divided by a level."""
        uncertainty = None if self.uncertainty is None else self.uncertainty / np.float32(level)
        return RatioMap(self.values / np.float32(level), uncertainty, self.mask)


def no_meaningful_values(ratio: Ratio) -> str:
    """What to say of a ratio whose denominator is zero everywhere."""
    return (
        f"The ratio {ratio.name} means nothing anywhere: {_written(ratio.denominator)} is zero throughout the brain, "
        "or within its uncertainty of zero."
    )


def least_denominator(ratio: Ratio, maps: dict[str, np.ndarray], brain: np.ndarray) -> float:
    """Where no uncertainty is known: the value up to which a denominator counts as zero, in the maps' unit."""
    denominator = _sum_of(maps, ratio.denominator)
    return max(_LEAST_SHARE * float(np.median(denominator[brain])), 0.0) if brain.any() else 0.0


def ratio_map(
    ratio: Ratio,
    maps: dict[str, np.ndarray],
    brain: np.ndarray,
    least: float = 0.0,
    uncertainties: dict[str, np.ndarray] | None = None,
) -> RatioMap:
    """A ratio, voxel by voxel; masked where its denominator is zero, within its uncertainty.

    Args:
        ratio: which.
        maps: by metabolite's paper name, all of one shape and unit.
        brain: where maps hold values, bool, of the same shape.
        least: up to which value a denominator counts as zero, whatever the uncertainties.
        uncertainties: half-widths of the maps' 68 % intervals, like `maps`; taken as independent.
    """
    numerator, denominator = (_sum_of(maps, names) for names in (ratio.numerator, ratio.denominator))
    mask = brain & (denominator > least)
    if uncertainties is not None:
        above, below = (
            np.sqrt(sum(np.square(uncertainties[name]) for name in names))
            for names in (ratio.numerator, ratio.denominator)
        )
        mask &= denominator > _LEAST_UNCERTAINTIES * below
    divisor = np.where(mask, denominator, 1)
    values = np.where(mask, numerator / divisor, 0).astype(np.float32)
    if uncertainties is None:
        return RatioMap(values, None, mask)
    uncertainty = np.sqrt(above**2 + (values * below) ** 2) / divisor
    return RatioMap(values, np.where(mask, uncertainty, 0).astype(np.float32), mask)


def _sum_of(maps: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    return reduce(np.add, (maps[name].astype(np.float64) for name in names))


def reference_level(found: RatioMap, reference: np.ndarray) -> float:
    """A ratio's median in a reference region, such as normal tissue on the other side.

    Args:
        found: the ratio.
        reference: the region, bool, of the ratio's shape.

    Raises:
        InputError: if the ratio has no value above zero there.
    """
    inside = reference & found.mask
    level = float(np.median(found.values[inside])) if inside.any() else 0.0
    if not level > 0:
        raise InputError("The reference region holds no value of the ratio: choose one within the brain.")
    return level
