"""How far a result may be trusted: uncertainty once the hand rests, fading, the cursor, the network's part."""

import numpy as np
import pytest
import slicer
from scenes import (
    TIMEOUT_S,
    apply_and_wait,
    ijk_to_ras,
    pixels,
    point_at,
    sample_images,
    slow_network,
    volumes,
    wait_for_certainty,
)


@pytest.fixture
def panel(session, module):
    widget = session.open_panel()
    session.click(widget.ui.sampleButton)
    apply_and_wait(session, widget)
    return widget


@pytest.fixture
def red():
    return slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")


def expected_widths(metabolite, sharpness):
    """What the core says of the bundled patient."""
    from inference_core import SuperResolver
    from inference_core.inference.examination import Examination
    from inference_core.inference.uncertainty.calibration import load_calibration
    from inference_core.terms.quantity import Quantity

    examination = Examination(SuperResolver.load())
    examination.prepare("map", *sample_images())
    source = examination.quantity(Quantity((metabolite,)), {metabolite: "map"}, sharpness)
    return source.whole(load_calibration(examination.resolver.weights)).uncertainty


def test_the_uncertainty_follows_the_result(session, panel):
    result = panel.panel.parameters.result
    node = wait_for_certainty(session, panel)
    assert node.GetName() == f"{result.GetName()}_uncertainty"
    np.testing.assert_allclose(pixels(node), expected_widths("tCho", 0.0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ijk_to_ras(node), ijk_to_ras(result))
    assert node.GetAttribute("MRSISuperRes.Kind").startswith("half-width")
    assert "Known, in the volume whose name ends in '_uncertainty'" in panel.ui.certaintyLabel.text
    assert "measured k-space" in panel.ui.shareLabel.text
    session.click(panel.ui.keepButton)
    assert {f"{result.GetName()}_kept", f"{node.GetName()}_kept"} <= set(slicer.util.getNodes())


def test_the_uncertainty_never_holds_up_the_slider(session, panel, monkeypatch):
    wait_for_certainty(session, panel)
    with slow_network(monkeypatch) as network:
        panel.panel.parameters.sharpness = 0.02
        network.allow(5)
        session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
        session.wait_until(lambda: len(network.calls) > 5, TIMEOUT_S)
        assert "0 of 5 slices" in panel.ui.certaintyLabel.text
        # One pass of the nine of a slice is on its way: after it, the thread turns to the slider.
        network.allow(1)
        panel.panel.parameters.sharpness = 0.03
        network.allow(6)
        session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
        sharpnesses = [call[1] for call in network.calls]
        assert len([value for value in sharpnesses if value == pytest.approx(0.02)]) <= 5 + 2
        assert panel.panel.parameters.result.GetName() == "tCho_n16_lambda0.03"
    node = wait_for_certainty(session, panel)
    assert node.GetName() == "tCho_n16_lambda0.03_uncertainty"
    np.testing.assert_allclose(pixels(node), expected_widths("tCho", 0.03), rtol=1e-4, atol=1e-5)


def test_nothing_is_said_of_a_result_by_what_was_known_of_another(session, panel, monkeypatch, red):
    node = wait_for_certainty(session, panel)
    session.click(panel.ui.fadeCheckBox)
    shown = slicer.mrmlScene.GetNodeByID(red.GetForegroundVolumeID())
    assert shown is not panel.panel.parameters.result
    before = pixels(node)
    with slow_network(monkeypatch) as network:
        panel.panel.parameters.sharpness = 0.05
        network.allow(1)
        session.wait_until(lambda: panel.ui.progressBar.value == 1, TIMEOUT_S)
        assert not pixels(node).any()
        assert panel.panel.live.certainty.volume is None
        assert red.GetForegroundVolumeID() == panel.panel.parameters.result.GetID()
        session.click(panel.ui.applyButton)
        assert panel.panel.parameters.result.GetName() == "tCho_n16_lambda0"
        np.testing.assert_array_equal(pixels(node), before)
        shown = slicer.mrmlScene.GetNodeByID(red.GetForegroundVolumeID())
        assert shown is not panel.panel.parameters.result


def test_giving_up_returns_to_a_result_without_its_uncertainty_if_there_was_none(session, panel, monkeypatch):
    wait_for_certainty(session, panel)
    with slow_network(monkeypatch) as network:
        panel.panel.parameters.sharpness = 0.02
        network.allow(5)
        session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
        panel.panel.parameters.sharpness = 0.04
        session.click(panel.ui.applyButton)
        assert panel.panel.parameters.result.GetName() == "tCho_n16_lambda0.02"
        assert panel.panel.live.certainty.volume is None
        assert not [node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if node not in volumes()]
        network.allow_all()
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)


def test_fading_draws_less_where_it_is_uncertain(session, panel, red):
    wait_for_certainty(session, panel)
    result = panel.panel.parameters.result
    plain = session.slice_rgba("Red")
    session.click(panel.ui.fadeCheckBox)
    shown = slicer.mrmlScene.GetNodeByID(red.GetForegroundVolumeID())
    values, widths = pixels(result), pixels(panel.panel.live.certainty.volume.node)
    drawn = (pixels(shown) > 0).reshape(len(values), 64, 4, 64, 4).mean(axis=(2, 4))
    brain = values > 0
    relative = widths / np.median(values[brain])
    wanted = np.clip((0.5 - relative) / 0.4, 0, 1)
    assert np.ptp(wanted[brain]) > 0.3
    assert np.abs(drawn - wanted)[brain].mean() < 0.05
    assert not drawn[~brain].any()
    assert (session.slice_rgba("Red") != plain).any()
    # What is only a way of looking stays out of lists and files.
    assert shown.GetHideFromEditors()
    assert not shown.GetSaveWithScene()
    session.click(panel.ui.fadeCheckBox)
    assert red.GetForegroundVolumeID() == result.GetID()
    assert len(volumes()) == 5
    np.testing.assert_array_equal(session.slice_rgba("Red"), plain)


def test_a_faded_voxel_lies_where_its_own_does(session, panel, red):
    wait_for_certainty(session, panel)
    session.click(panel.ui.fadeCheckBox)
    shown, result = slicer.mrmlScene.GetNodeByID(red.GetForegroundVolumeID()), panel.panel.parameters.result
    fine = np.mean([ijk_to_ras(shown) @ (4 * 20 + i, 4 * 30 + j, 2, 1) for i in range(4) for j in range(4)], axis=0)
    np.testing.assert_allclose(fine, ijk_to_ras(result) @ (20, 30, 2, 1), atol=1e-6)


def test_ways_of_looking_are_not_saved_but_come_back(session, panel, red, tmp_path):
    wait_for_certainty(session, panel)
    session.click(panel.ui.fadeCheckBox)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    session.close_scene()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    session.process_events(100)
    assert panel.ui.fadeCheckBox.checked
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLNode") if "faded" in node.GetName()]
    assert len(names) == 2, "the volume made anew and its legend"
    assert "faded" in slicer.mrmlScene.GetNodeByID(red.GetForegroundVolumeID()).GetName()


def test_the_value_under_the_cursor_comes_with_its_interval(session, panel):
    result = panel.panel.parameters.result
    node = wait_for_certainty(session, panel)
    index, row, column = np.argwhere(pixels(result) > 0)[4000]
    point_at(result, column, row, index)
    value, width = pixels(result)[index, row, column], pixels(node)[index, row, column]
    text = panel.ui.cursorLabel.text
    assert text.startswith(f"tCho {value:.4g} (68 %: {max(value - width, 0):.3g} \u2013 {value + width:.3g}; 95 %:")
    assert "as measured" in text
    point_at(result, 0, 0, 0)
    assert panel.ui.cursorLabel.text == "\u2013"
    point_at(result, 500, 0, 0)
    assert panel.ui.cursorLabel.text == "\u2013"


def test_the_networks_part_is_the_result_less_the_zero_filled_map(session, panel, red):
    import torch

    from inference_core.networks import kspace

    session.click(panel.ui.differenceButton)
    shown, result = slicer.mrmlScene.GetNodeByID(red.GetForegroundVolumeID()), panel.panel.parameters.result
    filled = kspace.zero_filled(torch.from_numpy(pixels(panel.panel.parameters.metaboliteMap)), (64, 64)).numpy()
    brain = pixels(result) > 0
    np.testing.assert_allclose(pixels(shown)[brain], (pixels(result) - filled)[brain], atol=1e-4)
    assert pixels(shown).min() < 0 < pixels(shown).max()
    display = shown.GetDisplayNode()
    assert display.GetWindowLevelMin() == pytest.approx(-display.GetWindowLevelMax())
    session.click(panel.ui.flickerButton)
    assert not panel.ui.differenceButton.checked
    session.click(panel.ui.flickerButton)
    assert red.GetForegroundVolumeID() == result.GetID()
    assert len(volumes()) == 5


def test_weights_without_calibration_say_so(session, panel, tmp_path):
    from inference_core.networks.weights_io import DEFAULT_WEIGHTS

    wait_for_certainty(session, panel)
    own = tmp_path / "own.safetensors"
    own.write_bytes(DEFAULT_WEIGHTS.read_bytes())
    panel.panel.model.load(str(own))
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    assert "There is no calibration beside the weights" in panel.ui.certaintyLabel.text
    assert panel.panel.live.certainty.volume is None


def test_above_the_recommended_sharpness_the_panel_tells_how_detail_grows(session, panel):
    panel.panel.parameters.sharpness = 0.02
    assert "more fine detail" not in panel.ui.riskLabel.text
    panel.panel.parameters.sharpness = 0.1
    assert "30% more fine detail than at \u03bb = 0 (at \u03bb = 0.03: 4%)" in panel.ui.riskLabel.text
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)


def test_a_scene_brings_the_uncertainty_back(session, panel, tmp_path):
    node = wait_for_certainty(session, panel)
    before = pixels(node)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    session.close_scene()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    session.process_events(100)
    certainty = panel.panel.live.certainty
    np.testing.assert_array_equal(pixels(certainty.volume.node), before)
    assert certainty.factor_95 > 1
