"""The panel's section on regions: what is in a segmentation's segments, as a table, a file, or a report."""

import re
from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from inference_core.errors import InputError
from inference_core.files.inputs import check_not_inputs
from inference_core.regions.choice import parse_ratios
from inference_core.terms.conditions import METABOLITES
from MRSISuperResLib.compute.computation import shared_computation
from MRSISuperResLib.compute.long_work import CancelledError, LongWork
from MRSISuperResLib.compute.region_measurement import RegionMeasurement, RegionRequest, measure
from MRSISuperResLib.compute.region_reports import write_report
from MRSISuperResLib.compute.requests import Model
from MRSISuperResLib.panels.messages import show_message
from MRSISuperResLib.scene.loaded_files import loaded_files
from MRSISuperResLib.scene.patient_maps import images_of_maps, left_out, maps_beside
from MRSISuperResLib.scene.region_table_view import as_text, fill_table, signal_check, table_node
from MRSISuperResLib.scene.segments import segment_images


class RegionsPanel:
    """Measures on the computing thread, and shows what came of it.

    Args:
        ui: the panel's widgets, by name.
    """

    def __init__(self, ui):
        self.ui = ui
        self.parameters = None
        self.available = True
        self.measured: RegionMeasurement | None = None
        self._notices: list[str] = []
        self._table_name = ""
        self._work = LongWork(self._show_progress, self._show_end)
        ui.regionsProgressBar.visible = False
        show_message(ui.regionsLabel, "")
        show_message(ui.signalLabel, "")
        ui.measureButton.connect("clicked(bool)", self._on_measure)
        ui.copyButton.connect("clicked(bool)", self._on_copy)
        ui.csvButton.connect("clicked(bool)", self._on_csv)
        ui.reportButton.connect("clicked(bool)", self._on_report)

    @property
    def running(self) -> bool:
        """Whether something is measured."""
        return self._work.running

    def refresh(self) -> None:
        """Bring the buttons up to date."""
        ui, there = self.ui, self.measured is not None and bool(self.measured.rows)
        inputs = all((self.parameters.metaboliteMap, self.parameters.t1, self.parameters.flair))
        ui.measureButton.text = _("Cancel") if self.running else _("Measure")
        ui.measureButton.enabled = self.running or (self.available and inputs)
        ui.reportButton.enabled = self.available and inputs and not self.running
        for button in (ui.copyButton, ui.csvButton):
            button.enabled = there and not self.running
        ui.regionsTable.visible = there
        if not there:
            show_message(ui.signalLabel, "")

    def forget(self) -> None:
        """Give up, and drop what was measured: the scene is going away."""
        self.close()
        self.measured = None
        self.ui.regionsProgressBar.visible = False
        show_message(self.ui.regionsLabel, "")

    def close(self) -> None:
        """End what is measured after its slice."""
        self._work.close()

    # What the user does.

    def _on_measure(self, _checked=False) -> None:
        if self.running:
            self._work.cancel()
            show_message(self.ui.regionsLabel, _("Stopping after this slice\u2026"), "note")
            return
        self._start(regions=True)

    def _on_report(self, _checked=False) -> None:
        name = f"{self.parameters.metaboliteMap.GetName().split()[0]}_report.html"
        path = qt.QFileDialog.getSaveFileName(self.ui.reportButton, _("Save the report"), name, "HTML (*.html)")
        if path:
            chosen = Path(path)
            html = chosen if chosen.suffix.casefold() in (".html", ".htm") else chosen.with_name(f"{chosen.name}.html")
            self._start(regions=self.parameters.segmentation is not None, report=html)

    def _on_copy(self, _checked=False) -> None:
        slicer.app.clipboard().setText(as_text(self.measured.rows))
        show_message(self.ui.regionsLabel, _("The table is in the clipboard."), "note")

    def _on_csv(self, _checked=False) -> None:
        from inference_core.files.atomic import write_file
        from inference_core.regions.table import as_csv

        # A segmentation's name may hold what would be taken for a folder.
        name = re.sub(r'[/\\:*?"<>|]', "_", self._table_name) + ".csv"
        chosen = qt.QFileDialog.getSaveFileName(self.ui.csvButton, _("Save the table"), name, "CSV (*.csv)")
        if not chosen:
            return
        path = Path(chosen)
        if path.suffix.casefold() != ".csv":
            path = path.with_name(f"{path.name}.csv")
        try:
            check_not_inputs([path], loaded_files())
            write_file(path, as_csv(self.measured.rows))
        except InputError as error:
            show_message(self.ui.regionsLabel, str(error), "error")
        else:
            show_message(self.ui.regionsLabel, _("Saved as '{0}'.").format(path), "note")

    # Measuring.

    def _start(self, regions: bool, report: Path | None = None) -> None:
        p = self.parameters
        try:
            if report is not None:
                check_not_inputs([report, report.with_suffix(".pdf")], loaded_files())
            # Of a ratio, the map says itself which metabolite it is.
            maps = maps_beside(p.metaboliteMap, p.metabolite if p.metabolite in METABOLITES else None)
            images = images_of_maps(maps, p.t1, p.flair, maps)
            segments, self._notices = ({}, [])
            if regions:
                segments, self._notices = segment_images(p.segmentation, p.t1, next(iter(images.values())).t1)
            ratios = parse_ratios(p.regionRatios.split(","), maps) or None
            wanted = RegionRequest(
                images, segments, ratios, p.mirrorRegions, p.sharpness, Model.of(p), checked=report is not None
            )
        except InputError as error:
            show_message(self.ui.regionsLabel, str(error), "error")
            return
        self._notices += left_out(p.metaboliteMap, maps)
        table_name = _("{0} in {1}").format(p.segmentation.GetName() if regions else "", ", ".join(maps))
        sources = {"T1": p.t1.GetName(), "FLAIR": p.flair.GetName(), **{n: node.GetName() for n, node in maps.items()}}
        finish = self._reporter(report, sources) if report is not None else None
        computation = shared_computation()

        def work(
            report: Callable[..., None], cancelled: Callable[[], bool]
        ) -> tuple[RegionMeasurement, list[Path], str]:
            def between_slices() -> None:
                computation.serve_waiting()
                if cancelled():
                    raise CancelledError

            found = measure(computation, wanted, report, between_slices)
            return found, finish(found) if finish else [], table_name

        text = _("Super-resolving {0}, nine passes each where the weights are calibrated\u2026")
        show_message(self.ui.regionsLabel, text.format(", ".join(maps)), "note")
        bar = self.ui.regionsProgressBar
        bar.visible = True
        bar.maximum, bar.value = len(maps), 0
        self._work.start(computation, "Measuring", work)
        self.refresh()

    def _reporter(self, path: Path, sources: dict[str, str]) -> Callable[[RegionMeasurement], list[Path]]:
        """What writes the report on the thread, of what the scene says now."""
        subject = self.parameters.metaboliteMap.GetName()
        simulated = any("simulated" in name.casefold() for name in sources.values())
        patient = subject.split("_")[0] if subject.startswith("sub-") else path.stem
        return lambda found: write_report(path, found, patient, sources, simulated)

    def _show_progress(self, done: int, _of_all: int) -> None:
        self.ui.regionsProgressBar.value = done

    def _show_end(self, kind: str, content) -> None:
        self.ui.regionsProgressBar.visible = False
        if kind == "error":
            show_message(self.ui.regionsLabel, content, "error")
        elif kind == "cancelled":
            show_message(self.ui.regionsLabel, _("Given up."), "note")
        else:
            self._show(*content)
        if self.parameters is not None:
            self.refresh()

    def _show(self, measured: RegionMeasurement, files: list[Path], table_name: str) -> None:
        self.measured, self._table_name = measured, table_name
        maps = ", ".join(measured.result.metabolites)
        told = [_("Measured: {0} at \u03bb = {1:.3f}.").format(maps, measured.result.sharpness)]
        notices = [*self._notices, *measured.notices]
        if measured.rows:
            fill_table(self.ui.regionsTable, measured.rows)
            table_node(measured, table_name)
            show_message(self.ui.signalLabel, *signal_check(measured.rows))
        if files:
            told.append(_("Written: {0}.").format(", ".join(f"'{path}'" for path in files)))
        show_message(self.ui.regionsLabel, " ".join([*told, *notices]), "warning" if notices else "note")
