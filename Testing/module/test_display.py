"""The Display section: reference, opacity, colours, window, legend, and comparing with the input."""

import numpy as np
import pytest
import slicer
from scenes import PATIENCE, pixels, volumes


@pytest.fixture
def panel(session, module):
    widget = session.open_panel()
    session.click(widget.ui.sampleButton)
    session.click(widget.ui.applyButton)
    session.wait_until(lambda: not widget.panel.live.working, PATIENCE)
    return widget


@pytest.fixture
def red():
    return slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")


def test_reference_and_opacity_follow_the_panel(session, panel, red):
    session.choose_text(panel.ui.referenceComboBox, "T1")
    assert red.GetBackgroundVolumeID() == panel.panel.parameters.t1.GetID()
    session.drag_slider(panel.ui.opacitySlider, 0.3)
    assert red.GetForegroundOpacity() == pytest.approx(panel.panel.parameters.opacity)
    assert panel.panel.parameters.opacity == pytest.approx(0.3, abs=0.05)


def test_colour_map_follows_the_panel(session, panel):
    before = session.slice_rgba("Red")
    display = panel.panel.parameters.result.GetDisplayNode()
    for name in ("Inferno", "Plasma", "Rainbow", "Grey", "Viridis"):
        session.choose_text(panel.ui.colorMapComboBox, name)
        assert display.GetColorNode().GetName() == name
        assert display.GetColorNode().GetNumberOfColors() > 100
    np.testing.assert_array_equal(session.slice_rgba("Red"), before)


def test_colours_run_from_dark_to_bright(session, panel):
    table = panel.panel.parameters.result.GetDisplayNode().GetColorNode().GetLookupTable()
    colors = np.array([table.GetTableValue(i)[:3] for i in range(0, table.GetNumberOfTableValues(), 5)])
    luminance = colors @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(luminance) > 0).all()


def test_the_window_comes_from_the_data_and_the_users_choice_stays(session, panel):
    node = panel.panel.parameters.result
    display = node.GetDisplayNode()
    low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    assert low == pytest.approx(0)
    assert 0.5 * pixels(node).max() < high <= 1.2 * pixels(node).max()
    display.SetWindowLevelMinMax(1, 2)
    session.drag_slider(panel.ui.sharpnessSlider, 0.02)
    session.wait_until(lambda: not panel.panel.live.working, PATIENCE)
    assert display.GetWindowLevelMax() == pytest.approx(2)
    session.click(panel.ui.windowButton)
    assert display.GetWindowLevelMin() == pytest.approx(0)
    assert display.GetWindowLevelMax() == pytest.approx(np.percentile(pixels(node)[pixels(node) > 0], 99.5), rel=1e-4)


def test_side_by_side_shows_the_input_in_a_view_of_its_own_and_gives_the_layout_back(session, panel, red):
    layout = slicer.app.layoutManager().layout
    before = (red.GetForegroundVolumeID(), red.GetBackgroundVolumeID(), red.GetLinkedControl())
    session.click(panel.ui.sideBySideButton)
    session.process_events(20)
    shown = [n.GetLayoutName() for n in slicer.util.getNodesByClass("vtkMRMLSliceNode") if n.IsMappedInLayout()]
    assert sorted(shown) == ["MRSISuperResInput", "Red"]
    left, right = session.slice_rgba("Red"), session.slice_rgba("MRSISuperResInput")
    assert (left[..., :3] != 0).any()
    assert (right[..., :3] != 0).any()
    # The same place, so that the map's coarse voxels lie where the result's fine ones do.
    colored = [np.ptp(view[..., :3].astype(int), axis=-1) > 20 for view in (left, right)]
    assert all(mask.any() for mask in colored)
    session.click(panel.ui.sideBySideButton)
    assert slicer.app.layoutManager().layout == layout
    assert (red.GetForegroundVolumeID(), red.GetBackgroundVolumeID(), red.GetLinkedControl()) == before
    assert len(volumes()) == 5


def test_side_by_side_follows_the_slider(session, panel):
    session.click(panel.ui.sideBySideButton)
    before = session.slice_rgba("MRSISuperResInput"), session.slice_rgba("Red")
    session.drag_slider(panel.ui.sharpnessSlider, 0.09)
    session.wait_until(lambda: not panel.panel.live.working, PATIENCE)
    np.testing.assert_array_equal(session.slice_rgba("MRSISuperResInput"), before[0])
    assert (session.slice_rgba("Red") != before[1]).any()
    session.click(panel.ui.sideBySideButton)


def test_side_by_side_follows_the_reference(session, panel):
    session.click(panel.ui.sideBySideButton)
    session.choose_text(panel.ui.referenceComboBox, "T1")
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    [right] = [node for node in composites if node.GetLayoutName() == "MRSISuperResInput"]
    assert right.GetBackgroundVolumeID() == panel.panel.parameters.t1.GetID()
    session.click(panel.ui.sideBySideButton)


def test_flicker_shows_both_in_turn_and_ends_with_the_result(session, panel, red):
    result = panel.panel.parameters.result
    session.click(panel.ui.flickerButton)
    seen = set()
    session.wait_until(lambda: seen.add(red.GetForegroundVolumeID()) or len(seen) == 2, 5)
    assert result.GetID() in seen
    session.click(panel.ui.flickerButton)
    assert red.GetForegroundVolumeID() == result.GetID()
    assert len(volumes()) == 5


def test_comparing_ends_when_the_map_changes_or_the_scene_closes(session, panel, red):
    session.click(panel.ui.flickerButton)
    session.choose(panel.ui.mapSelector, slicer.util.getNode("NAA 16x16 (simulated)"))
    assert not panel.ui.flickerButton.checked
    session.choose(panel.ui.mapSelector, slicer.util.getNode("tCho 16x16 (simulated)"))
    session.click(panel.ui.sideBySideButton)
    session.close_scene()
    assert not panel.ui.sideBySideButton.checked
    assert not panel.ui.sideBySideButton.enabled


def test_the_input_keeps_its_own_display(session, panel):
    display = panel.panel.parameters.metaboliteMap.GetDisplayNode()
    before = display.GetColorNodeID(), display.GetInterpolate(), display.GetApplyThreshold()
    session.click(panel.ui.flickerButton)
    session.process_events(800)
    session.click(panel.ui.flickerButton)
    assert (display.GetColorNodeID(), display.GetInterpolate(), display.GetApplyThreshold()) == before


def test_a_reference_moved_out_of_the_way_brings_the_views_to_the_result(session, module):
    widget = session.open_panel()
    session.click(widget.ui.sampleButton)
    node = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    node.SetSliceOffset(node.GetSliceOffset() + 500)
    session.click(widget.ui.applyButton)
    session.wait_until(lambda: not widget.panel.live.working, PATIENCE)
    bounds = [0.0] * 6
    widget.panel.parameters.result.GetRASBounds(bounds)
    assert bounds[4] <= node.GetSliceOffset() <= bounds[5]
