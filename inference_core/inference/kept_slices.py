"""What the engine keeps of slices between two values of lambda, within a bound on memory."""

import weakref
from collections.abc import Callable
from typing import Any

#: Bytes kept at most, by default: more than a slider moves over, and a small part of what a laptop has.
_MOST_BYTES = 256 * 2**20


class KeptSlicesStore:
    """Keeps slices of one patient and metabolite, those first asked for.

    First come, first kept, since whole volumes come in turns: dropping the oldest to make room would drop each slice
    just before it is needed again.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES):
        self._most_bytes = most_bytes
        self.clear()

    def clear(self) -> None:
        """Keep nothing."""
        self._owner, self._metabolite = lambda: None, None
        self._kept: dict[tuple[int, ...], Any] = {}
        self._bytes = 0

    def get(self, prepared: Any, metabolite: int, slices: tuple[int, ...], make: Callable[[], Any]) -> Any:
        """What `make` gave for the slices, or gives now.

        Args:
            prepared: the patient; what was kept of another is dropped.
            metabolite: likewise.
            slices: their indices.
            make: makes what is kept, which has an attribute `bytes`.
        """
        if self._owner() is not prepared or self._metabolite != metabolite:
            self.clear()
            self._owner, self._metabolite = weakref.ref(prepared), metabolite
        if slices in self._kept:
            return self._kept[slices]
        made = make()
        if self._bytes + made.bytes <= self._most_bytes:
            self._kept[slices] = made
            self._bytes += made.bytes
        return made
