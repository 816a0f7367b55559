"""Where a device finds the slices of a batch: all of them in its memory, or the next ones sent to it."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import torch

from inference_core.research.data.slice_set import Slices, SliceSet
from inference_core.research.data.stored_slices import StoredSlices
from inference_core.research.data.training_batches import Choice, Examples, TrainingBatches
from inference_core.terms.conditions import METABOLITES, MRI_MATRIX, MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

#: Bytes that one slice of all metabolites takes on a device.
_BYTES_PER_SLICE = 2 * 2 * MRI_MATRIX**2 * MRI_UPSAMPLING + len(METABOLITES) * SUPER_RESOLVED_MATRIX**2 * (2 * 4 + 1)
#: The largest share of a GPU's free memory that slices may take.
_SHARE = 0.5


class ExampleSource(Protocol):
    """What gives the slices that were chosen."""

    def send(self, numbers: Sequence[int], following: Sequence[int]) -> None:
        """Before the batches with these numbers are made: put their slices where `take` finds them.

        `following` are the numbers of the next call, for what can be done ahead.
        """

    def take(self, place: int, choice: Choice) -> Examples:
        """The slices of the batch at `place` among the numbers that were sent; does not wait for the device."""

    def close(self) -> None:
        """End what works ahead."""


class ResidentExamples:
    """All slices in a device's memory.

    Args:
        slices: in memory.
        device: where to.
    """

    def __init__(self, slices: SliceSet, device: torch.device):
        self._mri = [torch.from_numpy(image).to(device) for image in (slices.t1, slices.flair)]
        # One axis for metabolites and slices.
        self._maps = [
            torch.from_numpy(maps).to(device).flatten(0, 1) for maps in (slices.acquired, slices.target, slices.valid)
        ]
        self._count = len(slices)

    def send(self, numbers: Sequence[int], following: Sequence[int]) -> None:
        """Nothing: all is there."""

    def take(self, place: int, choice: Choice) -> Examples:
        """The slices of the choice."""
        index = choice.metabolite * self._count + choice.slices
        maps = torch.stack([maps.index_select(0, index).float() for maps in self._maps], dim=1)
        return Examples(maps, torch.stack([mri.index_select(0, choice.slices) for mri in self._mri], dim=1))

    def close(self) -> None:
        """Nothing: nothing works ahead."""


class StreamedExamples:
    """The slices of the next batches, read ahead by a thread, in buffers that stay where they are.

    Args:
        batches: made on the CPU; say which slices a batch takes, and read them.
        places: how many batches are sent at once.
        device: where to.
    """

    def __init__(self, batches: TrainingBatches, places: int, device: torch.device):
        self._batches, self._pinned = batches, device.type == "cuda"
        first = self._read(0)
        self._buffers = [Examples(*(torch.zeros_like(part, device=device) for part in first)) for _ in range(places)]
        self._reader = ThreadPoolExecutor(1)
        self._ahead: tuple[tuple[int, ...], Future | None] = ((), None)

    def _read(self, number: int) -> Examples:
        examples = self._batches.read(self._batches.choose(torch.tensor([number])))
        return Examples(*(part.pin_memory() for part in examples)) if self._pinned else examples

    def _read_all(self, numbers: Sequence[int]) -> list[Examples]:
        return [self._read(number) for number in numbers]

    def send(self, numbers: Sequence[int], following: Sequence[int]) -> None:
        """Copy the slices of these batches into the buffers, and begin to read the following ones.

        Raises:
            InputError: as the slices' `example`.
        """
        ahead, future = self._ahead
        ready = future.result() if ahead == tuple(numbers) and future else self._read_all(numbers)
        self._ahead = tuple(following), self._reader.submit(self._read_all, tuple(following)) if following else None
        for buffer, examples in zip(self._buffers, ready, strict=False):
            for own, part in zip(buffer, examples, strict=True):
                own.copy_(part, non_blocking=self._pinned)
        if self._pinned:
            # The pinned memory is released next; the copies must have left it.
            torch.cuda.current_stream().synchronize()

    def take(self, place: int, choice: Choice) -> Examples:
        """The buffer of the batch at `place`."""
        return self._buffers[place]

    def close(self) -> None:
        """End the reading ahead."""
        self._reader.shutdown(wait=True, cancel_futures=True)


def fits(slices: Slices, device: torch.device) -> bool:
    """Whether a device's memory holds all slices and leaves room to train."""
    if device.type != "cuda":
        return isinstance(slices, SliceSet)
    return len(slices) * _BYTES_PER_SLICE < _SHARE * torch.cuda.mem_get_info(device)[0]


def example_source(batches: TrainingBatches, places: int) -> ExampleSource:
    """Where the batches' device finds slices.

    Args:
        batches: on their device.
        places: how many batches are sent at once.
    """
    slices = batches.slices
    if fits(slices, batches.device):
        return ResidentExamples(slices.in_memory() if isinstance(slices, StoredSlices) else slices, batches.device)
    return StreamedExamples(batches.on("cpu"), places, batches.device)
