"""The thread that computes. One, and warm: starting it anew would load the network and set up the GPU each time.

It touches neither Qt nor MRML: images come in as copies, results go out as messages in a queue that the main thread
empties. A request replaces the one before it; what is on its way is finished to the slice, so that a slider in motion
shows values as fast as they can be computed, and the last one always.
"""

import itertools
import queue
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from inference_core.errors import InputError, InputWarning
from inference_core.geometry import SuperResolvedGrid
from MRSISuperResLib.volumes import PatientImages

#: Seconds at most that the thread waits for slices to be drawn: computing on would take the cores that draw them.
_COURTESY = 0.1


@contextmanager
def _collected_notices() -> Iterator[list[str]]:
    """What the core warns the user of meanwhile; other warnings go where they would."""
    notices: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notices
    notices += [str(w.message) for w in caught if issubclass(w.category, InputWarning)]
    for other in caught:
        if not issubclass(other.category, InputWarning):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)


@dataclass(frozen=True)
class Model:
    """Which network, and where it computes: a file of weights ("" for the default), and a device or "automatic"."""

    weights: str = ""
    device: str = "automatic"


@dataclass(eq=False)
class Request:
    """One super-resolution: of what, how, and what to begin with.

    Attributes:
        images: the patient's images.
        metabolite: by its paper name.
        sharpness: lambda.
        model: the network.
        shown: index of the slice that the user looks at; may be changed while the request is worked on.
        number: greater than those of earlier requests.
        cancelled: set to give up.
    """

    images: PatientImages
    metabolite: str
    sharpness: float
    model: Model
    shown: int = 0
    number: int = field(default_factory=itertools.count(1).__next__)
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Prepared:
    """The images are on the network's grids."""

    request: Request
    grid: SuperResolvedGrid
    n: int
    notices: tuple[str, ...]
    device: str
    weights: str


@dataclass(frozen=True)
class SlicesDone:
    """Some slices are super-resolved: `values[i]`, `(64, 64)`, is slice `indices[i]`.

    Attributes:
        taken: to be set by the main thread once it has drawn the slices.
    """

    request: Request
    indices: tuple[int, ...]
    values: np.ndarray
    taken: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Finished:
    """All slices are done, or (`complete` false) a newer request or the user ended this one early."""

    request: Request
    complete: bool


@dataclass(frozen=True)
class Failed:
    """The request can't be fulfilled: one sentence for the user, and a traceback if it was not foreseen."""

    request: Request
    sentence: str
    details: str = ""


class Computation:
    """Owns the thread, the network, and the last patient's prepared images."""

    def __init__(self):
        self.messages: queue.SimpleQueue = queue.SimpleQueue()
        self._executor: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._pending: Request | None = None
        self._serving = False
        self._resolver = (None, None)
        self._loading_notices: tuple[str, ...] = ()
        self._prepared = (None, None)

    # Called from the main thread.

    def request(self, request: Request) -> None:
        """Work on `request` next, instead of any that waits. Returns at once."""
        with self._lock:
            self._pending = request
            if self._serving:
                return
            self._serving = True
        self.run(self._serve)

    def drop_pending(self) -> None:
        """Forget the request that waits, if one does."""
        with self._lock:
            self._pending = None

    def run(self, function: Callable, *arguments) -> Future:
        """Call `function` on the thread, after what it has begun. Returns at once."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="MRSISuperRes")
        return self._executor.submit(function, *arguments)

    def close(self) -> None:
        """End the thread once what it has begun is done, a slice at most if requests were cancelled."""
        self.drop_pending()
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None
            self._serving = False
        self._resolver = self._prepared = (None, None)

    # Called on the thread.

    def resolver(self, model: Model):
        """The `SuperResolver` for a model, kept until another is asked for.

        Raises:
            InputError: as `SuperResolver.load`.
        """
        from inference_core.super_resolver import SuperResolver

        if self._resolver[0] != model:
            # Freed first: two networks may not fit into a small GPU's memory.
            self._resolver = (None, None)
            device = None if model.device == "automatic" else model.device
            with _collected_notices() as notices:
                self._resolver = (model, SuperResolver.load(model.weights or None, device))
            self._loading_notices = tuple(notices)
        return self._resolver[1]

    def prepared(self, resolver, images: PatientImages):
        """Prepared images and what the user should know of them and of the network, kept for these images.

        Raises:
            InputError: as `SuperResolver.prepare`.
        """
        if self._prepared[0] != images.key:
            self._prepared = (None, None)
            with _collected_notices() as notices:
                prepared = resolver.prepare(images.low_resolution, images.t1, images.flair)
            self._prepared = (images.key, (prepared, tuple(notices)))
        prepared, notices = self._prepared[1]
        return prepared, (*self._loading_notices, *notices)

    def super_resolve(self, request: Request):
        """All slices of one request, without messages: `(array, prepared, notices, resolver)`.

        Raises:
            InputError: as `SuperResolver.prepare` and `SuperResolver.super_resolve`.
        """
        resolver = self.resolver(request.model)
        prepared, notices = self.prepared(resolver, request.images)
        return resolver.super_resolve(prepared, request.metabolite, request.sharpness), prepared, notices, resolver

    def serve_waiting(self) -> None:
        """Fulfil the request that waits, if one does; for long work on the thread to call now and then."""
        if self._pending is not None:
            self._serve()

    def _take(self) -> Request | None:
        with self._lock:
            request, self._pending = self._pending, None
            self._serving = request is not None
            return request

    def _serve(self) -> None:
        while (request := self._take()) is not None:
            try:
                complete = self._fulfil(request)
            except InputError as error:
                self.messages.put(Failed(request, str(error)))
            except Exception as error:
                sentence = f"Super-resolution failed unexpectedly ({type(error).__name__}: {error})."
                self.messages.put(Failed(request, sentence, traceback.format_exc()))
            else:
                self.messages.put(Finished(request, complete))

    def _fulfil(self, request: Request) -> bool:
        if request.cancelled.is_set():
            return False
        resolver = self.resolver(request.model)
        prepared, notices = self.prepared(resolver, request.images)
        if request.cancelled.is_set():
            return False
        self._announce(request, resolver, prepared, notices)
        remaining = set(range(prepared.grid.slices))
        batch = 1
        while remaining:
            nearest = sorted(remaining, key=lambda index: (abs(index - request.shown), index))[:batch]
            with _collected_notices() as more:
                values = resolver.super_resolve(prepared, request.metabolite, request.sharpness, slices=nearest)
            if request.cancelled.is_set():
                return False
            if more:
                self._announce(request, resolver, prepared, (*notices, *more))
            message = SlicesDone(request, tuple(nearest), values)
            self.messages.put(message)
            remaining.difference_update(nearest)
            if remaining:
                message.taken.wait(_COURTESY)
            if self._pending is not None and remaining:
                return False
            batch = resolver.batch
        return True

    def _announce(self, request: Request, resolver, prepared, notices: tuple[str, ...]) -> None:
        weights = resolver.weights.sha256 if resolver.weights else ""
        self.messages.put(Prepared(request, prepared.grid, prepared.n, notices, resolver.device_reason, weights))


_shared: Computation | None = None


def shared_computation() -> Computation:
    """The process's one computation, made when first asked for."""
    global _shared
    if _shared is None:
        _shared = Computation()
    return _shared


def close_shared_computation() -> None:
    """End the process's computation; the next `shared_computation` starts another."""
    global _shared
    if _shared is not None:
        _shared.close()
        _shared = None
