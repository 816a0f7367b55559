"""Every usable map of some slices at some input resolutions, batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from inference_core.research.data.batches import Batch, make_batch
from inference_core.research.data.slice_set import SliceSet
from inference_core.terms.conditions import METABOLITES


@dataclass(frozen=True)
class MapBatch:
    """Maps of one metabolite at one n.

    Attributes:
        metabolite: index into `METABOLITES`.
        n: input resolution.
        indices: of the slices, `(batch,)`.
    """

    metabolite: int
    n: int
    indices: np.ndarray

    def of(self, slices: SliceSet) -> Batch:
        """The batch itself, for lambda = 0."""
        maps = [array[self.metabolite, self.indices] for array in (slices.acquired, slices.target, slices.valid)]
        mri = slices.t1[self.indices], slices.flair[self.indices]
        return make_batch(*maps, *mri, self.n, self.metabolite, 0.0)


def map_batches(
    slices: SliceSet, resolutions: Sequence[int], batch_size: int = 8, chosen: Sequence[int] | None = None
) -> list[MapBatch]:
    """What there is to measure.

    Args:
        slices: with the maps.
        resolutions: the n.
        batch_size: maps a batch, at most.
        chosen: indices of the slices to take; None for all.
    """
    return list(_batches(slices.usable(), resolutions, batch_size, range(len(slices)) if chosen is None else chosen))


def _batches(usable: np.ndarray, resolutions, batch_size: int, chosen) -> Iterator[MapBatch]:
    for n in resolutions:
        for m in range(len(METABOLITES)):
            own = np.array([index for index in chosen if usable[m, index]], dtype=int)
            for start in range(0, len(own), batch_size):
                yield MapBatch(m, n, own[start : start + batch_size])
