"""The project's performance goals."""

from typing import NamedTuple


class Goal(NamedTuple):
    """A figure and its bound.

    Attributes:
        what: the figure's name.
        measured: the figure.
        asked: its bound, the most that it may be, or for "times faster" the least.
        unit: of both.
    """

    what: str
    measured: float
    asked: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the figure keeps its bound."""
        return self.measured >= self.asked if self.unit == "times faster" else self.measured <= self.asked

    def as_dict(self) -> dict:
        """For JSON."""
        return self._asdict() | {"met": self.met}


def slider(measured_ms: float, what: str) -> Goal:
    """Of the shown slice after the slider moved."""
    return Goal(f"shown slice, 95 %: {what}", measured_ms, 100, "ms")


def volume_memory(measured_gib: float, what: str) -> Goal:
    """Of a process that super-resolves a volume."""
    return Goal(f"memory: {what}", measured_gib, 1.5, "GiB")


def volume_on_gpu(measured_ms: float, what: str) -> Goal:
    """Of a volume's passes on a GPU."""
    return Goal(f"on a GPU: {what}", measured_ms, 50, "ms")


def training(times_faster: float, what: str) -> Goal:
    """Of a training step, against the plain network's."""
    return Goal(f"training: {what}", times_faster, 3, "times faster")
