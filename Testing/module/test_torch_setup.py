"""Slicer without PyTorch: the module opens, says what to do, asks before it installs, and survives a refusal."""

import pytest
from stand_ins.pytorch_utils import TorchState


@pytest.fixture
def without_torch(session):
    """A Slicer that lacks torch until it is installed."""
    session.set_torch(TorchState.ABSENT)
    return session.torch


def test_the_panel_opens_and_says_what_to_do(session, without_torch, module):
    panel = session.open_panel()
    assert panel.ui.setupFrame.visible
    assert "PyTorch" in panel.ui.setupLabel.text
    session.click(panel.ui.sampleButton)
    assert panel.ui.resolutionValue.text.startswith("16 × 16 → 64 × 64")
    assert not panel.ui.applyButton.enabled
    assert "install it above" in panel.ui.statusLabel.text
    session.drag_slider(panel.ui.sharpnessSlider, 0.02)
    assert not panel.panel.live.working
    assert not panel.ui.batchButton.enabled


def test_installing_makes_it_work(session, without_torch, module):
    panel = session.open_panel()
    session.click(panel.ui.sampleButton)
    session.click(panel.ui.installButton)
    assert not panel.ui.setupFrame.visible
    assert panel.ui.applyButton.enabled
    assert len(without_torch.installs) == 1


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (TorchState.DECLINED, "PyTorch was not installed"),
        (TorchState.OFFLINE, "could not be installed"),
        (TorchState.NO_EXTENSION, "Extensions Manager"),
    ],
)
def test_a_way_out_when_it_can_not_be_installed(session, without_torch, module, state, sentence):
    session.set_torch(state)
    panel = session.open_panel()
    session.click(panel.ui.installButton)
    assert sentence in panel.ui.messageLabel.text
    assert panel.ui.setupFrame.visible
    assert panel.ui.installButton.enabled
    assert panel.ui.installButton.text == "Install PyTorch…"


def test_the_console_says_what_is_missing(session, without_torch, module):
    with pytest.raises(ValueError, match="needs torch"):
        module.MRSISuperResLogic().superResolve(None, None, None)
