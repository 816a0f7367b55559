"""Batches in the order that training wants them, made ahead by worker processes."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch.utils.data import DataLoader, Dataset

from inference_core.research.data.batches import Batch
from inference_core.research.data.training_batches import TrainingBatches

#: Each takes the memory of an interpreter with torch, and batches wait in it.
_MOST_WORKERS = 8


@dataclass(frozen=True)
class _Parts(Dataset):
    """Batches by step, as a data set; all that a worker process is sent."""

    batches: TrainingBatches
    part: slice

    def __getitem__(self, step: int) -> Batch:
        return self.batches.batch(step, self.part)


class _Steps:
    """Step numbers as a sampler."""

    def __init__(self, steps: Iterable[int]):
        self._steps = steps

    def __iter__(self) -> Iterator[int]:
        return iter(self._steps)


def _as_it_is(batch: Batch) -> Batch:
    return batch


def default_workers(device: str, processes: int) -> int:
    """How many worker processes each of `processes` training processes of this machine gets.

    None on a CPU, where they would take the cores that the network computes with.
    """
    if device == "cpu":
        return 0
    return min(_MOST_WORKERS, max(0, (os.cpu_count() or 1) // processes - 1))


def batches_of(
    batches: TrainingBatches, steps: Iterable[int], part: slice = slice(None), workers: int = 0, pinned: bool = False
) -> Iterator[Batch]:
    """The batches of `steps`, in their order, the same ones whatever the number of workers.

    Args:
        batches: is copied into each worker, so its slices had better lie on disk if there are any.
        steps: may be endless.
        part: which of each batch's examples.
        workers: processes that make batches ahead; none for 0, which makes each one when it is asked for.
        pinned: whether to put them where a GPU reads by itself.
    """
    # Spawned, because a fork of a process that uses CUDA or runs threads may hang.
    context = "spawn" if workers else None
    loader = DataLoader(
        _Parts(batches, part),
        batch_size=None,
        sampler=_Steps(steps),
        num_workers=workers,
        collate_fn=_as_it_is,
        pin_memory=pinned,
        multiprocessing_context=context,
    )
    return iter(loader)
