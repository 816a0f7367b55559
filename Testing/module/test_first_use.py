"""A clinician's first minutes with the module: the sample patient, Apply, the slider."""

import numpy as np
import pytest
import slicer
from scenes import TIMEOUT_S, apply_and_wait, expected, ijk_to_ras, image_matrix, pixels


def test_the_panel_opens_empty_and_says_what_is_missing(session, module):
    ui = session.open_panel().ui
    assert not ui.applyButton.enabled
    assert "metabolite map" in ui.statusLabel.text
    assert ui.applyButton.text == "Apply"
    assert not ui.setupFrame.visible


def test_one_click_loads_the_sample_patient(panel):
    parameters = panel.panel.parameters
    assert parameters.metaboliteMap.GetName() == "tCho 16x16 (simulated)"
    assert parameters.t1.GetName() == "T1 (simulated)"
    assert parameters.flair.GetName() == "FLAIR (simulated)"
    assert parameters.metabolite == "tCho"
    assert panel.ui.resolutionValue.text.startswith("16 × 16 → 64 × 64")
    assert "×4.0" in panel.ui.resolutionValue.text
    assert panel.ui.applyButton.enabled
    assert "simulated" in panel.ui.messageLabel.text


def test_choosing_another_map_guesses_its_metabolite(session, panel):
    session.choose(panel.ui.mapSelector, slicer.util.getNode("NAA 16x16 (simulated)"))
    assert panel.panel.parameters.metabolite == "NAA"
    assert panel.ui.metaboliteComboBox.currentText == "NAA"


def test_apply_gives_what_the_core_gives(session, panel):
    node = apply_and_wait(session, panel)
    oracle = expected("tCho", 0.0)
    assert node.GetName() == "tCho_n16_lambda0"
    np.testing.assert_allclose(ijk_to_ras(node), image_matrix(oracle), atol=1e-4)
    import SimpleITK as sitk

    np.testing.assert_allclose(pixels(node), sitk.GetArrayFromImage(oracle), rtol=1e-4, atol=1e-4)
    assert node.GetAttribute("MRSISuperRes.Metabolite") == "tCho"
    assert node.GetAttribute("MRSISuperRes.Sharpness") == "0"
    assert node.GetAttribute("MRSISuperRes.InputResolution") == "16"
    assert node.GetAttribute("MRSISuperRes.Complete") == "yes"
    assert "Shown: tCho" in panel.ui.statusLabel.text
    assert panel.ui.applyButton.text == "Apply"


def test_the_result_lies_over_flair_and_is_transparent_outside_the_brain(session, panel):
    before = session.slice_rgba("Red").astype(int)
    node = apply_and_wait(session, panel)
    after = session.slice_rgba("Red").astype(int)
    composite = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    assert composite.GetForegroundVolumeID() == node.GetID()
    assert composite.GetBackgroundVolumeID() == panel.panel.parameters.flair.GetID()
    assert composite.GetForegroundOpacity() == pytest.approx(0.6)
    changed = np.abs(after - before)[..., :3].sum(axis=-1) > 0
    # Coloured inside, the same grey outside: corners of the view lie outside the brain.
    assert 0.05 < changed.mean() < 0.9
    corner = max(4, changed.shape[0] // 20)
    for rows in (slice(0, corner), slice(-corner, None)):
        assert not changed[rows, :corner].any()
        assert not changed[rows, -corner:].any()
    inside = after[changed]
    assert (np.ptp(inside[:, :3], axis=1) > 20).mean() > 0.5


def test_the_slider_changes_pixels_of_the_view(session, panel):
    apply_and_wait(session, panel)
    smooth = session.slice_rgba("Red")
    session.drag_slider(panel.ui.sharpnessSlider, 0.08)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    sharp = session.slice_rgba("Red")
    assert panel.panel.parameters.sharpness == pytest.approx(0.08, abs=0.003)
    assert (smooth != sharp).any()
    assert "above the recommended range" in panel.ui.riskLabel.text
    node = panel.panel.parameters.result
    assert float(node.GetAttribute("MRSISuperRes.Sharpness")) == pytest.approx(panel.panel.parameters.sharpness)
    legend = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")[0]
    assert legend.GetTitleText() == f"tCho {panel.panel.parameters.sharpness:.3g}"


def test_moving_the_slider_suffices_without_apply(session, panel):
    session.drag_slider(panel.ui.sharpnessSlider, 0.02)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert panel.panel.parameters.result is not None


def test_without_live_update_nothing_moves_until_apply(session, panel):
    node = apply_and_wait(session, panel)
    session.click(panel.ui.liveCheckBox)
    before = pixels(node)
    session.drag_slider(panel.ui.sharpnessSlider, 0.05)
    session.process_events(200)
    assert not panel.panel.live.working
    np.testing.assert_array_equal(pixels(node), before)
    assert "not what the panel says" in panel.ui.statusLabel.text
    apply_and_wait(session, panel)
    assert (pixels(node) != before).any()
    assert "not what the panel says" not in panel.ui.statusLabel.text


def test_the_users_layout_and_other_nodes_are_left_alone(session, panel):
    layout = slicer.app.layoutManager().layout
    map_node = panel.panel.parameters.metaboliteMap
    color = map_node.GetDisplayNode().GetColorNodeID()
    window = map_node.GetDisplayNode().GetWindow()
    apply_and_wait(session, panel)
    assert slicer.app.layoutManager().layout == layout
    assert map_node.GetDisplayNode().GetColorNodeID() == color
    assert map_node.GetDisplayNode().GetWindow() == window


def test_keeping_a_copy_protects_it_from_later_results(session, panel):
    node = apply_and_wait(session, panel)
    before = pixels(node)
    session.click(panel.ui.keepButton)
    kept = slicer.util.getNode("tCho_n16_lambda0_kept")
    session.drag_slider(panel.ui.sharpnessSlider, 0.06)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    np.testing.assert_array_equal(pixels(kept), before)
    assert (pixels(node) != before).any()
    assert kept.GetAttribute("MRSISuperRes.Sharpness") == "0"


def test_long_names_make_the_panel_no_wider(session, panel):
    from MRSISuperResLib.panels.messages import show_message

    name = "a_name_that_nobody_breaks_" * 20
    before = panel.parent.minimumSizeHint().width()
    for label in (panel.ui.messageLabel, panel.ui.regionsLabel, panel.ui.resolutionWarning):
        show_message(label, name)
        # Rich text, which wraps.
        assert label.toolTip == f"<p>{name}</p>"
    panel.panel.parameters.metaboliteMap.SetName(name)
    apply_and_wait(session, panel)
    session.process_events(50)
    assert name in panel.ui.statusLabel.text
    assert panel.parent.minimumSizeHint().width() == before
