"""The panel's statements on a result's uncertainty: in words, and of the voxel under the cursor."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from MRSISuperResLib.scene.result_certainty import ResultCertainty
from MRSISuperResLib.scene.result_volume import ResultVolume
from MRSISuperResLib.scene.voxel_value import voxel_value


class CertaintyPanel:
    """Fills the labels, and follows the cursor.

    Args:
        ui: the panel's widgets, by name.
    """

    def __init__(self, ui):
        self.ui = ui
        self._result: ResultVolume | None = None
        self._certainty = ResultCertainty()
        self._crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        self._tag = None
        if self._crosshair is not None:
            event = slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent
            self._tag = self._crosshair.AddObserver(event, self._on_cursor)

    def refresh(self, result: ResultVolume | None, certainty: ResultCertainty) -> None:
        """State what is known of a result, or None."""
        shown = result is not None and result.exists and result.label is not None
        self._result, self._certainty = (result if shown else None), certainty
        whole = shown and result.is_complete
        self.ui.certaintyLabel.text = self._uncertainty() if whole else "\u2013"
        self.ui.shareLabel.text = self._share() if whole else "\u2013"
        self.ui.differenceButton.enabled = shown and certainty.added is not None
        self._on_cursor()

    def close(self) -> None:
        """Leave the cursor alone."""
        if self._tag is not None:
            self._crosshair.RemoveObserver(self._tag)
        self._crosshair = self._tag = self._result = None

    def _uncertainty(self) -> str:
        known = self._certainty
        if known.volume is not None:
            return _("Known, in the volume whose name ends in '_uncertainty'.")
        if known.estimating:
            return _("Being computed: {0} of {1} slices, nine passes each\u2026").format(*known.progress)
        return known.sentence or _("Not known: press Apply.")

    def _share(self) -> str:
        energy = self._certainty.measured_energy
        if energy is None:
            return _("Not known of ratios, nor of results from a file.")
        return _("{0:.1%} of the detail's energy lies in the measured k-space, {1:.1%} is the network's.").format(
            energy, 1 - energy
        )

    def _on_cursor(self, _caller=None, _event=None) -> None:
        self.ui.cursorLabel.text = self._under_cursor()

    def _under_cursor(self) -> str:
        if self._result is None or not self._result.exists or self._crosshair is None:
            return "\u2013"
        position = [0.0, 0.0, 0.0]
        if not self._crosshair.GetCursorPositionRAS(position):
            return "\u2013"
        value = voxel_value(self._result.node, position)
        if not value:
            return "\u2013"
        text = f"{self._result.label.metabolite} {value:.4g}"
        volume = self._certainty.volume
        width = voxel_value(volume.node, position) if volume is not None else None
        if width:
            text += f" (68 %: {_interval(value, width)}"
            factor = self._certainty.factor_95
            text += f"; 95 %: {_interval(value, factor * width)})" if factor else ")"
        measured = voxel_value(self._result.map_node, position)
        if measured and "/" not in self._result.label.metabolite:
            text += _(", as measured {0:.4g}").format(measured)
        return text


def _interval(value: float, width: float) -> str:
    """Concentrations and their ratios are never below zero."""
    low, high = np.maximum([value - width, value + width], 0)
    return f"{low:.3g} \u2013 {high:.3g}"
