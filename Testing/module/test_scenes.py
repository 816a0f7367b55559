"""Saving, restoring and closing scenes, and reloading the module."""

import numpy as np
import pytest
import slicer
from scenes import TIMEOUT_S, apply_and_wait, pixels, volumes


def test_a_saved_scene_restores_the_panel_and_the_result(session, panel, tmp_path):
    session.drag_slider(panel.ui.sharpnessSlider, 0.04)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    session.choose_text(panel.ui.referenceComboBox, "T1")
    session.choose_text(panel.ui.colorMapComboBox, "Inferno")
    panel.ui.liveCheckBox.checked = False
    panel.ui.batchSharpnessEdit.text = "0, 0.01"
    node = panel.panel.parameters.result
    name, values, sharpness = node.GetName(), pixels(node), panel.panel.parameters.sharpness
    session.save_scene(tmp_path / "study.mrb")
    session.close_scene()
    assert panel.panel.parameters.metaboliteMap is None
    assert not panel.ui.applyButton.enabled
    session.load_scene(tmp_path / "study.mrb")
    parameters = panel.panel.parameters
    assert parameters.metaboliteMap.GetName() == "tCho 16x16 (simulated)"
    assert panel.ui.mapSelector.currentNode() is parameters.metaboliteMap
    assert panel.ui.sharpnessSlider.value == pytest.approx(sharpness)
    assert panel.ui.referenceComboBox.currentText == "T1"
    assert panel.ui.colorMapComboBox.currentText == "Inferno"
    assert not panel.ui.liveCheckBox.checked
    assert panel.ui.batchSharpnessEdit.text == "0, 0.01"
    assert parameters.result.GetName() == name
    assert parameters.result.GetAttribute("MRSISuperRes.Sharpness") == f"{sharpness:.6g}"
    np.testing.assert_allclose(pixels(parameters.result), values, rtol=1e-6)
    assert "Shown: tCho" in panel.ui.statusLabel.text
    # The slider goes on writing into the volume that came with the scene.
    panel.ui.liveCheckBox.checked = True
    session.drag_slider(panel.ui.sharpnessSlider, 0.01)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert (pixels(parameters.result) != values).any()
    assert len(volumes()) == 5


def test_loading_a_scene_computes_nothing_by_itself(session, panel, tmp_path):
    apply_and_wait(session, panel)
    session.save_scene(tmp_path / "study.mrb")
    session.close_scene()
    session.load_scene(tmp_path / "study.mrb")
    session.process_events(50)
    assert not panel.panel.live.working


def test_leaving_and_entering_the_module_keeps_everything(session, panel):
    node = apply_and_wait(session, panel)
    session.click(panel.ui.flickerButton)
    session.leave_panel()
    assert not panel.ui.flickerButton.checked
    assert session.open_panel() is panel
    assert panel.panel.parameters.result is node
    assert "Shown: tCho" in panel.ui.statusLabel.text


def test_a_closed_and_reopened_panel_finds_its_state(session, panel):
    node = apply_and_wait(session, panel)
    session.close_panel()
    again = session.open_panel()
    assert again.panel.parameters.metaboliteMap.GetName() == "tCho 16x16 (simulated)"
    assert again.panel.parameters.result is node
    assert "Shown: tCho" in again.ui.statusLabel.text


def test_reloading_the_module_while_it_computes(session, panel):
    session.click(panel.ui.applyButton)
    again = session.reload_module()
    assert not again.panel.live.working
    assert again.panel.parameters.metaboliteMap.GetName() == "tCho 16x16 (simulated)"
    session.click(again.ui.applyButton)
    session.wait_until(lambda: not again.panel.live.working, TIMEOUT_S)
    assert again.panel.parameters.result is not None


def test_adding_a_scene_to_another_keeps_the_panel_alive(session, panel, tmp_path):
    apply_and_wait(session, panel)
    session.save_scene(tmp_path / "study.mrb")
    session.load_scene(tmp_path / "study.mrb")
    assert panel.panel.parameters.parameterNode.GetScene() is slicer.mrmlScene
    assert panel.panel.parameters.metaboliteMap is not None
    assert panel.ui.applyButton.enabled
    assert apply_and_wait(session, panel) is not None


def test_a_scene_without_its_files(session, panel, tmp_path):
    """Only the scene's XML: the result's node comes back without voxels, and is no result."""
    apply_and_wait(session, panel)
    slicer.mrmlScene.SetURL(str(tmp_path / "study.mrml"))
    slicer.mrmlScene.Commit()
    session.close_scene()
    slicer.mrmlScene.SetURL(str(tmp_path / "study.mrml"))
    slicer.mrmlScene.Import()
    session.process_events(50)
    assert panel.panel.parameters.result is None
    assert panel.panel.parameters.sharpness == 0


def test_a_scene_closed_while_another_module_is_open(session, panel):
    apply_and_wait(session, panel)
    session.leave_panel()
    session.close_scene()
    assert panel.panel.parameters is None
    session.open_panel()
    assert panel.panel.parameters.metaboliteMap is None
    session.click(panel.ui.sampleButton)
    assert apply_and_wait(session, panel) is not None
