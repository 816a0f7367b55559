"""What networks are trained and evaluated on: slices of metabolite maps, each with its slab of T1 and FLAIR."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

#: A slice of a metabolite map with fewer valid voxels than this teaches nothing.
_FEWEST_VALID_VOXELS = 200


def usable_maps(valid: np.ndarray) -> np.ndarray:
    """Which maps hold enough valid voxels, `(metabolite, slice)` bool, from `(metabolite, slice, 64, 64)` bool."""
    return valid.sum(axis=(2, 3)) >= _FEWEST_VALID_VOXELS


class Slices(Protocol):
    """What training needs of slices, wherever they are kept."""

    def __len__(self) -> int:
        """How many slices there are."""

    def usable(self) -> np.ndarray:
        """Which maps hold enough valid voxels, `(metabolite, slice)` bool."""

    def example(self, metabolite: int, index: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """One metabolite's slice: acquired, target and valid `(64, 64)`; T1 and FLAIR `(192, 192, 3)` float16."""


@dataclass(frozen=True)
class SliceSet:
    """Slices of one or more patients, in memory; half precision where that costs nothing visible.

    Attributes:
        t1: `(slice, 192, 192, 3)` float16, 0 to 1.
        flair: like `t1`.
        acquired: maps as measured at full resolution, `(metabolite, slice, 64, 64)` float32, institutional units.
        target: ground truth, like `acquired`; the same maps where nothing better is known.
        valid: where the ground truth is valid, `(metabolite, slice, 64, 64)` bool.
        patient: which patient a slice is of, `(slice,)`.
    """

    t1: np.ndarray
    flair: np.ndarray
    acquired: np.ndarray
    target: np.ndarray
    valid: np.ndarray
    patient: np.ndarray

    def __len__(self) -> int:
        """How many slices there are."""
        return len(self.patient)

    def usable(self) -> np.ndarray:
        """Which maps hold enough valid voxels, `(metabolite, slice)` bool."""
        return usable_maps(self.valid)

    def example(self, metabolite: int, index: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """One metabolite's slice: acquired, target and valid `(64, 64)`; T1 and FLAIR `(192, 192, 3)` float16."""
        maps = [array[metabolite, index] for array in (self.acquired, self.target, self.valid)]
        return maps, [self.t1[index], self.flair[index]]

    @classmethod
    def concatenate(cls, sets: Iterable["SliceSet"]) -> "SliceSet":
        """All slices of several sets, in their order."""
        sets = list(sets)
        axis = {"acquired": 1, "target": 1, "valid": 1}
        return cls(
            **{
                f.name: np.concatenate([getattr(s, f.name) for s in sets], axis=axis.get(f.name, 0))
                for f in fields(cls)
            }
        )
