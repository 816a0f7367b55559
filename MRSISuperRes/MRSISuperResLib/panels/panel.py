"""The panel: what the user sets goes into the parameter node, what is computed goes onto the screen."""

from dataclasses import dataclass, replace

import slicer
import vtk
from slicer.i18n import tr as _

from inference_core.errors import InputError
from inference_core.terms.detail import DEFAULT_CONSISTENCY, DEFAULT_DETAIL
from inference_core.terms.quantity import TISSUES, Quantity
from inference_core.terms.reference import Reference
from MRSISuperResLib.compute import torch_setup
from MRSISuperResLib.compute.computation import shared_computation
from MRSISuperResLib.compute.live_update import Listener, LiveUpdate
from MRSISuperResLib.compute.requests import Model
from MRSISuperResLib.compute.scene_request import SceneRequest
from MRSISuperResLib.panels.batch_panel import BatchPanel
from MRSISuperResLib.panels.certainty_panel import CertaintyPanel
from MRSISuperResLib.panels.display_panel import DisplayPanel
from MRSISuperResLib.panels.messages import show_message
from MRSISuperResLib.panels.model_panel import ModelPanel
from MRSISuperResLib.panels.regions_panel import RegionsPanel
from MRSISuperResLib.panels.resolution import describe
from MRSISuperResLib.panels.risk import state_risk
from MRSISuperResLib.panels.self_check_panel import SelfCheckPanel
from MRSISuperResLib.scene.guesses import metabolite_of, mri_nodes
from MRSISuperResLib.scene.input_warnings import input_warnings
from MRSISuperResLib.scene.overlay import align_views
from MRSISuperResLib.scene.parameters import CONSISTENCY_NAMES, DETAIL_NAMES, OWN_RATIO
from MRSISuperResLib.scene.result_volume import ResultVolume, result_of
from MRSISuperResLib.scene.sample_data import load_sample_patient, sample_note
from MRSISuperResLib.scene.volumes import map_readout_image, volume_state

_VOXELS_CHANGED = slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent
_PLACE_CHANGED = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
_INPUTS = ("metaboliteMap", "t1", "flair")


@dataclass(frozen=True)
class _Seen:
    """The parameters as the panel last acted on them."""

    nodes: tuple
    quantity: str
    reference: Reference | None
    segmentation: object
    sharpness: float
    live: bool
    model: Model


class Panel(Listener):
    """Connects the widgets of `MRSISuperRes.ui` with the parameter node and the computation.

    Args:
        ui: the widgets, by name.
    """

    def __init__(self, ui):
        self.ui = ui
        self.parameters = None
        self._gui_tag = None
        self._seen: _Seen | None = None
        # What `_seen` asks for, as found in the scene; None if that may have changed.
        self._request: SceneRequest | None = None
        self._observed: list[tuple] = []
        self._device = ""
        # Passes done and of all, while the detail is matched to the data.
        self._matching: tuple[int, int] | None = None
        self._readout = None
        self._inputs: tuple = ()
        self._bring_to_front = False
        self._refused = ""
        self._known: set[str] = set()
        self.live = LiveUpdate(shared_computation(), self)
        self.display = DisplayPanel(ui, self._on_views_changed)
        self.certainty = CertaintyPanel(ui)
        self.self_check = SelfCheckPanel(ui)
        self.model = ModelPanel(ui)
        self.regions = RegionsPanel(ui)
        self.batch = BatchPanel(ui)
        ui.applyButton.connect("clicked(bool)", self._on_apply)
        ui.sampleButton.connect("clicked(bool)", self._on_sample)
        ui.installButton.connect("clicked(bool)", self._on_install)
        ui.keepButton.connect("clicked(bool)", self._on_keep)
        ui.progressBar.visible = False
        show_message(ui.messageLabel, "")
        show_message(ui.resolutionWarning, "")

    # Parameter node.

    def connect_parameters(self, parameters) -> None:
        """Show a parameter node, and change it as the user acts; the one before is no longer observed.

        Args:
            parameters: an `MRSISuperResParameterNode`, or None.
        """
        if self.parameters is not None:
            self.parameters.disconnectGui(self._gui_tag)
            self._observe_none()
        self.live.cancel()
        self.parameters = parameters
        self._seen = None
        self._refused = ""
        self._known = set()
        for part in (self.model, self.self_check, self.regions, self.batch):
            part.parameters = parameters
        self.display.connect(parameters)
        if parameters is None:
            self.display.forget()
            return
        self._guess_inputs()
        self._gui_tag = parameters.connectGui(self.ui)
        self._seen = self._look_at_parameters()
        self._adopt_result()
        self._observe(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
        self._inputs_changed()
        self.refresh()

    def enter(self) -> None:
        """The user turns to the panel, which is connected."""
        # Without `_seen`, nothing is computed for what is only guessed.
        seen, self._seen = self._seen, None
        self._guess_inputs()
        self._seen = seen
        self._on_parameters()
        self.display.enter()

    def leave(self) -> None:
        """The user turns to another module; what is being computed goes on."""
        self.display.leave()

    def refresh(self) -> None:
        """Bring everything that the panel states up to date; the scene may have changed."""
        self._request = None
        self._refresh()

    def _refresh(self) -> None:
        missing = torch_setup.missing_packages()
        self.ui.setupFrame.visible = bool(missing)
        self.ui.setupLabel.text = _(
            "Super-resolution needs {names}, which Slicer does not bring. Everything else in this panel works without."
        ).format(names=_(" and ").join({"torch": "PyTorch"}.get(name, name) for name in missing))
        self.batch.available = self.model.available = self.regions.available = not missing
        if self.parameters is None:
            return
        state_risk(self.ui.riskLabel, self._seen.sharpness, self._seen.model.weights)
        self.ui.ownRatioEdit.visible = self.parameters.metabolite == OWN_RATIO
        for widget in (self.ui.ratioReferenceLabel, self.ui.ratioReferenceComboBox):
            widget.visible = "/" in self._seen.quantity
        self._state_status()
        self.model.refresh(self._device)
        self.regions.refresh()
        self.batch.refresh()
        self.display.refresh(self._result_node())
        self._state_trust()
        self.ui.keepButton.enabled = self._has_complete_result() and not self.live.working

    def close(self) -> None:
        """Drop all references: the panel is being deleted."""
        self.live.close()
        self.certainty.close()
        self.regions.close()
        self.batch.close()
        self.connect_parameters(None)

    def scene_closing(self) -> None:
        """The scene is about to lose its nodes: touch none of them any more."""
        self.live.forget()
        self.display.forget()
        self.regions.forget()
        self.connect_parameters(None)

    # What the user does.

    def _on_apply(self, _checked=False) -> None:
        if self.live.working:
            self.live.cancel()
            return
        self._bring_to_front = True
        self._request = None
        self._start()

    def _on_sample(self, _checked=False) -> None:
        try:
            patient = load_sample_patient()
        except (OSError, RuntimeError) as error:
            show_message(self.ui.messageLabel, _("The sample patient can't be loaded: {0}").format(error), "error")
            return
        self.parameters.t1, self.parameters.flair = patient.t1, patient.flair
        self.parameters.metaboliteMap = patient.maps[0]
        if slicer.app.layoutManager() is not None:
            slicer.util.setSliceViewerLayers(background=patient.flair, fit=True)
            align_views(patient.maps[0])
        show_message(self.ui.messageLabel, sample_note(), "note")

    def _on_install(self, _checked=False) -> None:
        self.ui.installButton.enabled = False
        self.ui.installButton.text = _("Installing PyTorch\u2026 this takes minutes")
        slicer.app.processEvents()
        try:
            torch_setup.install_missing()
        except InputError as error:
            show_message(self.ui.messageLabel, str(error), "error")
        else:
            show_message(self.ui.messageLabel, "")
        finally:
            self.ui.installButton.text = _("Install PyTorch\u2026")
            self.ui.installButton.enabled = True
        self.refresh()

    def _on_keep(self, _checked=False) -> None:
        node = self.live.result.keep_copy()
        if self.live.certainty.volume is not None:
            self.live.certainty.volume.keep_copy()
        show_message(self.ui.messageLabel, _("Kept as '{0}'.").format(node.GetName()), "note")

    # What changes.

    def _look_at_parameters(self) -> _Seen:
        p, self._request = self.parameters, None
        quantity = p.ownRatio if p.metabolite == OWN_RATIO else p.metabolite
        reference = TISSUES.get(p.ratioReference) if "/" in quantity else None
        return _Seen(
            nodes=(p.metaboliteMap, p.t1, p.flair),
            quantity=quantity,
            reference=reference,
            segmentation=p.segmentation if reference and reference.labelled else None,
            sharpness=p.sharpness,
            live=p.liveUpdate,
            model=Model.of(p),
        )

    def _on_parameters(self, _caller=None, _event=None) -> None:
        before, now = self._seen, self._look_at_parameters()
        if before is None:
            return
        self._seen = now
        if before.segmentation is not now.segmentation:
            self._observe_inputs()
        if before.nodes != now.nodes:
            self.live.cancel()
            if before.nodes[0] is not now.nodes[0]:
                self._map_changed(now.nodes[0])
                self._seen = now = self._look_at_parameters()
            self._inputs_changed()
        elif now.live and replace(before, nodes=now.nodes, live=True) != now:
            self._start(quietly=True)
        elif before != now and self.live.working:
            self.live.cancel()
        self.display.apply(self.live.result)
        self._refresh()

    def _map_changed(self, node) -> None:
        self._seen = None
        if node is not None and (metabolite := metabolite_of(node)):
            self.parameters.metabolite = metabolite
        self._adopt_result()

    def _adopt_result(self) -> None:
        """Go on with the result that the scene has of the map."""
        node = self.parameters.metaboliteMap
        found = result_of(node) if node is not None else None
        result = ResultVolume(found, node) if found is not None else None
        self.live.adopt(result)
        self.display.adopt(result, self.live.certainty)
        self.parameters.result = found

    def _guess_inputs(self) -> None:
        """Fill in T1 and FLAIR where the scene leaves no doubt; the user's choices are left alone.

        So is what was there at the last guess: the user has seen it, and has left or made the field empty.
        """
        found, known = mri_nodes(), self._known
        self._known = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")}
        for name, role in (("t1", "T1"), ("flair", "FLAIR")):
            if getattr(self.parameters, name) is None and role in found and found[role].GetID() not in known:
                setattr(self.parameters, name, found[role])

    def _inputs_state(self) -> tuple:
        return tuple(volume_state(getattr(self.parameters, name)) for name in _INPUTS)

    def _inputs_changed(self) -> None:
        self._observe_inputs()
        self._inputs = self._inputs_state()
        node = self.parameters.metaboliteMap
        self._readout = None
        self._refused = ""
        show_message(self.ui.messageLabel, " ".join(self._input_warnings()), "warning")
        if node is None:
            self.ui.resolutionValue.text = "\u2013"
            show_message(self.ui.resolutionWarning, "")
            return
        try:
            self._readout = describe(map_readout_image(node))
        except InputError as error:
            self._refused = str(error)
            self.ui.resolutionValue.text = "\u2013"
            show_message(self.ui.resolutionWarning, str(error), "error")
            return
        self.ui.resolutionValue.text = self._readout.text
        kind = "warning" if self._readout.usable else "error"
        show_message(self.ui.resolutionWarning, self._readout.warning, kind)
        if not self._readout.usable:
            self._refused = self._readout.warning

    def _input_warnings(self) -> list[str]:
        """What is doubtful about the chosen volumes, a sentence each."""
        p = self.parameters
        return input_warnings(p.metaboliteMap, p.t1, p.flair, p.metabolite) if p is not None else []

    def _on_input_modified(self, _caller=None, _event=None) -> None:
        if self._inputs_state() == self._inputs:
            return
        self._request = None
        if self.live.working:
            self._start(quietly=True)
        self._inputs_changed()
        self.refresh()

    def _on_views_changed(self) -> None:
        if self.parameters is not None and self._seen is not None:
            self._state_status()

    def _on_segments_modified(self, _caller=None, _event=None) -> None:
        self._request = None
        # Often, while something is drawn: no more than to say that the result is of other segments.
        self._state_status()

    def node_removed(self, node) -> None:
        """A node is about to leave the scene, the user's doing.

        Whatever it was chosen for is left without a node before the node selectors hear of it: they would take its
        neighbour in their list instead.
        """
        self._request = None
        if self.parameters is None or node is None:
            return
        for name in (*_INPUTS, "segmentation"):
            if getattr(self.parameters, name) is node:
                setattr(self.parameters, name, None)
        if self.live.result is not None and node is self.live.result.node:
            self.live.forget()
            self.display.end_comparison()

    # Computing.

    def _asked(self) -> SceneRequest:
        """What the panel says; one request until parameters, inputs or segments change.

        Raises:
            InputError: for a ratio that can't be read.
        """
        if self._request is None:
            seen = self._seen
            quantity = Quantity.parse(seen.quantity, seen.reference)
            self._request = SceneRequest(*seen.nodes, quantity, seen.sharpness, seen.model, seen.segmentation)
        return self._request

    def _why_not(self) -> str:
        """Why nothing can be computed now, "" if it can."""
        if torch_setup.missing_packages():
            return _("PyTorch is missing: install it above.")
        if self._refused:
            return self._refused
        try:
            return self._asked().problem
        except InputError as error:
            return str(error)

    def _start(self, quietly: bool = False) -> None:
        """Compute what the panel says; `quietly` if the user did not ask for it outright."""
        if reason := self._why_not():
            self.live.cancel()
            if not quietly:
                show_message(self.ui.messageLabel, reason, "error")
            self._refresh()
            return
        try:
            self.live.start(self._asked())
        except InputError as error:
            self.live.cancel()
            show_message(self.ui.messageLabel, str(error), "error")
        self._refresh()

    def on_working(self, done: int, total: int) -> None:
        """See `Listener`."""
        self._matching = None
        self._show_progress(done, total)

    def on_matching(self, done: int, total: int) -> None:
        """See `Listener`."""
        self._matching = done, total
        self._show_progress(done, total)

    def _show_progress(self, done: int, total: int) -> None:
        bar = self.ui.progressBar
        bar.visible = True
        bar.maximum, bar.value = total, done
        self._state_status()

    def on_prepared(self, notices: tuple[str, ...], device: str) -> None:
        """See `Listener`."""
        self._device = device
        known = self._readout.warning if self._readout else ""
        rest = [notice for notice in (*self._input_warnings(), *notices) if notice not in known]
        show_message(self.ui.messageLabel, " ".join(rest), "warning")
        self.model.refresh(device)

    def on_result(self, result: ResultVolume, first: bool) -> None:
        """See `Listener`."""
        if self.parameters.result is not result.node:
            self.parameters.result = result.node
        self.display.result_changed(result, self.live.certainty, first or self._bring_to_front)
        self._state_trust()
        self._bring_to_front = False
        self._state_status()

    def on_idle(self, complete: bool) -> None:
        """See `Listener`."""
        self.ui.progressBar.visible = False
        if self.parameters is None:
            return
        if self.live.result is None or not self.live.result.exists:
            self.display.result_gone()
            self.parameters.result = None
        else:
            self.display.result_settled(self.live.result, complete)
        self._refresh()

    def on_failed(self, sentence: str) -> None:
        """See `Listener`."""
        show_message(self.ui.messageLabel, sentence, "error")

    def on_certainty(self) -> None:
        """See `Listener`."""
        if self.parameters is None:
            return
        self.display.certainty_changed()
        self._state_trust()

    # What the panel states.

    def _state_trust(self) -> None:
        """What is known of how far the result may be trusted."""
        self.certainty.refresh(self.live.result, self.live.certainty)
        self.self_check.refresh(self.live.result, self.live.certainty)

    def _result_node(self):
        result = self.live.result
        return result.node if result is not None and result.exists and result.label is not None else None

    def _has_complete_result(self) -> bool:
        return self._result_node() is not None and self.live.result.is_complete

    def _state_status(self) -> None:
        working, reason = self.live.working, self._why_not()
        button, status = self.ui.applyButton, self.ui.statusLabel
        button.text = _("Cancel") if working else _("Apply")
        button.enabled = working or not reason
        button.toolTip = (
            _("Give up and return to the last complete result.") if working else reason or _("Super-resolve.")
        )
        wanted = self._seen
        if working and self._matching is not None:
            text = _("Matching the detail of {0} to the data, pass {1} of {2}\u2026")
            status.text = text.format(wanted.quantity, min(self._matching[0] + 1, self._matching[1]), self._matching[1])
            return
        if working:
            status.text = _("Computing {0} at \u03bb = {1:.3f}\u2026").format(wanted.quantity, wanted.sharpness)
            return
        if self._result_node() is None:
            status.text = reason or _("Ready: press Apply.")
            return
        label = self.live.result.label
        shown = (
            _("Shown: {0} at \u03bb = {1:.3f}") if self._is_shown() else _("Not in the views: {0} at \u03bb = {1:.3f}")
        )
        shown = ", ".join([shown.format(label.metabolite, label.sharpness), *_treatment(label)])
        advice = f". {reason}" if reason else _(": press Apply.")
        if not self.live.result.is_complete:
            # A scene that was saved while something was computed.
            status.text = _("{0}, only some of the slices{1}").format(shown, advice)
        elif not self._is_current(label):
            status.text = _("{0}, which is not what the panel says{1}").format(shown, advice)
        elif not self._is_shown():
            status.text = _("{0}, from {1}{2}").format(shown, label.map_name, advice)
        else:
            status.text = _("{0}, from {1}.").format(shown, label.map_name)

    def _is_shown(self) -> bool:
        # Without views, there is nothing to be said of them.
        return self.display.is_shown or slicer.app.layoutManager() is None

    def _is_current(self, label) -> bool:
        try:
            asked = self._asked()
        except InputError:
            return False
        if (label.metabolite, f"{label.sharpness:.6g}") != (asked.quantity.name, f"{asked.sharpness:.6g}"):
            return False
        return self.live.is_current(asked)

    # Observers.

    def _observe(self, node, event, callback) -> None:
        self._observed.append((node, node.AddObserver(event, callback)))

    def _observe_none(self) -> None:
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed.clear()

    def _observe_inputs(self) -> None:
        kept = [(node, tag) for node, tag in self._observed if node is self.parameters.parameterNode]
        for node, tag in self._observed:
            if node is not self.parameters.parameterNode:
                node.RemoveObserver(tag)
        self._observed = kept
        for node in dict.fromkeys(node for node in (getattr(self.parameters, name) for name in _INPUTS) if node):
            for event in (vtk.vtkCommand.ModifiedEvent, _VOXELS_CHANGED, _PLACE_CHANGED):
                self._observe(node, event, self._on_input_modified)
        if self._seen is not None and self._seen.segmentation is not None:
            # Looked up late: Slicer may read this file before it has the library of segmentations.
            drawn = slicer.vtkSegmentation.SourceRepresentationModified
            for event in (drawn, slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent, _PLACE_CHANGED):
                self._observe(self._seen.segmentation, event, self._on_segments_modified)


def _treatment(label) -> list[str]:
    """What a result's label says that is not the default, in words."""
    told = []
    if label.detail != DEFAULT_DETAIL:
        told.append(_("detail: {0}").format(DETAIL_NAMES.get(label.detail, label.detail)))
    if label.consistency != DEFAULT_CONSISTENCY:
        told.append(_("data {0}").format(CONSISTENCY_NAMES.get(label.consistency, label.consistency)))
    return told
