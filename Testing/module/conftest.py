"""A fresh Slicer for each test of the module, and what no test may leave behind."""

import gc
import os
import threading
import time

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from scenes import MODULE
from stand_ins.environment import check_system_libraries

_TROUBLE = ("thread", "QPainter", "QPaintDevice", "QWidget::", "QLayout", "QTimer")


@pytest.fixture(scope="session", autouse=True)
def system_libraries():
    check_system_libraries()


def _running_session(main_window: bool):
    from stand_ins.slicer_session import SlicerSession

    gc.collect()
    threads = set(threading.enumerate())
    running = SlicerSession.start(main_window=main_window)
    try:
        yield running
    finally:
        running.stop()
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - threads and time.monotonic() < deadline:
        time.sleep(0.02)  # an executor's thread ends soon after its executor
        gc.collect()
    left = [thread.name for thread in threading.enumerate() if thread not in threads]
    assert not left, f"The module left threads running: {left}"
    assert not running.active_timers(), "The module left a Qt timer running."
    assert not running.errors, "Raised in a slot, an observer or a thread:\n" + "\n".join(running.errors)
    bad = [message for message in running.qt_messages if any(word in message for word in _TROUBLE)]
    assert not bad, f"Qt complained: {bad}"


@pytest.fixture
def session():
    """A running session with a main window."""
    yield from _running_session(main_window=True)


@pytest.fixture
def module(session):
    """The module under test, as imported from its file."""
    session.load_module(MODULE)
    yield session.python
    # The console alone leaves the thread warm until Slicer quits.
    session.close_panel()
    session.python.close_shared_computation()


@pytest.fixture
def panel(session, module):
    """The module's widget, with the sample patient loaded and chosen."""
    widget = session.open_panel()
    session.click(widget.ui.sampleButton)
    return widget


@pytest.fixture
def windowless_session():
    """A running session as after `Slicer --no-main-window`."""
    yield from _running_session(main_window=False)


@pytest.fixture
def one_pass(monkeypatch):
    """No calibration, so that what is measured takes one pass of the network instead of eight."""
    from inference_core.errors import InputError

    def missing(weights):
        raise InputError("There is no calibration.")

    monkeypatch.setattr("inference_core.inference.uncertainty.calibration.load_calibration", missing)
