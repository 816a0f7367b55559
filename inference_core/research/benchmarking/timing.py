"""Timing in alternation, so that other load on the machine affects all candidates alike."""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

#: Calls of one candidate in a row. The first is not counted: it finds the caches full of what ran before.
_BLOCK = 4

_Name = TypeVar("_Name", bound=Hashable)


@dataclass(frozen=True)
class Samples:
    """Seconds that something took, again and again."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """In seconds."""
        return float(np.median(self.seconds))

    def percentile(self, percent: float) -> float:
        """In seconds."""
        return float(np.percentile(self.seconds, percent))

    def as_dict(self) -> dict:
        """Median, 5th and 95th percentile, and all samples, in milliseconds."""
        milliseconds = [1e3 * s for s in self.seconds]
        return {
            "median_ms": 1e3 * self.median,
            "p5_ms": 1e3 * self.percentile(5),
            "p95_ms": 1e3 * self.percentile(95),
            "samples_ms": milliseconds,
        }

    @classmethod
    def of(cls, told: Mapping) -> "Samples":
        """From `as_dict`."""
        return cls(tuple(s / 1e3 for s in told["samples_ms"]))


def synchronise(device: str) -> None:
    """Wait until a GPU has finished its work."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


def paired(
    candidates: Mapping[_Name, Callable[[], object]],
    rounds: int,
    device: str = "cpu",
    block: int = _BLOCK,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[_Name, Samples]:
    """Time candidates in turns.

    Args:
        candidates: functions by name; may be none.
        rounds: how often each has its turn; the order rotates from one to the next.
        device: what to wait for before and after each call.
        block: calls in a turn, of which the first is not counted.
        clock: in seconds.
    """
    names, seconds = list(candidates), {name: [] for name in candidates}
    for turn in range(rounds):
        shift = turn % max(1, len(names))
        for name in names[shift:] + names[:shift]:
            for call in range(block):
                synchronise(device)
                start = clock()
                candidates[name]()
                synchronise(device)
                if call:
                    seconds[name].append(clock() - start)
    return {name: Samples(tuple(values)) for name, values in seconds.items()}
