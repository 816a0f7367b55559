"""The computing thread. There is one: starting another would load the network and set up the GPU again.

It touches neither Qt nor MRML: images come in as copies, results go out as messages in a queue that the main thread
empties. A request replaces the one before it; what is on its way is finished to the slice, so that a slider in motion
shows values as fast as they can be computed, and the last one always.
"""

import queue
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from inference_core.errors import InputError, collected_warnings
from MRSISuperResLib.compute.patient_cache import PatientCache
from MRSISuperResLib.compute.requests import (
    CertaintyDone,
    CertaintyFinished,
    Checked,
    Failed,
    Finished,
    Matching,
    Prepared,
    Request,
    SlicesDone,
    Whole,
)

#: Seconds at most that the thread waits for slices to be drawn: computing on would take the cores that draw them.
_DRAWING_TIMEOUT_S = 0.1
#: Seconds that the user's hand has to rest before the thread turns to how far a result may be trusted.
_IDLE_S = 0.3


class _SupersededError(Exception):
    """What is being computed is no longer wanted, or has to wait."""


class Computation:
    """Owns the thread.

    Attributes:
        messages: what the thread has to say.
        cache: the network and the last patient; for the thread only.
    """

    def __init__(self):
        self.messages: queue.SimpleQueue = queue.SimpleQueue()
        self.cache = PatientCache()
        self._executor: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._pending: Request | None = None
        self._serving = False
        self._arrived = threading.Event()
        self._queued = 0
        self._closing = False

    # Called from the main thread.

    def request(self, request: Request) -> None:
        """Work on `request` next, instead of any that waits. Returns at once."""
        with self._lock:
            self._pending = request
            self._arrived.set()
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
        with self._lock:
            self._queued += 1
            self._arrived.set()
        return self._executor.submit(self._begin, function, *arguments)

    def close(self) -> None:
        """End the thread once what it has begun is done, a slice at most if requests were cancelled."""
        self.drop_pending()
        if self._executor is not None:
            self._closing = True
            self._arrived.set()
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None
            self._serving = self._closing = False
            self._queued = 0
        self.cache.clear()

    # Called on the thread.

    def _begin(self, function: Callable, *arguments):
        with self._lock:
            self._queued -= 1
        return function(*arguments)

    def super_resolve(self, request: Request, certainty: bool = False) -> Whole:
        """All slices of one request, without messages.

        Args:
            request: what is wanted.
            certainty: whether their uncertainty is, too. That of a ratio's maps is found anyway, if it can be, since it
                tells where the denominator may be zero.

        Raises:
            InputError: as `SuperResolver.prepare` and `SuperResolver.super_resolve`, for a ratio that means nothing, or
                for weights without calibration if the uncertainty is wanted.
        """
        from inference_core.inference.result_calibration import result_calibration

        resolver = self.cache.resolver(request.model)
        calibration, sentence = result_calibration(resolver, certainty, request.quantity.ratio is not None)
        source, notices = self.cache.source(request)
        notices = (*notices, sentence) if sentence else notices
        return Whole(source.whole(calibration), notices, resolver)

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
                message = self._fulfil(request)
            except InputError as error:
                message = Failed(request, str(error))
            except Exception as error:
                sentence = f"Super-resolution failed unexpectedly ({type(error).__name__}: {error})."
                message = Failed(request, sentence, traceback.format_exc())
            self.messages.put(message)
            if request.certainty and isinstance(message, Finished) and message.complete:
                self.run(self._look_closer, request, set(), False)

    def _fulfil(self, request: Request) -> Finished:
        if request.cancelled.is_set():
            return Finished(request, False)
        resolver = self.cache.resolver(request.model)
        source, notices = self.cache.source(request)
        if request.cancelled.is_set():
            return Finished(request, False)
        self._announce(request, resolver, source, notices)
        try:
            with collected_warnings() as more:
                self.cache.match(request, lambda done, total: self._tell_matching(request, done, total))
        except _SupersededError:
            return Finished(request, False)
        if more:
            notices = (*notices, *more)
            self._announce(request, resolver, source, notices)
        remaining = set(range(source.grid.slices))
        batch = 1
        while remaining:
            nearest = _nearest(remaining, request.shown)[:batch]
            with collected_warnings() as more:
                found = source.slices(nearest)
            if request.cancelled.is_set():
                return Finished(request, False)
            if more:
                self._announce(request, resolver, source, (*notices, *more))
            message = SlicesDone(request, tuple(nearest), found.values, found.added)
            self.messages.put(message)
            remaining.difference_update(nearest)
            if remaining:
                message.taken.wait(_DRAWING_TIMEOUT_S)
            if self._pending is not None and remaining:
                return Finished(request, False)
            batch = resolver.batch
        source.check_meaning()
        return Finished(request, True, source.measured_energy())

    def _tell_matching(self, request: Request, done: int, total: int) -> None:
        """Report the match, unless it is no longer wanted; a request for another lambda needs the same one."""
        pending = self._pending
        if request.cancelled.is_set() or self._closing or (pending is not None and pending.matched != request.matched):
            raise _SupersededError
        self.messages.put(Matching(request, done, total))

    def _look_closer(self, request: Request, done: set[int], checked: bool) -> None:
        """How far a result may be trusted, as long as nothing else is wanted of the thread.

        First the self-check, a pass or two for a few slices, then the uncertainty, eight for each slice.

        Args:
            request: whose result.
            done: slices whose uncertainty is known.
            checked: whether the self-check was told.
        """
        try:
            source, _ = self.cache.source(request)
            self._wait_until_idle(request)
            if not checked:
                self.messages.put(self._checked(request))
                checked = True
            calibration = self.cache.calibration(self.cache.resolver(request.model))
            while remaining := set(range(source.grid.slices)) - done:
                nearest = _nearest(remaining, request.shown)[:1]
                with collected_warnings():
                    found = source.slices_with_uncertainty(nearest, calibration, lambda *_: self._check_wanted(request))
                self.messages.put(
                    CertaintyDone(request, tuple(nearest), found.uncertainty, found.values, calibration.factor_95)
                )
                done.update(nearest)
            source.check_meaning()
        except _SupersededError:
            if not (request.cancelled.is_set() or self._closing or self._pending is not None):
                # Only something that does not replace it, such as a batch: go on after that.
                self.run(self._look_closer, request, done, checked)
                return
            self.messages.put(CertaintyFinished(request, False))
        except InputError as error:
            self.messages.put(CertaintyFinished(request, False, str(error)))
        except Exception as error:
            sentence = f"The uncertainty failed unexpectedly ({type(error).__name__}: {error})."
            self.messages.put(CertaintyFinished(request, False, sentence, traceback.format_exc()))
        else:
            self.messages.put(CertaintyFinished(request, True))

    def _checked(self, request: Request) -> Checked:
        """The self-check. If it fails, that is what it says: the uncertainty does not need it."""
        from inference_core.inference.self_check import NoSelfCheck

        try:
            with collected_warnings():
                return Checked(request, *self.cache.check(request, lambda *_: self._check_wanted(request)))
        except _SupersededError:
            raise
        except Exception as error:
            unforeseen = not isinstance(error, InputError)
            why = f"The self-check failed unexpectedly ({type(error).__name__}: {error})." if unforeseen else str(error)
            checks = (NoSelfCheck(request.quantity.name, why),)
            return Checked(request, checks, {}, traceback.format_exc() if unforeseen else "")

    def _wait_until_idle(self, request: Request) -> None:
        """Wait until no new request has come for a while."""
        self._check_wanted(request)
        self._arrived.clear()
        if self._queued == 0 and self._pending is None:
            self._arrived.wait(_IDLE_S)
        self._check_wanted(request)

    def _check_wanted(self, request: Request) -> None:
        if request.cancelled.is_set() or self._pending is not None or self._queued or self._closing:
            raise _SupersededError

    def _announce(self, request: Request, resolver, source, notices: tuple[str, ...]) -> None:
        weights = resolver.weights.sha256 if resolver.weights else ""
        first = source.first
        self.messages.put(Prepared(request, first.grid, first.n, notices, resolver.device_reason, weights))


def _nearest(indices: set[int], shown: int) -> list[int]:
    """Those next to what the user looks at first."""
    return sorted(indices, key=lambda index: (abs(index - shown), index))


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
