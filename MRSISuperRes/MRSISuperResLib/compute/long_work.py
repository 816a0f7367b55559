"""A long task of a panel section on the computing thread: its progress, its end, and its cancellation."""

import logging
import queue
import threading
import traceback
from collections.abc import Callable
from typing import Literal

import qt

from inference_core.errors import InputError
from MRSISuperResLib.compute.computation import Computation

#: Seconds that the main thread waits for the computing one, which needs Python's lock: see `live_update`.
_POLL_TIMEOUT_S = 0.012
#: Milliseconds between two such turns.
_INTERVAL_MS = 20


class CancelledError(Exception):
    """The user cancelled."""


class LongWork:
    """One piece of work at a time; all but the work itself is on the main thread.

    Args:
        on_progress: called with what the work reports.
        on_end: called with "done" and what the work returned, "error" and a sentence, or "cancelled" and None.
    """

    def __init__(
        self,
        on_progress: Callable[..., None],
        on_end: Callable[[Literal["done", "error", "cancelled"], object], None],
    ):
        self._on_progress, self._on_end = on_progress, on_end
        self._cancelled: threading.Event | None = None
        self._messages: queue.SimpleQueue = queue.SimpleQueue()
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.connect("timeout()", self._poll)

    @property
    def running(self) -> bool:
        """Whether there is work that has not ended."""
        return self._cancelled is not None

    def start(
        self,
        computation: Computation,
        name: str,
        work: Callable[[Callable[..., None], Callable[[], bool]], object],
    ) -> None:
        """Begin, after what the thread has begun.

        Args:
            computation: whose thread.
            name: of the work, for the sentence on an unexpected error: "The batch".
            work: called on the thread with what it reports progress to, and what tells it whether to end; then it
                returns early, or raises `CancelledError`.
        """
        cancelled, messages = threading.Event(), queue.SimpleQueue()
        self._cancelled, self._messages = cancelled, messages

        def run() -> None:
            try:
                end = "done", work(lambda *content: messages.put(("progress", content)), cancelled.is_set)
            except CancelledError:
                end = "cancelled", None
            except InputError as error:
                end = "error", str(error)
            except Exception as error:
                logging.error(traceback.format_exc())
                end = "error", f"{name} failed unexpectedly ({type(error).__name__}: {error})."
            messages.put(end)

        computation.run(run)
        self._timer.start()

    def cancel(self) -> None:
        """Ask the work to end; `on_end` tells when it has."""
        self._cancelled.set()

    def close(self) -> None:
        """Ask the work to end, and hear no more of it."""
        if self._cancelled is not None:
            self._cancelled.set()
            self._cancelled = None
        self._timer.stop()

    def _poll(self) -> None:
        try:
            kind, content = self._messages.get(timeout=_POLL_TIMEOUT_S)
        except queue.Empty:
            return
        if kind == "progress":
            self._on_progress(*content)
            return
        self._cancelled = None
        self._timer.stop()
        self._on_end(kind, content)
