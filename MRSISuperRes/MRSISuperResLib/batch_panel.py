"""The panel's batch section."""

import logging
import queue
import threading
import traceback

import qt
from slicer.i18n import tr as _

from inference_core.errors import InputError
from MRSISuperResLib.batch import parse_sharpness, run_folder, summary, table_node
from MRSISuperResLib.computation import Model, shared_computation

_PATIENCE = 0.012
_INTERVAL = 20


class BatchPanel:
    """Runs a batch on the computing thread and shows how far it is.

    Args:
        ui: the panel's widgets, by name.
    """

    def __init__(self, ui):
        self.ui = ui
        self.parameters = None
        self.available = True
        self._cancelled: threading.Event | None = None
        self._messages: queue.SimpleQueue = queue.SimpleQueue()
        self._failed: list[str] = []
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL)
        self._timer.connect("timeout()", self._poll)
        ui.batchProgressBar.visible = False
        ui.batchButton.connect("clicked(bool)", self._on_run)
        ui.batchInputButton.connect("clicked(bool)", lambda _checked=False: self._choose("batchInput"))
        ui.batchOutputButton.connect("clicked(bool)", lambda _checked=False: self._choose("batchOutput"))

    @property
    def running(self) -> bool:
        """Whether a batch is under way."""
        return self._cancelled is not None

    def refresh(self) -> None:
        """Bring the button up to date."""
        button, parameters = self.ui.batchButton, self.parameters
        button.text = _("Cancel batch") if self.running else _("Run batch")
        complete = bool(parameters.batchInput and parameters.batchOutput)
        button.enabled = self.running or (self.available and complete)

    def close(self) -> None:
        """End the batch after its slice; what is done is kept."""
        if self._cancelled is not None:
            self._cancelled.set()
            self._cancelled = None
        self._timer.stop()

    def _choose(self, name: str) -> None:
        folder = qt.QFileDialog.getExistingDirectory(
            self.ui.batchButton, _("Choose a folder"), getattr(self.parameters, name)
        )
        if folder:
            setattr(self.parameters, name, folder)

    def _on_run(self, _checked=False) -> None:
        if self.running:
            self._cancelled.set()
            self.ui.batchLabel.text = _("Stopping after this slice\u2026")
            return
        parameters = self.parameters
        try:
            sharpness = parse_sharpness(parameters.batchSharpness)
        except InputError as error:
            self.ui.batchLabel.text = str(error)
            return
        cancelled, messages = threading.Event(), queue.SimpleQueue()
        self._cancelled, self._messages, self._failed = cancelled, messages, []
        study, output = parameters.batchInput, parameters.batchOutput
        model = Model(parameters.weights, parameters.device)
        computation = shared_computation()

        def work() -> None:
            def progress(done: int, total: int, row) -> None:
                messages.put(("row", (done, total, row)))

            try:
                rows = run_folder(computation, study, output, sharpness, model, progress, cancelled.is_set)
                messages.put(("rows", rows))
            except InputError as error:
                messages.put(("error", str(error)))
            except Exception as error:
                logging.error(traceback.format_exc())
                messages.put(("error", f"The batch failed unexpectedly ({type(error).__name__}: {error})."))

        self.ui.batchLabel.text = _("Looking for patients\u2026")
        self.ui.batchProgressBar.visible = True
        self.ui.batchProgressBar.maximum = self.ui.batchProgressBar.value = 0
        computation.run(work)
        self._timer.start()
        self.refresh()

    def _poll(self) -> None:
        # The thread needs Python's lock: see live_update.
        try:
            kind, content = self._messages.get(timeout=_PATIENCE)
        except queue.Empty:
            return
        if kind == "row":
            done, total, row = content
            bar = self.ui.batchProgressBar
            bar.maximum, bar.value = total, done
            if row.status == "failed":
                self._failed.append(row.message)
            self.ui.batchLabel.text = f"{row.patient}, {row.metabolite}: {row.status}"
            return
        stopped = self._cancelled is not None and self._cancelled.is_set()
        self._cancelled = None
        self._timer.stop()
        self.ui.batchProgressBar.visible = False
        if kind == "error":
            self.ui.batchLabel.text = content
        else:
            table_node(content, "MRSISuperRes batch")
            parts = [_("Stopped early.")] if stopped else []
            parts += [summary(content), *self._failed[:3]]
            if len(self._failed) > 3:
                parts.append(_("The other failures are in the table 'MRSISuperRes batch'."))
            self.ui.batchLabel.text = " ".join(parts)
        if self.parameters is not None:
            self.refresh()
