"""The section on regions: a segmentation's segments measured, as a table, in the scene, in a file, and as a report."""

import csv
import functools
import re

import numpy as np
import pytest
import slicer
import vtk
from scenes import TIMEOUT_S, add_segmentation, pixels, slow_network, tumour_mask


@pytest.fixture
def panel(session, module):
    widget = session.open_panel()
    session.click(widget.ui.sampleButton)
    widget.ui.regionsCollapsibleButton.collapsed = False
    return widget


def measure(session, panel):
    session.click(panel.ui.measureButton)
    session.wait_until(lambda: not panel.panel.regions.running, TIMEOUT_S)


@pytest.fixture
def segmentation(panel):
    node = add_segmentation(panel.panel.parameters.t1, tumour=tumour_mask())
    panel.panel.parameters.segmentation = node
    panel.panel.parameters.mirrorRegions = False
    return node


@functools.cache
def expected_rows(sharpness=0.0):
    from scenes import sample_images

    from inference_core import SuperResolver
    from inference_core.inference.patient_result import super_resolve_patient
    from inference_core.inference.uncertainty.calibration import load_calibration
    from inference_core.regions.table import region_rows
    from inference_core.terms.ratios import Ratio

    resolver = SuperResolver.load()
    low_resolution, t1, flair = sample_images()
    maps = {"tCho": low_resolution, "NAA": sample_images("res-n16_desc-acquired_NAA")[0]}
    calibration, ratios = load_calibration(resolver.weights), [Ratio.parse("tCho/NAA")]
    result = super_resolve_patient(resolver, maps, t1, flair, sharpness, calibration, ratios=ratios)
    import SimpleITK as sitk

    mask = sitk.GetImageFromArray(tumour_mask().astype(np.uint8))
    mask.CopyInformation(t1)
    return region_rows(result, {"tumour": mask})


def test_a_segment_is_measured_as_the_core_does(session, panel, segmentation, tmp_path):
    measure(session, panel)
    rows, expected = panel.panel.regions.measured.rows, expected_rows()
    assert [(row.region, row.quantity) for row in rows] == [("tumour", q) for q in ("tCho", "NAA", "tCho/NAA")]
    for row, other in zip(rows, expected, strict=True):
        for name in ("volume_ml", "mean", "median", "low", "high", "uncertainty", "low_resolution_mean"):
            assert getattr(row, name) == pytest.approx(getattr(other, name), rel=1e-3), (row.quantity, name)
    table = panel.ui.regionsTable
    assert (table.rowCount, table.columnCount) == (3, 8)
    assert f"{rows[0].mean:.4g} \u00b1 {rows[0].uncertainty:.2g}" == table.item(0, 4).text()
    assert "Measured: tCho, NAA at \u03bb = 0.000." in panel.ui.regionsLabel.text
    # The ratio leaves out voxels of the tumour's core, which hold next to no NAA.
    part, whole = rows[2].volume_ml, rows[0].volume_ml
    assert part < 0.9 * whole
    assert f"tCho/NAA in tumour is known in {part:.1f} of {whole:.1f} mL only" in panel.ui.regionsLabel.text
    assert "changed the signal in the regions by at most" in panel.ui.signalLabel.text
    assert "within the stated uncertainty everywhere" in panel.ui.signalLabel.text
    # As much signal as was measured, within what is said of the result's uncertainty.
    assert abs(rows[0].signal_change) * rows[0].low_resolution_mean < rows[0].uncertainty
    node = slicer.util.getNode("Tumour segments in tCho, NAA")
    assert node.GetTable().GetColumnByName("mean").GetValue(0) == pytest.approx(rows[0].mean)
    assert np.isnan(node.GetTable().GetColumnByName("signal_change").GetValue(2))
    assert node.GetAttribute("MRSISuperRes.Sharpness") == "0"
    session.click(panel.ui.copyButton)
    lines = slicer.app.clipboard().text().splitlines()
    assert lines[0].startswith("Region\tQuantity\tmL")
    assert len(lines) == 4
    session.dialogs.answer(str(tmp_path / "table"))
    session.click(panel.ui.csvButton)
    saved = list(csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8")))
    assert float(saved[1]["mean"]) == pytest.approx(rows[1].mean, rel=1e-4)
    # Not over a file that the scene's nodes came from.
    (tmp_path / "T1.csv").write_text("measured")
    panel.panel.parameters.t1.AddDefaultStorageNode()
    panel.panel.parameters.t1.GetStorageNode().SetFileName(str(tmp_path / "T1.csv"))
    session.dialogs.answer(str(tmp_path / "T1.csv"))
    session.click(panel.ui.csvButton)
    assert "which would be lost: name another output" in panel.ui.regionsLabel.text
    assert (tmp_path / "T1.csv").read_text() == "measured"
    # Measuring again writes the same table anew.
    measure(session, panel)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1


def test_a_region_keeps_its_place_when_all_is_moved(session, panel, segmentation):
    measure(session, panel)
    before = [row.mean for row in panel.panel.regions.measured.rows]
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 25.0)
    transform.SetMatrixTransformToParent(matrix)
    parameters = panel.panel.parameters
    maps = [slicer.util.getNode(f"{name} 16x16 (simulated)") for name in ("tCho", "NAA")]
    for node in (parameters.t1, parameters.flair, segmentation, *maps):
        node.SetAndObserveTransformNodeID(transform.GetID())
    measure(session, panel)
    assert [row.mean for row in panel.panel.regions.measured.rows] == pytest.approx(before, rel=1e-4)
    # The segmentation alone elsewhere is another region.
    segmentation.SetAndObserveTransformNodeID(None)
    measure(session, panel)
    assert [row.mean for row in panel.panel.regions.measured.rows] != pytest.approx(before, rel=0.02)


def test_the_other_side_is_a_region_too(session, panel, segmentation):
    session.click(panel.ui.mirrorCheckBox)
    session.type_text(panel.ui.regionRatiosEdit, "NAA/tCho")
    measure(session, panel)
    rows = panel.panel.regions.measured.rows
    assert {row.region for row in rows} == {"tumour", "tumour, mirrored"}
    # Where it is known nearly everywhere, nothing is said.
    assert "in tumour, mirrored is known" not in panel.ui.regionsLabel.text
    naa = {row.region: row.mean for row in rows if row.quantity == "NAA"}
    assert naa["tumour"] < 0.8 * naa["tumour, mirrored"]
    assert {row.quantity for row in rows} == {"tCho", "NAA", "NAA/tCho"}


def test_measuring_can_be_cancelled_and_leaves_the_slider_alive(session, panel, segmentation, monkeypatch):
    with slow_network(monkeypatch) as network:
        session.click(panel.ui.measureButton)
        assert panel.ui.measureButton.text == "Cancel"
        session.wait_until(lambda: network.calls, TIMEOUT_S)
        session.click(panel.ui.applyButton)
        # One pass of the measurement, then the panel's five slices, although there is more to measure.
        network.allow(6)
        session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
        assert panel.panel.regions.running
        session.click(panel.ui.measureButton)
        network.allow_all()
        session.wait_until(lambda: not panel.panel.regions.running, TIMEOUT_S)
    assert "Given up." in panel.ui.regionsLabel.text
    assert panel.panel.regions.measured is None
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)


def test_a_report_is_written(session, panel, segmentation, tmp_path, monkeypatch):
    monkeypatch.setattr("inference_core.report.pdf.find_browser", lambda named=None: None)
    session.dialogs.answer(str(tmp_path / "patient.html"))
    session.click(panel.ui.reportButton)
    session.wait_until(lambda: not panel.panel.regions.running, TIMEOUT_S)
    page = (tmp_path / "patient.html").read_text(encoding="utf-8")
    texts = "tCho/NAA", "tumour", "not for diagnosis", "This patient is simulated, too.", "T1 (simulated)"
    for text in texts:
        assert text in page, text
    assert re.search(r"<tr><th>self-check</th>(<td[^>]*>\d+ %</td>){2}", page)
    assert "patient.html" in panel.ui.regionsLabel.text
    # A PDF that is no earlier report's stays, since the user was not asked about it.
    written = []
    monkeypatch.setattr("inference_core.report.pdf.find_browser", lambda named=None: tmp_path / "browser")
    monkeypatch.setattr("inference_core.report.pdf.print_pdf", lambda page, pdf, browser: written.append(pdf) or pdf)
    (tmp_path / "other.pdf").write_text("mine")
    # Without regions, too.
    panel.panel.parameters.segmentation = None
    session.dialogs.answer(str(tmp_path / "other"))
    session.click(panel.ui.reportButton)
    session.wait_until(lambda: not panel.panel.regions.running, TIMEOUT_S)
    assert (tmp_path / "other.html").is_file()
    assert not written
    session.dialogs.answer(str(tmp_path / "other"))
    session.click(panel.ui.reportButton)
    session.wait_until(lambda: not panel.panel.regions.running, TIMEOUT_S)
    assert written == [tmp_path / "other.pdf"]


def test_what_is_unusable_is_said_in_one_sentence(session, panel):
    parameters = panel.panel.parameters
    measure(session, panel)
    assert "The segmentation is missing" in panel.ui.regionsLabel.text
    parameters.mirrorRegions = False
    parameters.segmentation = add_segmentation(parameters.t1, nothing=None)
    measure(session, panel)
    assert "is empty or lies outside the T1: draw a region" in panel.ui.regionsLabel.text
    outside = np.zeros_like(tumour_mask())
    outside[:3, :3, :3] = 1
    parameters.segmentation = add_segmentation(parameters.t1, air=outside)
    measure(session, panel)
    assert "No region holds a voxel of the maps' brain ('air')" in panel.ui.regionsLabel.text
    parameters.segmentation = add_segmentation(parameters.t1, tumour=tumour_mask(), nothing=None)
    session.type_text(panel.ui.regionRatiosEdit, "tCho/tCr")
    measure(session, panel)
    assert "needs a map of tCr" in panel.ui.regionsLabel.text
    session.type_text(panel.ui.regionRatiosEdit, "")
    measure(session, panel)
    assert "'nothing' is empty or lies outside the T1: it was left out" in panel.ui.regionsLabel.text
    assert {row.region for row in panel.panel.regions.measured.rows} == {"tumour"}
    again = slicer.modules.volumes.logic().CloneVolume(
        slicer.mrmlScene, slicer.util.getNode("NAA 16x16 (simulated)"), "NAA again"
    )
    measure(session, panel)
    assert "are both maps of NAA" in panel.ui.regionsLabel.text
    assert pixels(again).any()


def test_the_console_measures_too(session, module):
    from MRSISuperResLib.scene.sample_data import load_sample_patient

    patient = load_sample_patient()
    segmentation = add_segmentation(patient.t1, tumour=tumour_mask())
    rows = session.python.MRSISuperResLogic().measureRegions(
        segmentation, patient.maps[0], patient.t1, patient.flair, ratios=["tCho/NAA"]
    )
    assert [row.quantity for row in rows] == ["tCho", "NAA", "tCho/NAA"]
    assert rows[0].mean == pytest.approx(expected_rows()[0].mean, rel=1e-3)
    assert slicer.util.getNode("Tumour segments in tCho, NAA").GetNumberOfRows() == 3
