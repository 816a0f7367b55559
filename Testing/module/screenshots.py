"""Draws the pictures of the panel that the README shows, with the tests' stand-ins for Slicer.

.venv/bin/python Testing/module/screenshots.py
"""

from scenes import MODULE, PATIENCE, ROOT
from stand_ins.slicer_session import SlicerSession

FOLDER = ROOT / "Resources" / "Screenshots"


def main() -> None:
    """Write `panel.png` and `side_by_side.png`."""
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
    session.stop()


if __name__ == "__main__":
    main()
