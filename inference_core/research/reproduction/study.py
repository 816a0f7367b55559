"""One run: its folder, its patients' slices, and the jobs' places in it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from inference_core.research.data.cohort import Patient, Progress, open_stored, store_on_disk, without_progress
from inference_core.research.data.slice_set import SliceSet
from inference_core.research.data.stored_slices import StoredSlices
from inference_core.research.reproduction.folds import Fold, split_folds
from inference_core.research.reproduction.plan import Plan


@dataclass(frozen=True)
class Study:
    """What all jobs share.

    Attributes:
        folder: of the run.
        plan: what is to be done.
        patients: whose slices are trained and tested on.
        device: as torch names it.
        until: when to stop, on `time.monotonic`'s clock; None for never.
    """

    folder: Path
    plan: Plan
    patients: Sequence[Patient]
    device: str
    until: float | None = None

    def out_of_time(self) -> bool:
        """Whether it is time to stop."""
        return self.until is not None and time.monotonic() >= self.until

    @cached_property
    def folds(self) -> list[Fold]:
        """The folds that the plan does."""
        return split_folds(range(len(self.patients)))[: self.plan.folds]

    def make_slices(self, processes: int | None = None, progress: Progress = without_progress) -> None:
        """Read or simulate what the folder does not hold yet.

        Raises:
            InputError: as `store_on_disk`.
        """
        store_on_disk(self.patients, self.folder / "slices", processes, progress)

    def stored(self, numbers: Sequence[int]) -> StoredSlices:
        """Slices of some patients, left on disk."""
        return open_stored([self.patients[number] for number in numbers], self.folder / "slices")

    def test_slices(self, fold: int) -> SliceSet:
        """Slices of a fold's test patients, in memory."""
        return self.stored(self.folds[fold].test).in_memory()

    def network_folder(self, method: str, resolutions: Sequence[int], fold: int) -> Path:
        """Where a network's training run lies."""
        scale = f"-n{resolutions[0]}" if len(resolutions) == 1 else ""
        return self.folder / "networks" / f"{method}{scale}-fold{fold + 1}"

    def result(self, name: str, fold: int) -> Path:
        """Where a job keeps what it measured on a fold's test patients."""
        return self.folder / "results" / f"{name}-fold{fold + 1}.json"
