"""Draws the pictures of the panel that the README shows, with the tests' stand-ins for Slicer.

.venv/bin/python Testing/module/screenshots.py
"""

import slicer
from scenes import MODULE, PATIENCE, ROOT, add_segmentation, point_at, tumour_mask
from stand_ins.slicer_session import SlicerSession

FOLDER = ROOT / "Resources" / "Screenshots"


def main() -> None:
    """Write `panel.png`, `side_by_side.png`, `certainty.png` and `regions.png`."""
    session = SlicerSession.start()
    session.load_module(MODULE)
    panel = session.open_panel()
    session.click(panel.ui.sampleButton)
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, PATIENCE)
    session.drag_slider(panel.ui.sharpnessSlider, 0.02)
    session.wait_until(lambda: not panel.panel.live.working, PATIENCE)
    session.grab(FOLDER / "panel.png")
    session.click(panel.ui.sideBySideButton)
    session.process_events(100)
    session.grab(FOLDER / "side_by_side.png")
    session.click(panel.ui.sideBySideButton)
    session.wait_until(lambda: not panel.panel.live.busy, PATIENCE)
    panel.ui.inputsCollapsibleButton.collapsed = True
    panel.ui.regionsCollapsibleButton.collapsed = False
    panel.panel.parameters.segmentation = add_segmentation(panel.panel.parameters.t1, tumour=tumour_mask())
    session.click(panel.ui.fadeCheckBox)
    session.click(panel.ui.measureButton)
    session.wait_until(lambda: not panel.panel.regions.running, PATIENCE)
    point_at(panel.panel.parameters.result, 43, 40, 2)
    session.process_events(100)
    session.grab(FOLDER / "certainty.png")
    # Wide enough for all columns, as after dragging the panel's edge.
    slicer.util.mainWindow().resize_parts(panel_size=(920, 1100), views_size=(680, 1100))
    session.process_events(100)
    session.grab(FOLDER / "regions.png", panel.ui.regionsCollapsibleButton)
    session.stop()


if __name__ == "__main__":
    main()
