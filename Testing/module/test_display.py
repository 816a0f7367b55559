"""The Display section: reference, opacity, colours, window, legend, and comparing with the input."""

import numpy as np
import pytest
import slicer
from scenes import TIMEOUT_S, pixels, use_segment_editor, volumes


@pytest.fixture
def panel(session, module):
    widget = session.open_panel()
    session.click(widget.ui.sampleButton)
    session.click(widget.ui.applyButton)
    session.wait_until(lambda: not widget.panel.live.working, TIMEOUT_S)
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
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
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
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
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
    seen, told = set(), set()

    def look():
        seen.add(red.GetForegroundVolumeID())
        told.add(panel.ui.statusLabel.text)
        return len(seen) == 2

    session.wait_until(look, 5)
    session.process_events(300)
    look()
    assert result.GetID() in seen
    # Not that it is gone from the views, each time that the map is shown: the panel would jump.
    assert len(told) == 1
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


def slice_node(view):
    return slicer.app.layoutManager().sliceWidget(view).mrmlSliceNode()


def user_views():
    """Of each of the user's views: links, hot link, group, offset and size of what it shows."""
    manager = slicer.app.layoutManager()
    widgets = [manager.sliceWidget(name) for name in manager.sliceViewNames() if name != "MRSISuperResInput"]
    return {
        widget.mrmlSliceNode().GetLayoutName(): (
            widget.mrmlSliceCompositeNode().GetLinkedControl(),
            widget.mrmlSliceCompositeNode().GetHotLinkedControl(),
            widget.mrmlSliceNode().GetViewGroup(),
            widget.mrmlSliceNode().GetSliceOffset(),
        )
        for widget in widgets
    }


def zoom(view, factor):
    """As with the right mouse button."""
    widget = slicer.app.layoutManager().sliceWidget(view)
    node, logic = widget.mrmlSliceNode(), widget.sliceLogic()
    across, up, deep = node.GetFieldOfView()
    logic.StartSliceNodeInteraction(node.FieldOfViewFlag)
    node.SetFieldOfView(across * factor, up * factor, deep)
    node.UpdateMatrices()
    logic.EndSliceNodeInteraction()


def test_side_by_side_stays_at_the_slice_and_shows_both_at_one_scale(session, panel):
    offset = slice_node("Red").GetSliceOffset()
    session.click(panel.ui.sideBySideButton)
    session.process_events(100)
    scales = []
    for view in ("Red", "MRSISuperResInput"):
        node = slice_node(view)
        assert node.GetSliceOffset() == pytest.approx(offset)
        scales += [node.GetFieldOfView()[axis] / node.GetDimensions()[axis] for axis in (0, 1)]
    assert slice_node("Red").GetDimensions()[0] > 1.03 * slice_node("MRSISuperResInput").GetDimensions()[0]
    assert scales == pytest.approx([scales[0]] * 4, rel=5e-3)
    # From then on, they move together.
    session.scroll("MRSISuperResInput", 12.6)
    assert slice_node("Red").GetSliceOffset() == pytest.approx(offset + 12.6)


@pytest.mark.parametrize(("linked", "hot"), [(False, False), (True, False), (True, True), (False, True)])
def test_side_by_side_leaves_the_other_views_and_all_links_as_they_were(session, panel, linked, hot):
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        composite.SetLinkedControl(linked)
        composite.SetHotLinkedControl(hot)
    before = user_views()
    green = slice_node("Green").GetFieldOfView()
    session.click(panel.ui.sideBySideButton)
    session.process_events(100)
    assert {name: view[1] for name, view in user_views().items()} == {name: view[1] for name, view in before.items()}
    zoom("Red", 0.5)
    across = slice_node("Red").GetFieldOfView()[0]
    assert slice_node("MRSISuperResInput").GetFieldOfView()[0] == pytest.approx(across)
    assert slice_node("Green").GetFieldOfView() == green
    session.click(panel.ui.sideBySideButton)
    session.process_events(100)
    assert user_views() == before


def test_closing_the_scene_side_by_side_gives_the_layout_back(session, panel):
    layout = slicer.app.layoutManager().layout
    session.click(panel.ui.sideBySideButton)
    session.close_scene()
    assert slicer.app.layoutManager().layout == layout
    assert not panel.ui.sideBySideButton.checked
    assert not any(linked or hot or group for linked, hot, group, _offset in user_views().values())


def test_another_layout_chosen_by_hand_ends_side_by_side(session, panel, red):
    before = user_views()
    session.click(panel.ui.sideBySideButton)
    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    session.process_events(50)
    assert not panel.ui.sideBySideButton.checked
    assert user_views() == before
    assert len(volumes()) == 5
    # The next click begins anew, and returns to the layout that was chosen.
    for _ in range(2):
        session.click(panel.ui.sideBySideButton)
        session.process_events(50)
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_a_scene_saved_side_by_side_opens_in_a_layout_of_slicers(session, panel, tmp_path):
    session.click(panel.ui.sideBySideButton)
    session.save_scene(tmp_path / "study.mrb")
    session.close_scene()
    session.load_scene(tmp_path / "study.mrb")
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert not panel.ui.sideBySideButton.checked
    assert not any(group for _linked, _hot, group, _offset in user_views().values())


def legends(view):
    return [node.GetDisplayableNode() for node in slicer.app.layoutManager().sliceWidget(view).sliceView().legends()]


def test_the_legend_is_where_the_result_is(session, panel):
    result = panel.panel.parameters.result
    assert legends("Red") == legends("Green") == [result]
    session.click(panel.ui.sideBySideButton)
    session.process_events(50)
    assert legends("Red") == [result]
    assert legends("MRSISuperResInput") == []
    session.click(panel.ui.sideBySideButton)
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        composite.SetForegroundVolumeID(None)
    assert legends("Red") == []
    assert "Not in the views: tCho" in panel.ui.statusLabel.text
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert legends("Red") == [result]


def test_a_legend_that_the_user_hid_stays_hidden(session, panel):
    [legend] = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    legend.SetVisibility(False)
    session.drag_slider(panel.ui.sharpnessSlider, 0.02)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert legends("Red") == []


def test_the_legend_is_small_and_in_letters_that_vtk_draws(session, panel):
    from stand_ins.color_legend import drawable

    [legend] = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    for quantity in ("tCho", "tCho/NAA"):
        session.choose_text(panel.ui.metaboliteComboBox, quantity)
        session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
        assert legend.GetTitleText() == drawable(legend.GetTitleText()) == f"{quantity} 0"
    width, height = legend.GetSize()
    assert width <= 0.06
    assert height <= 0.2


def test_the_segment_editor_and_back(session, panel, red):
    result, flair = panel.panel.parameters.result, panel.panel.parameters.flair
    use_segment_editor(session, panel.panel.parameters.t1)
    assert red.GetForegroundVolumeID() == result.GetID()
    assert red.GetBackgroundVolumeID() == flair.GetID()
    assert legends("Red") == [result]
    assert "Shown: tCho" in panel.ui.statusLabel.text
    # What the user chose to see meanwhile stays.
    session.leave_panel()
    red.SetForegroundVolumeID(flair.GetID())
    session.open_panel()
    assert red.GetForegroundVolumeID() == flair.GetID()


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
    session.wait_until(lambda: not widget.panel.live.working, TIMEOUT_S)
    bounds = [0.0] * 6
    widget.panel.parameters.result.GetRASBounds(bounds)
    assert bounds[4] <= node.GetSliceOffset() <= bounds[5]
