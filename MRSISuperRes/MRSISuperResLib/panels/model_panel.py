"""The panel's Model and device section."""

import functools
import json
from pathlib import Path

import qt
from slicer.i18n import tr as _

from inference_core.errors import InputError
from MRSISuperResLib.panels.messages import show_message


class ModelPanel:
    """States and changes which weights are used, and where.

    Args:
        ui: the panel's widgets, by name.
    """

    def __init__(self, ui):
        self.ui = ui
        self.parameters = None
        self.available = True
        ui.loadWeightsButton.connect("clicked(bool)", self._on_load)
        ui.defaultWeightsButton.connect("clicked(bool)", self._on_default)

    def refresh(self, device: str) -> None:
        """Say which weights are chosen, and where the last result was computed.

        Args:
            device: a sentence of the core's, or "" before anything was computed.
        """
        self.ui.loadWeightsButton.enabled = self.available
        self.ui.defaultWeightsButton.enabled = bool(self.parameters.weights)
        self.ui.deviceLabel.text = device or _("Will be chosen when something is computed.")
        if self.parameters.weights:
            path = Path(self.parameters.weights)
            self.ui.weightsLabel.text = path.name
            self.ui.weightsLabel.toolTip = str(path)
        else:
            self.ui.weightsLabel.text = _("default {0} (from simulated patients)").format(_default_version())
            self.ui.weightsLabel.toolTip = _("Trained on simulated patients: for research, not for diagnosis.")

    def _on_load(self, _checked=False) -> None:
        path = qt.QFileDialog.getOpenFileName(
            self.ui.loadWeightsButton, _("Load weights"), "", _("Weights (*.safetensors)")
        )
        if path:
            self.load(path)

    def load(self, path: str) -> None:
        """Use the weights in a file, if they are of our training; else say what is wrong with them."""
        from inference_core.networks.weights_io import load_weights

        try:
            load_weights(path)
        except InputError as error:
            show_message(self.ui.messageLabel, str(error), "error")
            return
        self.parameters.weights = path

    def _on_default(self, _checked=False) -> None:
        self.parameters.weights = ""


@functools.cache
def _default_version() -> str:
    """What the default weights' model card calls them."""
    import inference_core

    card = Path(inference_core.__file__).parent / "weights" / "multi-conditional.json"
    return json.loads(card.read_text(encoding="utf-8"))["version"]
