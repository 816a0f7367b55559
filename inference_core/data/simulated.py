"""Slices of simulated patients, for training and evaluation without a scanner."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference_core.data.cohort import code_fingerprint, read_into_memory
from inference_core.data.slice_set import SliceSet

#: What a simulated patient's slices are made with.
_SIMULATOR = ("conditions.py", "data/simulated.py", "phantom")


def simulate_slices(seed: int, count: int | None = None) -> SliceSet:
    """`count` slices (all if None) of the simulated patient of `seed`."""
    from inference_core.phantom import simulate_patient

    stack = simulate_patient(seed).slices(count)
    return SliceSet(
        t1=stack.t1.astype(np.float16),
        flair=stack.flair.astype(np.float16),
        acquired=stack.acquired,
        target=stack.truth,
        valid=stack.mask,
        patient=np.full(len(stack.t1), seed),
    )


@dataclass(frozen=True)
class SimulatedSlices:
    """A simulated patient as one of a cohort.

    Attributes:
        seed: the patient's.
        count: slices; all if None.
    """

    seed: int
    count: int | None = None

    @property
    def name(self) -> str:
        """Of the file that keeps the slices, without extension."""
        return f"simulated-{self.seed:06d}-{self.count or 'all'}"

    def origin(self) -> dict[str, Any]:
        """All that the slices depend on."""
        return {"seed": self.seed, "slices": self.count, "simulator": code_fingerprint(*_SIMULATOR)}

    def slices(self) -> SliceSet:
        """Simulate them."""
        return simulate_slices(self.seed, self.count)


def simulate_cohort(
    seeds: Iterable[int],
    count: int | None = None,
    processes: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> SliceSet:
    """Slices of the simulated patients of `seeds`, simulated side by side.

    Args:
        seeds: the patients' seeds.
        count: slices a patient; all if None.
        processes: how many to simulate at once; as many as there are cores if None.
        progress: wraps the patients as they come, such as `tqdm.tqdm`.
    """
    cohort = [SimulatedSlices(seed, count) for seed in seeds]
    return read_into_memory(cohort, processes, lambda patients, total: progress(patients))
