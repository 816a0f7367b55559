"""From a wish to pixels: keeps the thread busy with the latest wish, and puts what it returns into the result volume.

Runs on the main thread. A Qt timer empties the thread's queue of messages. Slicer holds Python's global lock while its
event loop runs, so the thread can only proceed while Python code on the main thread waits: the timer therefore waits
for messages for some milliseconds at a time, short enough not to be felt.
"""

import logging
import queue
import threading
import time
from dataclasses import dataclass

import qt

from inference_core.errors import InputError
from inference_core.terms.quantity import Quantity
from MRSISuperResLib.compute.computation import Computation
from MRSISuperResLib.compute.requests import (
    CertaintyDone,
    CertaintyFinished,
    Failed,
    Finished,
    Model,
    Prepared,
    Request,
    SlicesDone,
)
from MRSISuperResLib.scene.normal_tissue import NormalTissue, normal_tissue, tissue_key
from MRSISuperResLib.scene.patient_maps import images_of_maps, maps_beside
from MRSISuperResLib.scene.result_certainty import ResultCertainty
from MRSISuperResLib.scene.result_volume import ResultLabel, ResultVolume, result_of
from MRSISuperResLib.scene.shown_slice import ijk_to_world, shown_slice
from MRSISuperResLib.scene.volumes import PatientImages, ijk_to_frame, images_key

#: Seconds that the main thread waits for the computing thread, per turn of the event loop.
_PATIENCE = 0.012
#: Milliseconds between two turns while something is computed.
_INTERVAL = 2


@dataclass(frozen=True)
class Wish:
    """What the user wants to see: nodes, and how.

    Attributes:
        quantity: what `map_node` shows, or a ratio of that and what other maps on its grid show.
        segmentation: with the tissue that a ratio is compared with; of no matter for other quantities.
    """

    map_node: object
    t1_node: object
    flair_node: object
    quantity: Quantity
    sharpness: float
    model: Model
    segmentation: object = None

    def maps(self) -> dict[str, object]:
        """The volume nodes that it takes, by metabolite.

        Raises:
            InputError: if a ratio's maps are not all there.
        """
        if self.quantity.ratio is None or self.map_node is None:
            return dict.fromkeys(self.quantity.metabolites, self.map_node)
        return self.quantity.choose(maps_beside(self.map_node))

    def key(self) -> tuple:
        """Equal as long as the images stay as they are.

        Raises:
            InputError: if they can't be used.
        """
        own = tuple(images_key(node, self.t1_node, self.flair_node) for node in self.maps().values())
        if not self.quantity.needs_segments:
            return own
        return (*own, tissue_key(self.segmentation, self.quantity.reference.mirror))

    def tissue(self, images: dict[str, PatientImages]) -> NormalTissue | None:
        """What a ratio is compared with, if that is in segments, copied from the scene.

        Raises:
            InputError: as `normal_tissue`.
        """
        if not self.quantity.needs_segments:
            return None
        t1 = next(iter(images.values())).t1
        return normal_tissue(self.segmentation, self.t1_node, t1, self.quantity.reference.mirror)

    @property
    def segmentation_name(self) -> str:
        """Of the segmentation that matters; "" if none does."""
        return self.segmentation.GetName() if self.quantity.needs_segments and self.segmentation else ""


class Listener:
    """What `LiveUpdate` tells of; the panel overrides what it shows."""

    def on_working(self, done: int, total: int) -> None:
        """So many slices of all are done; 0 of 0 while images are being prepared."""

    def on_prepared(self, notices: tuple[str, ...], device: str) -> None:
        """The input was accepted; sentences for the user, and where it is computed."""

    def on_result(self, result: ResultVolume, first: bool) -> None:
        """New pixels are in the result volume; `first` if it was empty or in another place before."""

    def on_idle(self, complete: bool) -> None:
        """Nothing is computed any more; `complete` if the last wish was fulfilled."""

    def on_failed(self, sentence: str) -> None:
        """The wish can't be fulfilled."""

    def on_certainty(self) -> None:
        """What is known of the result's uncertainty has changed."""


class LiveUpdate:
    """See the module's docstring.

    Args:
        computation: the thread; shared with others, which ask it for other things.
        listener: told of progress and results.
    """

    def __init__(self, computation: Computation, listener: Listener):
        self._computation = computation
        self._listener = listener
        self._images: dict[str, PatientImages] | None = None
        self._tissue: NormalTissue | None = None
        self._images_key: tuple | None = None
        self._wish: Wish | None = None
        self._request: Request | None = None
        self._wishes: dict[int, tuple[Wish, str]] = {}
        self._prepared: dict[int, Prepared] = {}
        self._shown_from: tuple | None = None
        self._complete_from: tuple | None = None
        self.result: ResultVolume | None = None
        self.certainty = ResultCertainty()
        self._estimating: Request | None = None
        self._drawing = threading.Event()
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL)
        self._timer.connect("timeout()", self._poll)

    @property
    def working(self) -> bool:
        """Whether a wish is being fulfilled."""
        return self._request is not None

    @property
    def busy(self) -> bool:
        """Whether anything is computed: a wish, or how certain its result is."""
        return self._request is not None or self._estimating is not None

    def wish(self, wish: Wish) -> None:
        """Fulfil this wish, instead of any before it.

        Raises:
            InputError: if the nodes can't be used; the wish before goes on.
        """
        key = wish.key()
        if self._images_key != key:
            images = images_of_maps(wish.maps(), wish.t1_node, wish.flair_node, wish.quantity.metabolites)
            self._images, self._tissue = images, wish.tissue(images)
            self._images_key = key
        elif wish.quantity.ratio is None:
            # The same map, which the user takes for another metabolite's now.
            self._images = dict(zip(wish.quantity.metabolites, self._images.values(), strict=True))
        self._end_estimate()
        if self._wish is not None and self._request is not None and not self._same_patient(wish):
            # Of another patient, nothing more may be shown, not even what is on its way.
            self._request.cancelled.set()
            self._abandon()
        self._wish = wish
        request = Request(
            self._images, wish.quantity, wish.sharpness, wish.model, self._shown(), certainty=True, tissue=self._tissue
        )
        self._request = request
        self._wishes[request.number] = wish, _names(wish.maps())
        self._computation.request(request)
        self._listener.on_working(0, 0)
        self._timer.start()

    def cancel(self) -> None:
        """Give up, and return to the last complete result. Returns at once; the thread follows within a slice."""
        if self._request is None:
            self._stop_estimate()
            return
        self._end()
        self._abandon()
        self._listener.on_idle(False)

    def forget(self) -> None:
        """Give up, and leave all volumes as they are: they, or the scene, are going away."""
        working = self._request is not None
        self._end()
        self._images = self._tissue = self._images_key = self._wish = self.result = None
        self.certainty.forget()
        if working:
            self._listener.on_idle(False)

    def adopt(self, result: ResultVolume | None) -> None:
        """Go on writing into a result volume that the scene has, or start a new one for None."""
        self._stop_estimate()
        self.result = result
        self.certainty.adopt(result)
        self._shown_from = self._complete_from = None

    def is_current(self, wish: Wish) -> bool:
        """Whether the result shown was computed from what the wish's nodes hold now, with its model.

        A result that the scene brought along is taken at its word on what it was made from.
        """
        try:
            if self._shown_from is None:
                label = self.result.label
                names = tuple(node.GetName() if node is not None else "" for node in (wish.t1_node, wish.flair_node))
                known = (label.map_name, label.t1_name, label.flair_name, label.segmentation_name)
                return (_names(wish.maps()), *names, wish.segmentation_name) == known
            return self._shown_from == (wish.key(), wish.model)
        except InputError:
            return False

    def look(self) -> None:
        """Begin with the slice that is shown now; call when the user scrolls."""
        for request in (self._request, self._estimating):
            if request is not None:
                request.shown = self._shown()

    def close(self) -> None:
        """Forget everything and stop the timer."""
        self.forget()
        self._timer.stop()

    def _same_patient(self, wish: Wish) -> bool:
        return self._request.key == self._images_key and wish.map_node is self._wish.map_node

    def _end(self) -> None:
        if self._request is not None:
            self._request.cancelled.set()
            self._computation.drop_pending()
        self._request = None
        self._end_estimate()
        self._wishes.clear()
        self._prepared.clear()
        self._timer.stop()

    def _end_estimate(self) -> None:
        if self._estimating is not None:
            self._estimating.cancelled.set()
            self._estimating = None
            self.certainty.stopped()

    def _stop_estimate(self) -> None:
        if self._estimating is not None:
            self._end()
            self._listener.on_certainty()

    def _abandon(self) -> None:
        self._shown_from = self._complete_from
        if self.result is not None and not self.result.abandon():
            self.result = None
        self.certainty.abandon(self.result)

    def _shown(self) -> int:
        node = self._wish.map_node
        # The result has the map's slices, so that where they lie is known before there is a result.
        matrix = ijk_to_world(ijk_to_frame(node, node, "metabolite map"), node.GetParentTransformNode())
        return shown_slice(matrix, node.GetImageData().GetDimensions()[2])

    def _poll(self) -> None:
        # Since the last turn, the event loop has drawn what came in then.
        self._drawing.set()
        self.look()
        deadline = time.monotonic() + _PATIENCE
        while self.busy and (patience := deadline - time.monotonic()) > 0:
            try:
                message = self._computation.messages.get(timeout=patience)
            except queue.Empty:
                return
            self._handle(message)
            if isinstance(message, SlicesDone | CertaintyDone):
                return

    def _handle(self, message) -> None:
        request = message.request
        if request.cancelled.is_set() or request.number not in self._wishes:
            return
        match message:
            case Prepared():
                self._handle_prepared(message)
            case SlicesDone():
                self._handle_slices(message)
            case Finished() if request is self._request:
                self._finish(message)
            case CertaintyDone() if request is self._estimating:
                self._handle_certainty(message)
            case CertaintyFinished() if request is self._estimating:
                if message.details:
                    logging.error(message.details)
                self._end()
                self.certainty.finished(message.sentence)
                self._listener.on_certainty()
            case Failed() if request is self._request:
                if message.details:
                    logging.error(message.details)
                self._end()
                self._abandon()
                self._listener.on_failed(message.sentence)
                self._listener.on_idle(False)

    def _handle_prepared(self, message: Prepared) -> None:
        self._prepared[message.request.number] = message
        if message.request is self._request:
            self._listener.on_prepared(message.notices, message.device)
            self._listener.on_working(0, message.grid.slices)

    def _handle_slices(self, message: SlicesDone) -> None:
        request = message.request
        wish, label, prepared = self._running(request)
        first = self._ensure_result(wish.map_node)
        self._shown_from = request.key, wish.model
        self.certainty.new_result(request, label, prepared.grid)
        self.certainty.add_slices(message)
        self.result.write(request, label, prepared.grid, message.indices, message.values)
        self._listener.on_result(self.result, first)
        self._drawing = message.taken
        if request is self._request:
            self._listener.on_working(len(self.result.slices_done), prepared.grid.slices)

    def _handle_certainty(self, message: CertaintyDone) -> None:
        request = message.request
        wish, label, prepared = self._running(request)
        if request.quantity.ratio:
            # Only now is known where its denominator may as well be zero.
            self.result.write(request, label, prepared.grid, message.indices, message.values)
        self.certainty.write(message, wish.map_node, label, prepared.grid)
        self._listener.on_certainty()

    def _running(self, request: Request) -> tuple[Wish, ResultLabel, Prepared]:
        (wish, map_name), prepared = self._wishes[request.number], self._prepared[request.number]
        label = ResultLabel(
            metabolite=wish.quantity.name,
            sharpness=wish.sharpness,
            n=prepared.n,
            map_name=map_name,
            t1_name=wish.t1_node.GetName(),
            flair_name=wish.flair_node.GetName(),
            segmentation_name=wish.segmentation_name,
            weights=prepared.weights,
            device=prepared.device,
        )
        return wish, label, prepared

    def _ensure_result(self, map_node) -> bool:
        """Have a result volume for the map; whether it is a new one."""
        if self.result is not None and self.result.exists and self.result.map_node is map_node:
            return False
        existing = result_of(map_node)
        self.result = ResultVolume.create(map_node) if existing is None else ResultVolume(existing, map_node)
        return existing is None

    def _finish(self, message: Finished) -> None:
        request, complete = self._request, message.complete
        if complete:
            # It goes on with the uncertainty, of which the timer hears.
            self._request = None
            self._estimating = request
            self._wishes = {request.number: self._wishes[request.number]}
            self._prepared = {request.number: self._prepared[request.number]}
            self.certainty.begin(message)
            self._complete_from = self._shown_from
        else:
            self._end()
        self._listener.on_idle(complete)


def _names(maps: dict[str, object]) -> str:
    return ", ".join(node.GetName() if node is not None else "" for node in maps.values())


def ready(wish: Wish) -> str:
    """ "" if a super-resolution can be tried, else one sentence on what is missing."""
    try:
        images_key(wish.map_node, wish.t1_node, wish.flair_node)
        wish.key()
    except InputError as error:
        return str(error)
    return ""
