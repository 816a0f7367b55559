"""What can't be used is said in one sentence, in the panel and in the console; nothing freezes, nothing is lost."""

import numpy as np
import pytest
import slicer
from scenes import TIMEOUT_S, sample_file, volumes

from inference_core.errors import InputError


@pytest.fixture
def panel(session, module):
    widget = session.open_panel()
    session.click(widget.ui.sampleButton)
    widget.ui.modelCollapsibleButton.collapsed = False
    return widget


@pytest.fixture
def logic(session, module):
    return module.MRSISuperResLogic()


def volume(array, name, like=None):
    node = slicer.util.addVolumeFromArray(np.asarray(array, dtype=np.float32), name=name)
    if like is not None:
        node.CopyOrientation(like)
    return node


def test_a_missing_flair_is_named(session, panel):
    session.choose(panel.ui.flairSelector, None)
    assert not panel.ui.applyButton.enabled
    assert "FLAIR is missing" in panel.ui.statusLabel.text
    session.drag_slider(panel.ui.sharpnessSlider, 0.03)
    assert not panel.panel.live.working


def test_an_empty_volume_is_named(session, panel):
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    session.choose(panel.ui.t1Selector, empty)
    assert not panel.ui.applyButton.enabled
    assert "T1 'nothing' holds no image" in panel.ui.statusLabel.text


def test_a_map_of_zeros_is_refused_before_apply(session, panel):
    source = panel.panel.parameters.metaboliteMap
    session.choose(panel.ui.mapSelector, volume(np.zeros((3, 16, 16)), "tCho zeros", source))
    assert "only zeros" in panel.ui.resolutionWarning.text
    assert not panel.ui.applyButton.enabled


def test_a_map_that_is_too_fine_is_refused_before_apply(session, panel):
    noise = np.random.default_rng(0).uniform(0.5, 1, (2, 80, 80))
    session.choose(panel.ui.mapSelector, volume(noise, "NAA fine"))
    assert "more than the 64 x 64" in panel.ui.resolutionWarning.text
    assert not panel.ui.applyButton.enabled


def test_a_resolution_outside_the_trained_range_is_a_warning(session, panel):
    noise = np.random.default_rng(0).uniform(0.5, 1, (2, 7, 7))
    session.choose(panel.ui.mapSelector, volume(noise, "NAA coarse", panel.panel.parameters.metaboliteMap))
    assert panel.ui.resolutionWarning.visible
    assert "outside the trained range" in panel.ui.resolutionWarning.text
    assert panel.ui.applyButton.enabled


def test_a_zero_filled_map_counts_with_its_measured_resolution(session, panel):
    import torch

    from inference_core.networks import kspace

    source = panel.panel.parameters.metaboliteMap
    fine = kspace.zero_filled(torch.from_numpy(np.array(slicer.util.arrayFromVolume(source))), (64, 64)).numpy()
    node = volume(fine, "tCho interpolated", source)
    node.SetSpacing(*(np.array(source.GetSpacing()) * (0.25, 0.25, 1)))
    session.choose(panel.ui.mapSelector, node)
    assert panel.ui.resolutionValue.text.startswith("16 × 16 → 64 × 64")
    assert "interpolated (zero-filling)" in panel.ui.resolutionWarning.text
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert panel.panel.parameters.result.GetAttribute("MRSISuperRes.InputResolution") == "16"


def test_images_that_do_not_overlap_fail_with_a_sentence_in_the_panel(session, panel):
    t1 = panel.panel.parameters.t1
    origin = np.array(t1.GetOrigin()) + 5000
    t1.SetOrigin(*origin)
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert "T1 does not overlap the map" in panel.ui.messageLabel.text
    assert panel.ui.messageLabel.visible
    assert panel.panel.parameters.result is None
    assert panel.ui.applyButton.text == "Apply"


def test_weights_that_are_none_are_refused_and_the_old_ones_kept(session, panel, tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(b"no weights at all")
    session.dialogs.answer(str(foreign))
    session.click(panel.ui.loadWeightsButton)
    assert "foreign.safetensors" in panel.ui.messageLabel.text
    assert panel.panel.parameters.weights == ""


def test_weights_that_vanish_are_reported(session, panel, tmp_path):
    panel.panel.parameters.weights = str(tmp_path / "gone.safetensors")
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert "gone.safetensors" in panel.ui.messageLabel.text
    session.click(panel.ui.defaultWeightsButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert panel.panel.parameters.result is not None


def test_a_device_that_is_not_there_is_reported(session, panel):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    # Live update tries it at once.
    session.choose_text(panel.ui.deviceComboBox, "cuda")
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert "Device 'cuda' is not available" in panel.ui.messageLabel.text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"flair": None}, "FLAIR is missing"),
        ({"metabolite": "Lac"}, "Unknown metabolite 'Lac'"),
        ({"sharpness": 0.5}, "Sharpness 0.5 is outside"),
        ({"device": "abacus"}, "Unknown device 'abacus'"),
    ],
)
def test_the_console_raises_one_sentence(logic, change, sentence):
    nodes = {
        "map": "res-n16_desc-acquired_tCho",
        "t1": "T1w",
        "flair": "FLAIR",
    }
    loaded = {role: slicer.util.loadVolume(str(sample_file(name)), {"show": False}) for role, name in nodes.items()}
    options = {"metabolite": "tCho", "sharpness": 0.0}
    for name, value in change.items():
        (loaded if name in loaded else options)[name] = value
    before = len(volumes())
    with pytest.raises(InputError, match=sentence):
        logic.superResolve(loaded["map"], loaded["t1"], loaded["flair"], **options)
    assert len(volumes()) == before


def test_a_map_whose_name_does_not_tell_the_metabolite(logic):
    loaded = [slicer.util.loadVolume(str(sample_file(name)), {"show": False}) for name in ("T1w", "FLAIR")]
    source = volume(np.ones((1, 16, 16)), "unnamed")
    with pytest.raises(InputError, match=r"unnamed.*contains no metabolite"):
        logic.superResolve(source, *loaded)
