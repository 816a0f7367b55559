"""Timing side by side, so that what the machine does besides falls on all candidates alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

#: Calls of one candidate in a row. The first is not counted: it finds the caches full of what ran before.
_BLOCK = 4


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


def synchronise(device: str) -> None:
    """Wait until a GPU has done what it was told."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def paired(
    candidates: Mapping[str, Callable[[], object]],
    rounds: int,
    device: str = "cpu",
    block: int = _BLOCK,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Samples]:
    """Time candidates in turns.

    Args:
        candidates: functions by name.
        rounds: how often each has its turn; the order rotates from one to the next.
        device: what to wait for after each call.
        block: calls in a turn, of which the first is not counted.
        clock: in seconds.
    """
    names, seconds = list(candidates), {name: [] for name in candidates}
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            for call in range(block):
                start = clock()
                candidates[name]()
                synchronise(device)
                if call:
                    seconds[name].append(clock() - start)
    return {name: Samples(tuple(values)) for name, values in seconds.items()}
