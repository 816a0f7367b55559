"""The section on regions: where segments come to lie, what is left out, and what is refused."""

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk
from scenes import TIMEOUT_S, add_segmentation, slow_network, tumour_mask

#: Of the tests' balls, in mm.
RADIUS = 15


@pytest.fixture
def panel(panel):
    """With the section open."""
    panel.ui.regionsCollapsibleButton.collapsed = False
    return panel


def measure(session, panel):
    session.click(panel.ui.measureButton)
    session.wait_until(lambda: not panel.panel.regions.running, TIMEOUT_S)


def said(panel):
    return panel.ui.regionsLabel.text


def quantities(panel):
    return [(row.region, row.quantity) for row in panel.panel.regions.measured.rows]


def turned():
    """A transform in the scene that turns and moves."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform = vtk.vtkTransform()
    transform.RotateZ(20)
    transform.RotateX(10)
    transform.Translate(10, 5, -8)
    node.SetMatrixTransformToParent(transform.GetMatrix())
    return node


def middle(image):
    """Centre of gravity in mm, LPS."""
    index = np.argwhere(sitk.GetArrayFromImage(image)).mean(axis=0)[::-1]
    return image.TransformContinuousIndexToPhysicalPoint(index.tolist())


def lps(transform, point):
    """A point in LPS, through a transform of RAS."""
    x, y, z = transform.TransformPoint(-point[0], -point[1], point[2])
    return -x, -y, z


def add_ball(centre, source="Closed surface"):
    """A segmentation of a ball around a point in RAS that is a surface, as one from a file is."""
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(*centre)
    sphere.SetRadius(RADIUS)
    sphere.SetThetaResolution(40)
    sphere.SetPhiResolution(40)
    sphere.Update()
    segment = slicer.vtkSegment()
    segment.SetName("ball")
    segment.AddRepresentation(source, sphere.GetOutput())
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Surface")
    node.GetSegmentation().SetSourceRepresentationName(source)
    node.GetSegmentation().AddSegment(segment)
    return node


def segment_image(panel, segmentation):
    """The only segment as the section takes it, in the map's own frame."""
    from MRSISuperResLib.scene.segments import segment_images
    from MRSISuperResLib.scene.volumes import volume_image

    parameters = panel.panel.parameters
    t1 = volume_image(parameters.t1, parameters.metaboliteMap, "T1")
    images, notices = segment_images(segmentation, parameters.t1, t1)
    assert (len(images), notices) == (1, [])
    return next(iter(images.values()))


def test_a_segment_lies_where_it_is_seen_whatever_is_moved(panel):
    parameters = panel.panel.parameters
    segmentation = add_segmentation(parameters.t1, tumour=tumour_mask())
    before, transform = middle(segment_image(panel, segmentation)), turned()
    forward, back = transform.GetTransformToParent(), transform.GetTransformFromParent()
    for moved, expected in (
        ([segmentation], lps(forward, before)),
        ([parameters.t1], before),
        ([segmentation, parameters.t1], lps(forward, before)),
        ([parameters.metaboliteMap], lps(back, before)),
        ([segmentation, parameters.t1, parameters.metaboliteMap], before),
    ):
        for node in moved:
            node.SetAndObserveTransformNodeID(transform.GetID())
        assert middle(segment_image(panel, segmentation)) == pytest.approx(expected, abs=0.1), moved
        for node in moved:
            node.SetAndObserveTransformNodeID(None)


def test_a_surface_is_a_region_too(panel):
    segmentation, transform = add_ball((-60, -57, 26)), turned()
    volume = 4 / 3 * np.pi * RADIUS**3
    for centre, node_id in (((60, 57, 26), None), (None, transform.GetID())):
        segmentation.SetAndObserveTransformNodeID(node_id)
        expected = centre or lps(transform.GetTransformToParent(), (60, 57, 26))
        image = segment_image(panel, segmentation)
        assert middle(image) == pytest.approx(expected, abs=0.1)
        found = sitk.GetArrayFromImage(image).sum() * np.prod(image.GetSpacing())
        assert found == pytest.approx(volume, rel=0.03)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode") == 0


def test_without_calibration_the_table_has_no_uncertainties(session, panel, one_pass):
    parameters = panel.panel.parameters
    outside = np.zeros_like(tumour_mask())
    outside[:3, :3, :3] = 1
    parameters.segmentation = add_segmentation(parameters.t1, tumour=tumour_mask(), air=outside)
    parameters.mirrorRegions = False
    small = slicer.util.addVolumeFromArray(np.ones((5, 22, 22)), name="Gln 22x22")
    other = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, parameters.metaboliteMap, "sub-02_Glu")
    parameters.metaboliteMap.SetName("sub-01_tCho")
    session.type_text(panel.ui.regionRatiosEdit, "tCho/NAA, GPC+PCh/NAA,")
    measure(session, panel)
    # A ratio that is named twice is measured once; the air is left out.
    assert quantities(panel) == [("tumour", "tCho"), ("tumour", "NAA"), ("tumour", "tCho/NAA")]
    assert all(row.uncertainty is None for row in panel.panel.regions.measured.rows)
    assert "\u00b1" not in panel.ui.regionsTable.item(0, 4).text()
    assert "The uncertainty is not known" in said(panel)
    assert "judged by its size alone. There is no calibration." in said(panel)
    assert "outside the maps' brain: 'air'" in said(panel)
    assert f"another grid or of another patient: '{small.GetName()}', '{other.GetName()}'" in said(panel)
    assert panel.ui.signalLabel.text.endswith("%.")
    node = slicer.util.getNode("Tumour segments in tCho, NAA")
    assert np.isnan(node.GetTable().GetColumnByName("uncertainty").GetValue(0))
    assert node.GetTable().GetColumnByName("uncertainty").GetDataTypeAsString() == "double"


def test_a_ratio_that_means_nothing_is_left_out_and_said(session, panel, monkeypatch):
    from inference_core.inference.uncertainty.calibration import Calibration

    monkeypatch.setattr(Calibration, "uncertainty", lambda self, features, *_: np.full_like(features.level, 1e6))
    parameters = panel.panel.parameters
    parameters.segmentation = add_segmentation(parameters.t1, tumour=tumour_mask())
    parameters.mirrorRegions = False
    session.type_text(panel.ui.regionRatiosEdit, "tCho/NAA")
    measure(session, panel)
    assert quantities(panel) == [("tumour", "tCho"), ("tumour", "NAA")]
    assert "The ratio tCho/NAA means nothing anywhere" in said(panel)


def test_more_change_of_signal_than_is_stated_is_marked(session, panel, monkeypatch):
    from inference_core.inference.uncertainty.calibration import Calibration

    monkeypatch.setattr(Calibration, "uncertainty", lambda self, features, *_: np.full_like(features.level, 1e-6))
    parameters = panel.panel.parameters
    parameters.segmentation = add_segmentation(parameters.t1, tumour=tumour_mask())
    parameters.mirrorRegions = False
    measure(session, panel)
    rows = panel.panel.regions.measured.rows
    most = max(abs(row.signal_change) for row in rows if row.signal_change is not None)
    assert (
        f"at most {most:.1%}. Beyond the stated uncertainty: tCho in tumour, NAA in tumour."
        in panel.ui.signalLabel.text
    )
    assert panel.ui.regionsTable.item(0, 7).text() == f"{rows[0].signal_change:+.1%} (!)"
    assert panel.ui.regionsTable.item(2, 7).text() == "\u2013"
    # What was told of the signal stays beneath the table.
    session.click(panel.ui.copyButton)
    assert "Beyond the stated uncertainty" in panel.ui.signalLabel.text
    assert "(!)" in slicer.app.clipboard().text()


def test_regions_outside_the_brain_are_refused_before_anything_is_super_resolved(session, panel, monkeypatch):
    parameters = panel.panel.parameters
    outside = np.zeros_like(tumour_mask())
    outside[:3, :3, :3] = 1
    parameters.segmentation = add_segmentation(parameters.t1, air=outside)
    parameters.mirrorRegions = False
    with slow_network(monkeypatch) as network:
        measure(session, panel)
        assert not network.calls
    assert "No region holds a voxel of the maps' brain ('air')" in said(panel)
    assert panel.panel.regions.measured is None


def test_the_slider_is_served_while_the_other_side_is_looked_for(session, panel, one_pass, monkeypatch):
    import threading

    from inference_core.imaging import mirror

    may_go_on, looked = threading.Event(), []
    original = mirror.mirror_transform

    def slow(t1):
        looked.append(t1)
        assert may_go_on.wait(TIMEOUT_S)
        return original(t1)

    monkeypatch.setattr(mirror, "mirror_transform", slow)
    parameters = panel.panel.parameters
    parameters.segmentation = add_segmentation(parameters.t1, tumour=tumour_mask())
    session.click(panel.ui.measureButton)
    session.wait_until(lambda: looked, TIMEOUT_S)
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert panel.panel.regions.running
    may_go_on.set()
    session.wait_until(lambda: not panel.panel.regions.running, TIMEOUT_S)
    # The same T1's other side is known the next time.
    measure(session, panel)
    assert len(looked) == 1
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)


def test_a_drawn_counterpart_is_not_replaced_by_the_found_one(session, module, monkeypatch):
    from MRSISuperResLib.compute.other_side import OtherSide

    monkeypatch.setattr(
        "inference_core.imaging.mirror.mirror_transform", lambda t1: sitk.Transform(3, sitk.sitkIdentity)
    )
    image = sitk.Image([4, 4, 4], sitk.sitkUInt8)
    drawn = {"tumour": image, "tumour, mirrored": image}
    found = OtherSide().regions(drawn, image, (), lambda: None)
    assert list(found) == ["tumour, mirrored (2)", "tumour, mirrored, mirrored"]


def test_the_report_without_regions_needs_no_other_side(session, panel, one_pass, monkeypatch, tmp_path):
    monkeypatch.setattr("inference_core.report.pdf.find_browser", lambda named=None: None)
    monkeypatch.setattr("inference_core.imaging.mirror.mirror_transform", lambda t1: pytest.fail("looked for"))
    session.dialogs.answer(str(tmp_path / "patient.html"))
    session.click(panel.ui.reportButton)
    session.wait_until(lambda: not panel.panel.regions.running, TIMEOUT_S)
    assert (tmp_path / "patient.html").is_file()


def test_a_measurement_that_was_given_up_leaves_the_last_one(session, panel, one_pass, monkeypatch, tmp_path):
    parameters = panel.panel.parameters
    parameters.segmentation = add_segmentation(parameters.t1, tumour=tumour_mask())
    parameters.segmentation.SetName("Right/left")
    parameters.mirrorRegions = False
    measure(session, panel)
    before = panel.panel.regions.measured
    parameters.segmentation.SetName("Another")
    from MRSISuperResLib.compute.computation import shared_computation

    # Otherwise the maps are known already.
    shared_computation().cache.clear()
    with slow_network(monkeypatch) as network:
        session.click(panel.ui.measureButton)
        session.wait_until(lambda: network.calls, TIMEOUT_S)
        session.click(panel.ui.measureButton)
        assert "Stopping" in said(panel)
        network.allow_all()
        session.wait_until(lambda: not panel.panel.regions.running, TIMEOUT_S)
    assert "Given up." in said(panel)
    assert panel.panel.regions.measured is before
    session.dialogs.answer(str(tmp_path / "no such folder" / "table.csv"))
    session.click(panel.ui.csvButton)
    assert "Right_left in tCho, NAA.csv" in session.dialogs.shown[-1].details
    assert "can't be written" in said(panel)
    assert [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLTableNode")] == ["Right/left in tCho, NAA"]


def test_the_console_refuses_in_one_sentence(session, module):
    from inference_core.errors import InputError
    from MRSISuperResLib.scene.sample_data import load_sample_patient

    patient = load_sample_patient()
    tumour = add_segmentation(patient.t1, tumour=tumour_mask())
    inputs = [tumour, patient.maps[0], patient.t1, patient.flair]
    for place, wrong, sentence in (
        (0, None, "The segmentation is missing"),
        (0, patient.t1, "is no segmentation: choose one"),
        (0, add_segmentation(patient.t1), "is empty or lies outside the T1"),
        (0, add_ball((900, 0, 0)), "is empty or lies outside the T1"),
        (1, None, "The metabolite map is missing"),
        (1, tumour, "is no volume"),
        (2, None, "The T1 is missing"),
        (3, None, "The FLAIR is missing"),
    ):
        with pytest.raises(InputError, match=sentence):
            session.python.MRSISuperResLogic().measureRegions(*inputs[:place], wrong, *inputs[place + 1 :])
    for ratio, sentence in (
        ("tCho", "is no ratio"),
        ("tCho/tCr", "needs a map of tCr"),
        ("NAA/NAA", "is one everywhere"),
    ):
        with pytest.raises(InputError, match=sentence):
            session.python.MRSISuperResLogic().measureRegions(*inputs, ratios=[ratio])
