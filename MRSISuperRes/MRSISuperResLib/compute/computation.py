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
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.terms.quantity import Quantity
from MRSISuperResLib.compute.other_side import OtherSide
from MRSISuperResLib.compute.source import Source
from MRSISuperResLib.scene.normal_tissue import NormalTissue
from MRSISuperResLib.scene.volumes import PatientImages

#: Seconds at most that the thread waits for slices to be drawn: computing on would take the cores that draw them.
_COURTESY = 0.1
#: Seconds that the user's hand has to rest before the thread turns to how certain a result is.
_REST = 0.3
#: Prepared maps that are kept: as many as a patient has metabolites.
_MOST_PREPARED = 7


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
        images: the patient's images, by metabolite: as many as the quantity has.
        quantity: a metabolite, or a ratio of some.
        sharpness: lambda.
        model: the network.
        shown: index of the slice that the user looks at; may be changed while the request is worked on.
        certainty: whether to find out how certain the result is, once it is there.
        tissue: what a ratio is compared with, if that is in segments.
        number: greater than those of earlier requests.
        cancelled: set to give up.
    """

    images: Mapping[str, PatientImages]
    quantity: Quantity
    sharpness: float
    model: Model
    shown: int = 0
    certainty: bool = False
    tissue: NormalTissue | None = None
    number: int = field(default_factory=itertools.count(1).__next__)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def key(self) -> tuple:
        """Equal for equal images and tissue."""
        own = tuple(images.key for images in self.images.values())
        return own if self.tissue is None else (*own, self.tissue.key)


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
        added: what of `values` came from the network and not from the measurement; None for a ratio.
        taken: to be set by the main thread once it has drawn the slices.
    """

    request: Request
    indices: tuple[int, ...]
    values: np.ndarray
    added: np.ndarray | None = None
    taken: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Finished:
    """All slices are done, or (`complete` false) a newer request or the user ended this one early.

    Attributes:
        measured_energy: the share of the result's energy that lies in the measured k-space, 0 to 1; None for a ratio.
    """

    request: Request
    complete: bool
    measured_energy: float | None = None


@dataclass(frozen=True)
class CertaintyDone:
    """How certain some slices are: `widths[i]`, `(64, 64)`, are half-widths of 68 % intervals in slice `indices[i]`.

    Attributes:
        values: the slices again: of a ratio, only now is known where its denominator may as well be zero.
        factor_95: half-width of the 95 % interval in those of the 68 % interval.
    """

    request: Request
    indices: tuple[int, ...]
    widths: np.ndarray
    values: np.ndarray
    factor_95: float


@dataclass(frozen=True)
class CertaintyFinished:
    """How certain all slices are is known, or (`complete` false) will not be: why, unless it is the user's doing."""

    request: Request
    complete: bool
    sentence: str = ""
    details: str = ""


@dataclass(frozen=True)
class Failed:
    """The request can't be fulfilled: one sentence for the user, and a traceback if it was not foreseen."""

    request: Request
    sentence: str
    details: str = ""


@dataclass(frozen=True)
class Whole:
    """A result of all slices, `(slice, 64, 64)`.

    Attributes:
        values: super-resolved.
        widths: half-widths of their 68 % intervals; None if neither they nor a ratio were asked for.
        prepared: what it was made from; of a ratio, the first metabolite's.
        notices: what the user should know.
        resolver: what made it.
    """

    values: np.ndarray
    widths: np.ndarray | None
    prepared: object
    notices: tuple[str, ...]
    resolver: object


class _SupersededError(Exception):
    """What is being computed is no longer wanted, or has to wait."""


class Computation:
    """Owns the thread, the network, and the last patient's prepared images.

    Attributes:
        messages: what the thread has to say.
        other_side: where the brain's other side is; for the thread only.
    """

    def __init__(self):
        self.messages: queue.SimpleQueue = queue.SimpleQueue()
        self.other_side = OtherSide()
        self._executor: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._pending: Request | None = None
        self._serving = False
        self._resolver = (None, None)
        self._loading_notices: tuple[str, ...] = ()
        self._calibration = (None, None)
        self._prepared: dict[tuple, tuple] = {}
        self._tissue = (None, None)
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
        self._resolver = self._calibration = (None, None)
        self._prepared.clear()

    # Called on the thread.

    def _begin(self, function: Callable, *arguments):
        with self._lock:
            self._queued -= 1
        return function(*arguments)

    def resolver(self, model: Model):
        """The `SuperResolver` for a model, kept until another is asked for.

        Raises:
            InputError: as `SuperResolver.load`.
        """
        from inference_core.inference.super_resolver import SuperResolver

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
        if images.key not in self._prepared:
            if len(self._prepared) >= _MOST_PREPARED:
                self._prepared.clear()
            with _collected_notices() as notices:
                prepared = resolver.prepare(images.low_resolution, images.t1, images.flair)
            self._prepared[images.key] = (prepared, tuple(notices))
        prepared, notices = self._prepared[images.key]
        return prepared, (*self._loading_notices, *notices)

    def calibration(self, resolver):
        """The calibration of a resolver's weights, kept until another is asked for.

        Raises:
            InputError: if there is none.
        """
        from inference_core.inference.uncertainty.calibration import load_calibration

        if self._calibration[0] is not resolver.weights:
            self._calibration = (resolver.weights, load_calibration(resolver.weights))
        return self._calibration[1]

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

        resolver = self.resolver(request.model)
        calibration, warning = result_calibration(resolver, certainty, request.quantity.ratio is not None)
        source, notices = self._source(resolver, request)
        notices = (*notices, warning) if warning else notices
        indices, widths = list(range(source.grid.slices)), None
        if calibration is None:
            values = source.slices(indices).values
        else:
            values, widths = source.certainty(calibration, indices, lambda *_: None)
        source.check_meaning()
        return Whole(values, widths, source.first, notices, resolver)

    def serve_waiting(self) -> None:
        """Fulfil the request that waits, if one does; for long work on the thread to call now and then."""
        if self._pending is not None:
            self._serve()

    def _take(self) -> Request | None:
        with self._lock:
            request, self._pending = self._pending, None
            self._serving = request is not None
            return request

    def _source(self, resolver, request: Request) -> tuple[Source, tuple[str, ...]]:
        """What gives the request's slices, and what the user should know.

        Raises:
            InputError: as `SuperResolver.prepare`, or for maps that are not on one grid.
        """
        prepared, notices = {}, []
        for name, images in request.images.items():
            prepared[name], own = self.prepared(resolver, images)
            notices += [notice for notice in own if notice not in notices]
        tissue = None if request.tissue is None else self._tissue_mask(request, next(iter(prepared.values())))
        return Source(resolver, request.quantity, prepared, request.sharpness, tissue), tuple(notices)

    def _tissue_mask(self, request: Request, prepared) -> np.ndarray:
        """Where a request's tissue is in its maps, kept for the next request.

        Raises:
            InputError: if the other side can't be found.
        """
        from inference_core.imaging.mirror import mirrored
        from inference_core.imaging.reference_region import reference_mask

        if self._tissue[0] != request.key:
            images, region = next(iter(request.images.values())), request.tissue.region
            if request.tissue.mirror:
                other_side = self.other_side.find(images.t1, images.key[1], lambda: None)
                region = mirrored(region, other_side, images.t1)
            self._tissue = (request.key, reference_mask(region, prepared.grid, prepared.brain))
        return self._tissue[1]

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
                self.run(self._find_certainty, request, set())

    def _fulfil(self, request: Request) -> Finished:
        if request.cancelled.is_set():
            return Finished(request, False)
        resolver = self.resolver(request.model)
        source, notices = self._source(resolver, request)
        if request.cancelled.is_set():
            return Finished(request, False)
        self._announce(request, resolver, source, notices)
        remaining = set(range(source.grid.slices))
        batch = 1
        while remaining:
            nearest = _nearest(remaining, request.shown)[:batch]
            with _collected_notices() as more:
                found = source.slices(nearest)
            if request.cancelled.is_set():
                return Finished(request, False)
            if more:
                self._announce(request, resolver, source, (*notices, *more))
            message = SlicesDone(request, tuple(nearest), found.values, found.added)
            self.messages.put(message)
            remaining.difference_update(nearest)
            if remaining:
                message.taken.wait(_COURTESY)
            if self._pending is not None and remaining:
                return Finished(request, False)
            batch = resolver.batch
        source.check_meaning()
        return Finished(request, True, source.measured_energy())

    def _find_certainty(self, request: Request, done: set[int]) -> None:
        """How certain a result is, slice by slice, as long as nothing else is wanted of the thread."""
        try:
            resolver = self.resolver(request.model)
            calibration = self.calibration(resolver)
            source, _ = self._source(resolver, request)
            self._rest(request)
            while remaining := set(range(source.grid.slices)) - done:
                nearest = _nearest(remaining, request.shown)[:1]
                with _collected_notices():
                    values, widths = source.certainty(calibration, nearest, lambda *_: self._check_wanted(request))
                self.messages.put(CertaintyDone(request, tuple(nearest), widths, values, calibration.factor_95))
                done.update(nearest)
            source.check_meaning()
        except _SupersededError:
            if not (request.cancelled.is_set() or self._closing or self._pending is not None):
                # Only something that does not replace it, such as a batch: go on after that.
                self.run(self._find_certainty, request, done)
                return
            self.messages.put(CertaintyFinished(request, False))
        except InputError as error:
            self.messages.put(CertaintyFinished(request, False, str(error)))
        except Exception as error:
            sentence = f"The uncertainty failed unexpectedly ({type(error).__name__}: {error})."
            self.messages.put(CertaintyFinished(request, False, sentence, traceback.format_exc()))
        else:
            self.messages.put(CertaintyFinished(request, True))

    def _rest(self, request: Request) -> None:
        """Wait until the user's hand rests."""
        self._check_wanted(request)
        self._arrived.clear()
        if self._queued == 0 and self._pending is None:
            self._arrived.wait(_REST)
        self._check_wanted(request)

    def _check_wanted(self, request: Request) -> None:
        if request.cancelled.is_set() or self._pending is not None or self._queued or self._closing:
            raise _SupersededError

    def _announce(self, request: Request, resolver, source: Source, notices: tuple[str, ...]) -> None:
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
