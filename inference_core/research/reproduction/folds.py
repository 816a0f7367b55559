"""Cross-validation over patients (paper, Sec. 3.2)."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inference_core.errors import InputError

FOLDS = 5


@dataclass(frozen=True)
class Fold:
    """Patients of one fold: to train on, to validate on, and to test on."""

    train: tuple[Any, ...]
    validation: tuple[Any, ...]
    test: tuple[Any, ...]


def split_folds(patients: Sequence[Any]) -> list[Fold]:
    """Five folds whose blocks rotate: each patient is tested on once, and validated on once.

    Fifteen patients are nine to train on, three to validate on and three to test on, as in the paper.

    Args:
        patients: in a fixed order.

    Raises:
        InputError: for fewer than five patients.
    """
    if len(patients) < FOLDS:
        raise InputError(f"There are {len(patients)} patients: five-fold cross-validation needs at least {FOLDS}.")
    bounds = [round(index * len(patients) / FOLDS) for index in range(FOLDS + 1)]
    blocks = [tuple(patients[low:high]) for low, high in itertools.pairwise(bounds)]
    return [
        Fold(
            train=sum((blocks[(k + step) % FOLDS] for step in range(2, FOLDS)), ()),
            validation=blocks[(k + 1) % FOLDS],
            test=blocks[k],
        )
        for k in range(FOLDS)
    ]
