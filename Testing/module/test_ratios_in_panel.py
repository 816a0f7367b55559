"""Ratios of metabolites, in the list and in the console."""

import functools

import numpy as np
import pytest
import slicer
from scenes import (
    TIMEOUT_S,
    add_segmentation,
    apply_and_wait,
    pixels,
    sample_images,
    slow_network,
    tumour_mask,
    wait_for_certainty,
)


@pytest.fixture
def panel(session, module):
    widget = session.open_panel()
    session.click(widget.ui.sampleButton)
    apply_and_wait(session, widget)
    return widget


@functools.cache
def expected_ratio():
    """tCho/NAA of the bundled patient by the core, masked by the maps' uncertainties."""
    from inference_core import SuperResolver
    from inference_core.inference.patient_result import super_resolve_patient
    from inference_core.inference.uncertainty.calibration import load_calibration
    from inference_core.terms.ratios import Ratio

    resolver = SuperResolver.load()
    low_resolution, t1, flair = sample_images()
    maps = {"tCho": low_resolution, "NAA": sample_images("res-n16_desc-acquired_NAA")[0]}
    calibration, ratios = load_calibration(resolver.weights), [Ratio.parse("tCho/NAA")]
    result = super_resolve_patient(resolver, maps, t1, flair, 0.0, calibration, ratios=ratios)
    return result.ratios["tCho/NAA"]


def test_a_ratio_is_made_of_the_maps_on_one_grid(session, panel):
    session.choose_text(panel.ui.metaboliteComboBox, "tCho/NAA")
    node = wait_for_certainty(session, panel)
    result, expected = panel.panel.parameters.result, expected_ratio()
    assert result.GetName() == "tChoOverNAA_n16_lambda0"
    assert result.GetAttribute("MRSISuperRes.Map") == "tCho 16x16 (simulated), NAA 16x16 (simulated)"
    np.testing.assert_allclose(pixels(result), expected.values, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(pixels(node), expected.uncertainty, rtol=1e-3, atol=1e-4)
    display = result.GetDisplayNode()
    assert display.GetWindowLevelMax() == pytest.approx(np.percentile(expected.values[expected.mask], 99.5), rel=0.3)
    assert not panel.ui.flickerButton.enabled
    assert not panel.ui.differenceButton.enabled
    # Back to a metabolite, its own colours return.
    session.choose_text(panel.ui.metaboliteComboBox, "tCho")
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert result.GetName() == "tCho_n16_lambda0"
    assert display.GetWindowLevelMax() > 1.2
    assert panel.ui.flickerButton.enabled


def test_a_ratio_in_multiples_of_the_brains(session, panel):
    assert not panel.ui.ratioReferenceComboBox.visible
    session.choose_text(panel.ui.metaboliteComboBox, "tCho/NAA")
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    result = panel.panel.parameters.result
    plain, error = pixels(result), pixels(panel.panel.live.certainty.volume.node)
    session.choose_text(panel.ui.ratioReferenceComboBox, "of the brain's")
    node = wait_for_certainty(session, panel)
    assert result.GetName() == "tChoOverNAARelativeToBrain_n16_lambda0"
    found = pixels(result)
    inside = found > 0
    assert np.median(found[inside]) == pytest.approx(1, rel=0.05)
    level = plain[inside] / found[inside]
    assert np.ptp(level) < 1e-3 * level.mean()
    np.testing.assert_allclose(pixels(node) * level.mean(), error, rtol=1e-3, atol=1e-5)
    assert "tCho/NAA of the brain's" in panel.ui.statusLabel.text


def test_the_users_windows_return_with_what_they_were_for(session, panel):
    display = panel.panel.parameters.result.GetDisplayNode()
    display.SetWindowLevelMinMax(0.2, 0.9)
    session.choose_text(panel.ui.metaboliteComboBox, "tCho/NAA")
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    assert display.GetWindowLevelMax() != pytest.approx(0.9)
    display.SetWindowLevelMinMax(0.1, 0.3)
    for choice, window in (("tCho", (0.2, 0.9)), ("tCho/NAA", (0.1, 0.3))):
        session.choose_text(panel.ui.metaboliteComboBox, choice)
        session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
        assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx(window)


def level_of(plain, found):
    """What a ratio was divided by, everywhere."""
    inside = found > 0
    assert (inside == (plain > 0)).all()
    level = plain[inside] / found[inside]
    assert np.ptp(level) < 1e-3 * level.mean()
    return level.mean()


def test_a_ratio_in_multiples_of_the_segments_or_the_other_sides(session, module, one_pass, panel):
    session.choose_text(panel.ui.metaboliteComboBox, "tCho/NAA")
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    parameters, result = panel.panel.parameters, panel.panel.parameters.result
    plain = pixels(result)
    session.choose_text(panel.ui.ratioReferenceComboBox, "of the segments'")
    assert "The segmentation is missing" in panel.ui.applyButton.toolTip
    # What is hidden does not count.
    everywhere = np.ones_like(tumour_mask())
    node = add_segmentation(parameters.t1, tumour=tumour_mask(), everywhere=everywhere)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetSegmentVisibility("everywhere", False)
    levels = {}
    parameters.segmentation = node
    for choice, label in (("of the segments'", "Region"), ("of the other side's", "OtherSide")):
        session.choose_text(panel.ui.ratioReferenceComboBox, choice)
        session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
        assert result.GetName() == f"tChoOverNAARelativeTo{label}_n16_lambda0"
        assert result.GetAttribute("MRSISuperRes.Segmentation") == "Tumour segments"
        assert f"Shown: tCho/NAA {choice} at" in panel.ui.statusLabel.text
        levels[label] = level_of(plain, pixels(result))
        assert "not what the panel says" not in panel.ui.statusLabel.text
    assert levels["Region"] > 1.5 * levels["OtherSide"]
    measured = session.python.MRSISuperResLogic().superResolve(
        parameters.metaboliteMap, parameters.t1, parameters.flair, "tCho/NAA", reference=node, mirror=True
    )
    np.testing.assert_array_equal(pixels(measured), pixels(result))
    # Each change of the segments is one of the result's.
    said = "not what the panel says: press Apply"
    node.GetDisplayNode().SetSegmentVisibility("everywhere", True)
    assert said in panel.ui.statusLabel.text
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    assert said not in panel.ui.statusLabel.text
    assert levels["OtherSide"] != pytest.approx(level_of(plain, pixels(result)), rel=1e-3)
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        np.roll(tumour_mask(), 4, axis=2).astype(np.uint8), node, "tumour", parameters.t1
    )
    assert said in panel.ui.statusLabel.text
    before = pixels(result)
    for name in ("tumour", "everywhere"):
        node.GetDisplayNode().SetSegmentVisibility(name, False)
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    assert "shows nothing within the T1" in panel.ui.messageLabel.text
    np.testing.assert_array_equal(pixels(result), before)


def test_what_a_ratio_is_compared_with_is_computed_once(session, module, one_pass, panel, monkeypatch):
    session.choose_text(panel.ui.metaboliteComboBox, "tCho/NAA")
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    with slow_network(monkeypatch) as network:
        network.allow_all()
        session.choose_text(panel.ui.ratioReferenceComboBox, "of the brain's")
        session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
        # The ratio's slices are known already, and with them its level in the brain.
        assert not network.calls
        session.drag_slider(panel.ui.sharpnessSlider, 0.05)
        session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    for name in ("tCho", "NAA"):
        taken = [i for metabolite, at, slices in network.calls if (metabolite, at) == (name, 0.05) for i in slices]
        assert sorted(taken) == [0, 1, 2, 3, 4]


def test_the_consoles_reference_is_a_tissue(session, module):
    from inference_core.errors import InputError
    from MRSISuperResLib.scene.sample_data import load_sample_patient

    patient = load_sample_patient()
    nodes = (patient.maps[0], patient.t1, patient.flair)
    logic = session.python.MRSISuperResLogic()
    for options, sentence in (
        ({"metabolite": "tCho/NAA", "reference": "liver"}, "'liver' is neither a node nor a file"),
        ({"metabolite": "tCho", "reference": "brain"}, "A reference is for ratios"),
        ({"metabolite": "tCho/NAA", "reference": "brain", "mirror": True}, "needs a region to be opposite of"),
        ({"metabolite": "tCho/NAA", "reference": patient.t1}, "is no segmentation"),
    ):
        with pytest.raises(InputError, match=sentence):
            logic.superResolve(*nodes, **options)


def test_one_may_write_a_ratio_of_ones_own(session, panel):
    assert not panel.ui.ownRatioEdit.visible
    session.choose_text(panel.ui.metaboliteComboBox, "own ratio")
    assert panel.ui.ownRatioEdit.visible
    assert "needs a map of Gln and Glu and tCr" in panel.ui.statusLabel.text + panel.ui.applyButton.toolTip
    panel.panel.parameters.ownRatio = "NAA / GPC+PCh"
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert panel.panel.parameters.result.GetName() == "NAAOverTCho_n16_lambda0"
    panel.panel.parameters.ownRatio = "NAA"
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert panel.panel.parameters.result.GetName() == "NAA_n16_lambda0"
    panel.panel.parameters.ownRatio = "NAA/"
    assert not panel.ui.applyButton.enabled
    assert "is no ratio" in panel.ui.applyButton.toolTip


def test_what_a_ratio_lacks_is_said(session, panel):
    session.choose_text(panel.ui.metaboliteComboBox, "Gln/Glu")
    assert "needs a map of Gln and Glu" in panel.ui.applyButton.toolTip
    session.choose_text(panel.ui.metaboliteComboBox, "tCho/NAA")
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    copy = slicer.modules.volumes.logic().CloneVolume(
        slicer.mrmlScene, slicer.util.getNode("NAA 16x16 (simulated)"), "NAA again"
    )
    panel.panel.refresh()
    assert "are both maps of NAA" in panel.ui.applyButton.toolTip
    # On another grid, it is of another examination.
    copy.SetOrigin(1, 2, 3)
    panel.panel.refresh()
    assert panel.ui.applyButton.enabled


def test_another_patients_map_on_the_same_grid_is_left_out(session, panel):
    from MRSISuperResLib.scene.patient_maps import maps_beside

    maps = {name: slicer.util.getNode(f"{name} 16x16 (simulated)") for name in ("tCho", "NAA")}
    maps["tCho"].SetName("sub-01_tCho")
    maps["NAA"].SetName("sub-02_NAA")
    assert set(maps_beside(maps["tCho"])) == {"tCho"}
    maps["NAA"].SetName("sub-01_NAA")
    assert set(maps_beside(maps["tCho"])) == {"tCho", "NAA"}


def test_a_denominator_of_zero_everywhere_is_refused(session, panel):
    naa = slicer.util.getNode("NAA 16x16 (simulated)")
    slicer.util.updateVolumeFromArray(naa, pixels(naa) * 1e-6 + (np.random.default_rng(0).random((5, 16, 16)) - 0.9))
    session.choose_text(panel.ui.metaboliteComboBox, "tCho/NAA")
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    assert panel.ui.messageLabel.text
    assert "Traceback" not in panel.ui.messageLabel.text


@pytest.mark.parametrize("uncertainty", [False, True])
def test_the_console_makes_ratios_and_uncertainties(session, module, uncertainty):
    from MRSISuperResLib.scene.sample_data import load_sample_patient

    patient = load_sample_patient()
    node = session.python.MRSISuperResLogic().superResolve(
        patient.maps[0], patient.t1, patient.flair, metabolite="tCho/NAA", uncertainty=uncertainty
    )
    expected = expected_ratio()
    np.testing.assert_allclose(pixels(node), expected.values, rtol=1e-3, atol=1e-4)
    widths = node.GetNodeReference("MRSISuperRes.uncertainty")
    assert (widths is not None) == uncertainty
    if uncertainty:
        np.testing.assert_allclose(pixels(widths), expected.uncertainty, rtol=1e-3, atol=1e-4)
