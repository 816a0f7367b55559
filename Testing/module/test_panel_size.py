"""The panel's own size in Slicer's module panel: nothing cut off, nothing overlapping, never wider than it was."""

import pytest
from scenes import TIMEOUT_S, add_segmentation, apply_and_wait, tumour_mask


@pytest.fixture
def panel(panel):
    panel.ui.regionsCollapsibleButton.collapsed = False
    return panel


def cut_off(session, panel):
    """Names of the labels that are not as high as their text needs, and of what is squeezed."""
    session.process_events(100)
    found = []
    for name, widget in vars(panel.ui).items():
        if not widget.isWidgetType() or not widget.visible:
            continue
        if widget.className() == "QLabel" and widget.wordWrap and widget.height < widget.heightForWidth(widget.width):
            found.append(name)
        if widget.height < widget.minimumHeight:
            found.append(name)
    return found


def test_texts_and_table_keep_their_place_after_another_module(session, panel):
    session.resize((455, 700), (900, 700))
    apply_and_wait(session, panel)
    panel.panel.parameters.segmentation = add_segmentation(panel.panel.parameters.t1, tumour=tumour_mask())
    assert cut_off(session, panel) == []
    session.leave_panel()
    session.open_panel()
    assert cut_off(session, panel) == []
    session.click(panel.ui.measureButton)
    session.wait_until(lambda: not panel.panel.regions.running, TIMEOUT_S)
    assert panel.ui.regionsTable.visible
    assert cut_off(session, panel) == []
    for text in ("A long note. " * 40, "Short."):
        panel.ui.regionsLabel.text = text
        assert cut_off(session, panel) == []
    # Nothing is left of the height that the long note took.
    contents, last = (
        panel.ui.regionsTable.window().module_panel().findChild("QScrollArea").widget(),
        panel.ui.researchLabel,
    )
    session.wait_until(lambda: contents.height <= last.mapTo(contents, last.rect.bottomLeft()).y() + 80, 5)


def test_the_panel_gets_no_wider_whatever_it_says(session, panel):
    width = session.main_window.module_panel().width
    for value in (0.02, 0.05, 0.1, 0.0):
        session.drag_slider(panel.ui.sharpnessSlider, value)
        session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
        assert session.main_window.module_panel().width == width
    for widget in vars(panel.ui).values():
        if widget.className() == "QLabel" and widget.wordWrap:
            widget.text = "several words " * 30 + "and_one_that_nobody_breaks" * 5
    session.process_events(50)
    assert session.main_window.module_panel().width == width


def test_the_sliders_handles_are_whole(session, panel):
    import qt

    for slider in (panel.ui.sharpnessSlider, panel.ui.opacitySlider):
        inner = slider.slider().findChild("QSlider")
        # What a ctk slider is high on Slicer's desktop.
        assert inner.height == 15
        for value in (slider.minimum, slider.maximum):
            slider.value = value
            session.process_events(20)
            assert inner.rect.contains(handle_of(inner, qt))


def handle_of(slider, qt):
    """A slider's handle, with its border."""
    option = qt.QStyleOptionSlider()
    slider.initStyleOption(option)
    part = qt.QStyle.SC_SliderHandle
    return slider.style().subControlRect(qt.QStyle.CC_Slider, option, part, slider)
