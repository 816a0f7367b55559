"""Small cohorts for the tests of training: random slices, quick to make."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference_core.research.data.cohort import stored_path
from inference_core.research.data.simulated import SimulatedSlices
from inference_core.research.data.slice_set import SliceSet
from inference_core.research.data.stored_slices import store_slices


def random_slices(count=4, seed=0):
    rng = np.random.default_rng(seed)
    maps = rng.random((2, 7, count, 64, 64), dtype=np.float32)
    mri = rng.random((2, count, 192, 192, 3)).astype(np.float16)
    valid = rng.random((7, count, 64, 64)) < 0.9
    return SliceSet(*mri, *maps, valid, np.full(count, seed))


@dataclass
class RandomPatient:
    """A patient of random slices, who counts how often they were made."""

    seed: int
    count: int = 2
    version: int = 1
    made: int = 0

    @property
    def name(self):
        return f"random-{self.seed}"

    def origin(self):
        return {"seed": self.seed, "count": self.count, "version": self.version}

    def slices(self):
        self.made += 1
        return random_slices(self.count, self.seed)


def fill_cache(folder: Path, patients: int, slices: int) -> None:
    """Random slices in the place of simulated ones, which take seconds each."""
    folder.mkdir()
    for seed in range(patients):
        simulated = SimulatedSlices(seed, slices)
        store_slices(random_slices(slices, seed), stored_path(folder, simulated), simulated.origin())
