"""The panel's batch section."""

import qt
from slicer.i18n import tr as _

from inference_core.batch.request import BatchRequest
from inference_core.errors import InputError
from MRSISuperResLib.compute.batch import parse_sharpness, run_folder, summary, table_node
from MRSISuperResLib.compute.computation import shared_computation
from MRSISuperResLib.compute.long_work import LongWork
from MRSISuperResLib.compute.requests import Model


class BatchPanel:
    """Runs a batch on the computing thread and shows how far it is.

    Args:
        ui: the panel's widgets, by name.
    """

    def __init__(self, ui):
        self.ui = ui
        self.parameters = None
        self.available = True
        self._failed: list[str] = []
        self._stopped = False
        self._work = LongWork(self._show_row, self._show_end)
        ui.batchProgressBar.visible = False
        ui.batchButton.connect("clicked(bool)", self._on_run)
        ui.batchInputButton.connect("clicked(bool)", lambda _checked=False: self._choose("batchInput"))
        ui.batchOutputButton.connect("clicked(bool)", lambda _checked=False: self._choose("batchOutput"))

    @property
    def running(self) -> bool:
        """Whether a batch is under way."""
        return self._work.running

    def refresh(self) -> None:
        """Bring the button up to date."""
        button, parameters = self.ui.batchButton, self.parameters
        button.text = _("Cancel batch") if self.running else _("Run batch")
        complete = bool(parameters.batchInput and parameters.batchOutput)
        button.enabled = self.running or (self.available and complete)

    def close(self) -> None:
        """End the batch after its slice; what is done is kept."""
        self._work.close()

    def _choose(self, name: str) -> None:
        folder = qt.QFileDialog.getExistingDirectory(
            self.ui.batchButton, _("Choose a folder"), getattr(self.parameters, name)
        )
        if folder:
            setattr(self.parameters, name, folder)

    def _on_run(self, _checked=False) -> None:
        if self.running:
            self._work.cancel()
            self._stopped = True
            self.ui.batchLabel.text = _("Stopping after this slice\u2026")
            return
        parameters = self.parameters
        try:
            sharpness = parse_sharpness(parameters.batchSharpness)
        except InputError as error:
            self.ui.batchLabel.text = str(error)
            return
        self._failed, self._stopped = [], False
        request = BatchRequest(parameters.batchInput, parameters.batchOutput, sharpness)
        model = Model.of(parameters)
        computation = shared_computation()
        self.ui.batchLabel.text = _("Looking for patients\u2026")
        self.ui.batchProgressBar.visible = True
        self.ui.batchProgressBar.maximum = self.ui.batchProgressBar.value = 0
        self._work.start(
            computation,
            "The batch",
            lambda report, cancelled: run_folder(computation, request, model, report, cancelled),
        )
        self.refresh()

    def _show_row(self, done: int, total: int, row) -> None:
        bar = self.ui.batchProgressBar
        bar.maximum, bar.value = total, done
        if row.status == "failed":
            self._failed.append(row.message)
        about = f"{row.patient}, {row.metabolite}" if row.metabolite else row.patient
        self.ui.batchLabel.text = f"{about}: {row.status}"

    def _show_end(self, kind: str, content) -> None:
        self.ui.batchProgressBar.visible = False
        if kind == "error":
            self.ui.batchLabel.text = content
        else:
            table_node(content, "MRSISuperRes batch")
            parts = [_("Stopped early.")] if self._stopped else []
            parts += [summary(content), *self._failed[:3]]
            if len(self._failed) > 3:
                parts.append(_("The other failures are in the table 'MRSISuperRes batch'."))
            self.ui.batchLabel.text = " ".join(parts)
        if self.parameters is not None:
            self.refresh()
