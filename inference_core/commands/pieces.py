"""Long commands in several runs: `--for 9m` stops in time, and a few files hold all that the next run needs."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inference_core.errors import InputError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class OutOfTimeError(InputError):
    """Time ended before any training began."""


@dataclass(frozen=True)
class Deadline:
    """When to stop.

    Attributes:
        seconds: from its making on; None for never.
    """

    seconds: float | None = None
    _start: float = field(default_factory=lambda: time.monotonic())

    @classmethod
    def after(cls, duration: str | None) -> "Deadline":
        """From now on.

        Args:
            duration: such as 9m; None for never.

        Raises:
            InputError: for what is no time.
        """
        from inference_core.terms.duration import parse_duration

        return cls(None if duration is None else parse_duration(duration, "time of --for"))

    def __bool__(self) -> bool:
        """Whether there is such a time."""
        return self.seconds is not None

    @property
    def end(self) -> float | None:
        """When, on `time.monotonic`'s clock."""
        return None if self.seconds is None else self._start + self.seconds

    def passed(self) -> bool:
        """Whether it is time to stop."""
        return self.end is not None and time.monotonic() >= self.end

    def bounding(self, items: Iterable, doing: str) -> Iterator:
        """`items` as they come.

        Raises:
            OutOfTimeError: once time has passed and there are more of them.
        """
        for item in items:
            yield item
            if self.passed():
                raise OutOfTimeError(
                    f"The time of --for ended while {doing} patients: give --cache FOLDER, which keeps them for the "
                    "next run, or more time."
                )


def in_pieces(fabric: "Fabric", folder: Path, deadline: Deadline, work: Callable[[], bool]) -> None:
    """Do `work` on what an earlier piece left in `folder`, and leave the folder to the next piece.

    Args:
        fabric: launched; its first process alone packs and unpacks.
        folder: of the run.
        deadline: until when; without one, the folder is left as it is.
        work: returns whether all is done.

    Raises:
        InputError: as `work`, `pack` and `unpack`.
    """
    from inference_core.research.training.launch import together
    from inference_core.research.training.packing import MOST_PARTS, pack, unpack

    together(fabric, lambda: unpack(folder), alone=True)
    if work() or not deadline:
        return
    parts = together(fabric, lambda: pack(folder), alone=True)
    if parts is not None and parts > MOST_PARTS:
        fabric.print(f"What is needed to go on takes {parts} files, more than {MOST_PARTS}.", flush=True)
