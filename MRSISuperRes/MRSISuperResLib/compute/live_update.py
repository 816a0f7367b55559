"""From a request to pixels: gives the thread the latest request, and puts what it returns into the result volume.

Runs on the main thread. A Qt timer empties the thread's queue of messages. Slicer holds Python's global lock while its
event loop runs, so the thread can only proceed while Python code on the main thread waits: the timer therefore waits
for messages for some milliseconds at a time, short enough not to be felt.
"""

import enum
import logging
import queue
import threading
import time
from dataclasses import dataclass

import numpy as np
import qt
import slicer

from inference_core.errors import InputError
from MRSISuperResLib.compute.computation import Computation
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
)
from MRSISuperResLib.compute.scene_request import CopiedImages, SceneRequest
from MRSISuperResLib.scene.result_certainty import ResultCertainty
from MRSISuperResLib.scene.result_volume import ResultLabel, ResultVolume, result_of
from MRSISuperResLib.scene.shown_slice import ijk_to_world, shown_slice
from MRSISuperResLib.scene.volumes import ijk_to_frame

#: Seconds that the main thread waits for the computing thread, per turn of the event loop.
_POLL_TIMEOUT_S = 0.012
#: Milliseconds between two turns while something is computed.
_INTERVAL_MS = 2
#: Seconds after which slices that are not shown are drawn, together, if more of them are still to come.
_OTHERS_AFTER = 0.25


class State(enum.Enum):
    """What is going on."""

    IDLE = "nothing is computed"
    SUPER_RESOLVING = "slices are computed"
    ESTIMATING = "the result is complete, its self-check and uncertainty are computed"


@dataclass(eq=False)
class Job:
    """One request on its way.

    Attributes:
        asked: what the user asked for.
        map_names: of the maps that it was made of, as they were called then.
        request: what the thread was given.
        prepared: what the thread said of the images, once it has.
    """

    asked: SceneRequest
    map_names: str
    request: Request
    prepared: Prepared | None = None

    @property
    def label(self) -> ResultLabel:
        """Of the result, once the images are prepared."""
        return ResultLabel(
            metabolite=self.asked.quantity.name,
            sharpness=self.asked.sharpness,
            n=self.prepared.n,
            map_name=self.map_names,
            t1_name=self.asked.t1_node.GetName(),
            flair_name=self.asked.flair_node.GetName(),
            segmentation_name=self.asked.segmentation_name,
            weights=self.prepared.weights,
            device=self.prepared.device,
            detail=self.asked.model.detail,
            consistency=self.asked.model.consistency,
        )


class Listener:
    """Events of `LiveUpdate`; the panel overrides those that it shows."""

    def on_working(self, done: int, total: int) -> None:
        """So many slices of all are done; 0 of 0 while images are being prepared."""

    def on_matching(self, done: int, total: int) -> None:
        """The detail is matched to the data before the first slice: so many passes are done of all."""

    def on_prepared(self, notices: tuple[str, ...], device: str) -> None:
        """The input was accepted; sentences for the user, and where it is computed."""

    def on_result(self, result: ResultVolume, first: bool) -> None:
        """New pixels are in the result volume; `first` if it was empty or in another place before."""

    def on_idle(self, complete: bool) -> None:
        """Nothing is computed any more; `complete` if the last request was fulfilled."""

    def on_failed(self, sentence: str) -> None:
        """The request can't be fulfilled."""

    def on_certainty(self) -> None:
        """What is known of the result's self-check or uncertainty has changed."""


class LiveUpdate:
    """See the module's docstring.

    Args:
        computation: the thread; shared with others, which ask it for other things.
        listener: told of progress and results.
    """

    def __init__(self, computation: Computation, listener: Listener):
        self._computation = computation
        self._listener = listener
        self._state = State.IDLE
        self._job: Job | None = None
        # Those that slices may still come of: the latest, and ones before it that the thread finishes to the slice.
        self._jobs: dict[int, Job] = {}
        self._images = CopiedImages()
        self._shown_from: tuple | None = None
        self._complete_from: tuple | None = None
        self.result: ResultVolume | None = None
        self.certainty = ResultCertainty()
        self._drawing = threading.Event()
        self._held: list[SlicesDone] = []
        self._held_since = 0.0
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.connect("timeout()", self._poll)

    @property
    def working(self) -> bool:
        """Whether slices are computed."""
        return self._state is State.SUPER_RESOLVING

    @property
    def busy(self) -> bool:
        """Whether anything is computed: slices, or how certain they are."""
        return self._state is not State.IDLE

    def start(self, asked: SceneRequest) -> None:
        """Fulfil this request, instead of any before it.

        Raises:
            InputError: if the nodes can't be used; the request before goes on.
        """
        images, tissue = self._images.of(asked)
        if self._state is State.ESTIMATING:
            self._job.request.cancelled.set()
            self.certainty.stopped()
        elif self._state is State.SUPER_RESOLVING and not self._same_patient(asked):
            # Of another patient, nothing more may be shown, not even what is on its way.
            self._job.request.cancelled.set()
            self._abandon()
        shown = _shown_slice(asked.map_node)
        request = Request(images, asked.quantity, asked.sharpness, asked.model, shown, certainty=True, tissue=tissue)
        self._held.clear()
        self._job = Job(asked, asked.map_names, request)
        self._jobs[request.number] = self._job
        self._state = State.SUPER_RESOLVING
        self._computation.request(request)
        self._listener.on_working(0, 0)
        self._timer.start()

    def cancel(self) -> None:
        """Give up, and return to the last complete result. Returns at once; the thread follows within a slice."""
        if self._state is State.ESTIMATING:
            self._stop_estimate()
        elif self._state is State.SUPER_RESOLVING:
            self._end()
            self._abandon()
            self._listener.on_idle(False)

    def forget(self) -> None:
        """Give up, and leave all volumes as they are: they, or the scene, are going away."""
        working = self.working
        self._end()
        self._images.forget()
        self.result = None
        self.certainty.forget()
        if working:
            self._listener.on_idle(False)

    def adopt(self, result: ResultVolume | None) -> None:
        """Go on writing into a result volume that the scene has, or start a new one for None."""
        self._stop_estimate()
        self.result = result
        self.certainty.adopt(result)
        self._shown_from = self._complete_from = None

    def is_current(self, asked: SceneRequest) -> bool:
        """Whether the result shown was computed from what the request's nodes hold now, with its model.

        A result that the scene brought along is taken at its word on what it was made from.
        """
        try:
            if self._shown_from is None:
                label = self.result.label
                treated = (asked.model.detail, asked.model.consistency) == (label.detail, label.consistency)
                sources = label.map_name, label.t1_name, label.flair_name, label.segmentation_name
                return treated and asked.sources == sources
            return self._shown_from == (asked.key, asked.model)
        except InputError:
            return False

    def look(self) -> None:
        """Begin with the slice that is shown now; call when the user scrolls."""
        if self._job is not None:
            self._job.request.shown = _shown_slice(self._job.asked.map_node)

    def close(self) -> None:
        """Forget everything and stop the timer."""
        self.forget()
        self._timer.stop()

    def _same_patient(self, asked: SceneRequest) -> bool:
        return self._job.request.key == asked.key and self._job.asked.map_node is asked.map_node

    def _end(self) -> None:
        """Compute nothing any more."""
        if self._job is not None:
            self._job.request.cancelled.set()
        if self._state is State.SUPER_RESOLVING:
            self._computation.drop_pending()
        elif self._state is State.ESTIMATING:
            self.certainty.stopped()
        self._state, self._job = State.IDLE, None
        self._jobs.clear()
        self._held.clear()
        self._timer.stop()

    def _stop_estimate(self) -> None:
        if self._state is State.ESTIMATING:
            self._end()
            self._listener.on_certainty()

    def _abandon(self) -> None:
        self._shown_from = self._complete_from
        if self.result is not None and not self.result.abandon():
            self.result = None
        self.certainty.abandon(self.result)

    def _poll(self) -> None:
        # Since the last turn, the event loop has drawn what came in then.
        self._drawing.set()
        self.look()
        if self._held and time.monotonic() - self._held_since > _OTHERS_AFTER:
            self._draw_held()
        deadline = time.monotonic() + _POLL_TIMEOUT_S
        while self.busy and (left_s := deadline - time.monotonic()) > 0:
            try:
                message = self._computation.messages.get(timeout=left_s)
            except queue.Empty:
                return
            # However much changes with it, each view that shows the result is rendered once.
            with slicer.util.RenderBlocker():
                self._handle(message)
            if isinstance(message, SlicesDone | CertaintyDone):
                return

    def _handle(self, message) -> None:
        job = self._jobs.get(message.request.number)
        if job is None or job.request.cancelled.is_set():
            return
        latest = job is self._job
        match message:
            case Prepared():
                self._handle_prepared(job, message)
            case Matching() if self._state is State.SUPER_RESOLVING:
                self._listener.on_matching(message.done, message.total)
            case SlicesDone():
                self._handle_slices(job, message)
            case Finished() if latest and self._state is State.SUPER_RESOLVING:
                self._finish(message)
            case Checked() if latest and self._state is State.ESTIMATING:
                if message.details:
                    logging.error(message.details)
                self.certainty.add_checks(message)
                self._listener.on_certainty()
            case CertaintyDone() if latest and self._state is State.ESTIMATING:
                self._handle_certainty(job, message)
            case CertaintyFinished() if latest and self._state is State.ESTIMATING:
                if message.details:
                    logging.error(message.details)
                self._end()
                self.certainty.finished(message.sentence)
                self._listener.on_certainty()
            case Failed() if latest and self._state is State.SUPER_RESOLVING:
                if message.details:
                    logging.error(message.details)
                self._end()
                self._abandon()
                self._listener.on_failed(message.sentence)
                self._listener.on_idle(False)

    def _handle_prepared(self, job: Job, message: Prepared) -> None:
        job.prepared = message
        if job is self._job:
            self._listener.on_prepared(message.notices, message.device)
            self._listener.on_working(0, message.grid.slices)

    def _handle_slices(self, job: Job, message: SlicesDone) -> None:
        """Draw slices at once if the user looks at one of them, else together with others that are not shown."""
        known = self.result is not None and self.result.shows(job.request)
        if known and job.request.shown not in message.indices:
            message.taken.set()
            if job is self._job:
                self._held_since = self._held_since if self._held else time.monotonic()
                self._held.append(message)
            return
        held = [other for other in self._held if other.request is job.request]
        self._held.clear()
        self._draw(job, [*held, message])
        self._drawing = message.taken

    def _draw_held(self) -> None:
        held, self._held = self._held, []
        with slicer.util.RenderBlocker():
            self._draw(self._job, held)

    def _draw(self, job: Job, messages: list[SlicesDone]) -> None:
        """Put slices of a job into the result volume."""
        request, label, grid = job.request, job.label, job.prepared.grid
        first = self._ensure_result(job.asked.map_node)
        self._shown_from = request.key, job.asked.model
        self.certainty.new_result(request, label, grid)
        for message in messages:
            self.certainty.add_slices(message)
        indices = [index for message in messages for index in message.indices]
        self.result.write(request, label, grid, indices, np.concatenate([message.values for message in messages]))
        self._listener.on_result(self.result, first)
        if job is self._job:
            self._listener.on_working(len(self.result.slices_done), grid.slices)

    def _handle_certainty(self, job: Job, message: CertaintyDone) -> None:
        label, grid = job.label, job.prepared.grid
        if job.asked.quantity.ratio:
            # Only now is known where its denominator may as well be zero.
            self.result.write(job.request, label, grid, message.indices, message.values)
        self.certainty.write(message, job.asked.map_node, label, grid)
        self._listener.on_certainty()

    def _ensure_result(self, map_node) -> bool:
        """Have a result volume for the map; whether it is a new one."""
        if self.result is not None and self.result.exists and self.result.map_node is map_node:
            return False
        existing = result_of(map_node)
        self.result = ResultVolume.create(map_node) if existing is None else ResultVolume(existing, map_node)
        return existing is None

    def _finish(self, message: Finished) -> None:
        if self._held:
            self._draw_held()
        if message.complete:
            # The thread goes on with the uncertainty; its messages come through the same timer.
            self._state = State.ESTIMATING
            self._jobs = {self._job.request.number: self._job}
            self.certainty.begin(message)
            self._complete_from = self._shown_from
        else:
            self._end()
        self._listener.on_idle(message.complete)


def _shown_slice(map_node) -> int:
    """Which slice of a map the user looks at."""
    # The result has the map's slices, so that where they lie is known before there is a result.
    matrix = ijk_to_world(ijk_to_frame(map_node, map_node, "metabolite map"), map_node.GetParentTransformNode())
    return shown_slice(matrix, map_node.GetImageData().GetDimensions()[2])
