"""Whether methods differ by more than chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True)
class PairedTest:
    """The Wilcoxon signed-rank test of one pair of methods (paper, Sec. 3.3).

    Attributes:
        first: a method.
        second: another one.
        difference: median of the first one's figures less the second one's.
        p: two-sided.
        corrected: `p` after Holm's correction for all pairs that were tested together.
    """

    first: str
    second: str
    difference: float
    p: float
    corrected: float


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of p-values `(test,)` (Holm 1979, Scand J Stat 6:65)."""
    order = np.argsort(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def paired_tests(figures: Mapping[str, np.ndarray]) -> list[PairedTest]:
    """Every pair of methods against each other.

    Args:
        figures: by method, `(case,)`, the same cases in the same order; there is one case for each test map.

    Raises:
        ValueError: if methods have different numbers of cases.
    """
    from scipy.stats import wilcoxon

    pairs = list(combinations(figures, 2))
    differences = [np.asarray(figures[a]) - np.asarray(figures[b]) for a, b in pairs]
    # Methods that agree in all cases leave nothing to rank.
    p = np.array([wilcoxon(d).pvalue if np.any(d) else 1.0 for d in differences])
    return [
        PairedTest(a, b, float(np.median(d)), float(own), float(corrected))
        for (a, b), d, own, corrected in zip(pairs, differences, p, holm(p), strict=True)
    ]
