"""What the map's own measurement says of the network's detail, and the choices of detail and measured data."""

from dataclasses import replace

import numpy as np
import pytest
import slicer
from scenes import TIMEOUT_S, pixels, sample_images, slow_network, wait_for_certainty

from inference_core.terms.detail import CONSISTENCIES, DEFAULT_CONSISTENCY, DEFAULT_DETAIL, DETAILS


def attribute(node, name):
    return node.GetAttribute(f"MRSISuperRes.{name}")


def apply_and_wait(session, panel):
    """The result of what the panel says, which a change of the panel may have begun already; its node."""
    if not panel.panel.live.working:
        session.click(panel.ui.applyButton)
    return wait_for_result(session, panel)


def wait_for_check(session, panel):
    session.wait_until(lambda: panel.panel.live.certainty.checked is not None, TIMEOUT_S)
    return panel.ui.selfCheckLabel.text


def wait_for_result(session, panel):
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    return panel.panel.parameters.result


@pytest.fixture
def contradicted(monkeypatch):
    """The data contradict the detail, as far as the self-check says."""
    from inference_core.inference import examination

    found = examination.self_check

    def check(resolver, *arguments):
        told = found(resolver, *arguments)
        return told if resolver.detail == "zero-filled" else replace(told, explained=-2.0, error=0.1)

    monkeypatch.setattr(examination, "self_check", check)


def core_result(metabolite, sharpness, detail=DEFAULT_DETAIL, consistency=DEFAULT_CONSISTENCY):
    """The core's self-check, movement and values of the bundled patient."""
    from inference_core import SuperResolver
    from inference_core.inference.examination import Examination

    examination = Examination(SuperResolver.load(detail=detail, consistency=consistency))
    prepared = examination.prepare("map", *sample_images())
    values = examination.resolver.super_resolve(prepared, metabolite, sharpness)
    return (
        examination.self_check("map", metabolite, sharpness),
        examination.movement("map", metabolite, sharpness),
        values,
    )


def test_the_panel_says_what_the_core_says(session, panel):
    apply_and_wait(session, panel)
    assert wait_for_check(session, panel) == core_result("tCho", 0.0)[0].sentence
    assert "n = 16 cut to 10" in panel.ui.selfCheckLabel.text
    # By ring, and how much of it is noise.
    assert panel.ui.selfCheckLabel.toolTip.count("<tr><td>") == 3
    assert "noise" in panel.ui.selfCheckLabel.toolTip
    assert panel.ui.movementLabel.text == "The measured data were kept exactly."


def test_it_never_holds_up_the_slider_and_names_its_lambda(session, panel, monkeypatch):
    from inference_core.inference.super_resolver import SuperResolver

    apply_and_wait(session, panel)
    before = wait_for_check(session, panel)
    # Else a pass of the uncertainty takes a call that is allowed.
    wait_for_certainty(session, panel)
    begun, original = [], SuperResolver.propose

    def propose(self, prepared, metabolite, sharpness=0.0, *others):
        begun.append(sharpness)
        return original(self, prepared, metabolite, sharpness, *others)

    monkeypatch.setattr(SuperResolver, "propose", propose)
    with slow_network(monkeypatch) as network:
        for value in (0.01, 0.02):
            panel.panel.parameters.sharpness = value
            network.allow(1)
            session.wait_until(lambda: panel.ui.progressBar.value == 1, TIMEOUT_S)
            # Of another lambda, but it says of which; and the panel stays calm.
            assert panel.ui.selfCheckLabel.text == before
        assert not begun
        network.allow_all()
        session.wait_until(lambda: "lambda = 0.02" in panel.ui.selfCheckLabel.text, TIMEOUT_S)
    assert begun.count(0.01) == 0


def test_it_is_found_once(session, panel, monkeypatch):
    from inference_core.inference import examination

    counted, original = [], examination.self_check
    monkeypatch.setattr(examination, "self_check", lambda *found: counted.append(found) or original(*found))
    apply_and_wait(session, panel)
    told = wait_for_check(session, panel)
    panel.panel.parameters.detail = "zero-filled"
    session.wait_until(lambda: "none of the network's detail" in panel.ui.selfCheckLabel.text, TIMEOUT_S)
    panel.panel.parameters.detail = {"network": "network", "matched": "matched to the data"}[DEFAULT_DETAIL]
    session.wait_until(lambda: panel.ui.selfCheckLabel.text == told, TIMEOUT_S)
    assert len(counted) == 2


def test_nothing_is_said_of_another_metabolite(session, panel, monkeypatch):
    # So that the first pass of the network is a slice's.
    panel.panel.parameters.detail = "network"
    apply_and_wait(session, panel)
    wait_for_check(session, panel)
    # Else a pass of the uncertainty takes the one call that is allowed.
    wait_for_certainty(session, panel)
    with slow_network(monkeypatch) as network:
        panel.panel.parameters.metabolite = "Gln"
        network.allow(1)
        session.wait_until(lambda: panel.ui.progressBar.value == 1, TIMEOUT_S)
        assert panel.panel.live.certainty.checked is None
        assert panel.ui.selfCheckLabel.text == "Self-check: not known yet."
        assert panel.ui.selfCheckWarning.text == ""
        # Giving up returns to what is known of the result before.
        session.click(panel.ui.applyButton)
        assert "Self-check (tCho" in panel.ui.selfCheckLabel.text


def test_of_a_coarse_map_it_says_why_not(session, panel):
    import SimpleITK as sitk

    source = panel.panel.parameters.metaboliteMap
    image = sample_images()[0]
    coarse = sitk.Resample(
        image,
        [10, 10, image.GetSize()[2]],
        sitk.Transform(),
        sitk.sitkLinear,
        image.GetOrigin(),
        [image.GetSpacing()[0] * 1.6, image.GetSpacing()[1] * 1.6, image.GetSpacing()[2]],
        image.GetDirection(),
    )
    node = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, source, "tCho coarse")
    slicer.util.updateVolumeFromArray(node, sitk.GetArrayFromImage(coarse))
    spacing = source.GetSpacing()
    node.SetSpacing(spacing[0] * 1.6, spacing[1] * 1.6, spacing[2])
    panel.panel.parameters.metaboliteMap = node
    panel.panel.parameters.consistency = "weighted by noise"
    apply_and_wait(session, panel)
    assert "at least n = 12 is needed" in wait_for_check(session, panel)
    assert panel.ui.movementLabel.text.startswith("The measured data were kept exactly. A map of n = 10")
    assert not panel.ui.selfCheckFrame.visible


def test_a_self_check_that_fails_leaves_the_uncertainty(session, panel, monkeypatch, caplog):
    from inference_core.inference import examination

    def fail(*_):
        raise ArithmeticError("no such ring")

    monkeypatch.setattr(examination, "self_check", fail)
    apply_and_wait(session, panel)
    assert wait_for_check(session, panel) == "The self-check failed unexpectedly (ArithmeticError: no such ring)."
    assert panel.ui.movementLabel.text == "Not known: the self-check failed."
    wait_for_certainty(session, panel)
    assert panel.panel.live.certainty.factor_95 is not None
    assert panel.panel.live.certainty.sentence == ""
    assert "no such ring" in caplog.text


def test_where_the_data_contradict_the_detail_zero_filling_is_one_click_away(session, panel, contradicted):
    panel.panel.parameters.detail = "network"
    node = apply_and_wait(session, panel)
    wait_for_check(session, panel)
    assert "contradicts the detail" in panel.ui.selfCheckWarning.text
    assert panel.ui.matchDetailButton.visible
    session.click(panel.ui.zeroFillButton)
    wait_for_result(session, panel)
    assert attribute(node, "Detail") == "zero-filled"
    np.testing.assert_allclose(pixels(node), core_result("tCho", 0.0, "zero-filled")[2], rtol=1e-4, atol=1e-4)
    wait_for_check(session, panel)
    assert not panel.ui.selfCheckFrame.visible
    assert panel.ui.selfCheckWarning.text == ""


def test_matched_detail_is_one_click_away_and_tells_of_its_passes(session, panel, contradicted):
    panel.panel.parameters.detail = "network"
    node = apply_and_wait(session, panel)
    wait_for_check(session, panel)
    told = []
    told_of = panel.panel.on_matching
    panel.panel.on_matching = lambda *counts: (told_of(*counts), told.append((counts, panel.ui.statusLabel.text)))
    session.click(panel.ui.matchDetailButton)
    wait_for_result(session, panel)
    assert attribute(node, "Detail") == "matched"
    np.testing.assert_allclose(pixels(node), core_result("tCho", 0.0, "matched")[2], rtol=1e-4, atol=1e-4)
    assert told[0][0] == (0, 5)
    assert told[0][1] == "Matching the detail of tCho to the data, pass 1 of 5\u2026"
    wait_for_check(session, panel)
    # It is not suggested twice.
    assert not panel.ui.matchDetailButton.visible
    assert panel.ui.zeroFillButton.visible
    # The match is the same at each lambda.
    told.clear()
    panel.panel.parameters.sharpness = 0.02
    wait_for_result(session, panel)
    assert told == []


def test_cancelling_the_match_keeps_the_result(session, panel, monkeypatch):
    from inference_core.inference.super_resolver import SuperResolver

    panel.panel.parameters.detail = "network"
    node = apply_and_wait(session, panel)
    before, passes, original = pixels(node), [], SuperResolver._run

    def run(self, prepared, *others):
        passes.append(prepared.n)
        if len(passes) == 1:
            panel.panel.live._job.request.cancelled.set()
        return original(self, prepared, *others)

    # Else passes of the uncertainty are counted, too.
    wait_for_certainty(session, panel)
    monkeypatch.setattr(SuperResolver, "_run", run)
    panel.panel.parameters.detail = "matched to the data"
    session.wait_until(lambda: passes, TIMEOUT_S)
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    session.process_events(200)
    assert passes == [10]
    np.testing.assert_array_equal(pixels(node), before)
    assert attribute(node, "Detail") == "network"


def test_noise_weighting_says_how_far_the_data_moved(session, panel):
    node = apply_and_wait(session, panel)
    panel.ui.detailCollapsibleButton.collapsed = False
    session.process_events(50)
    session.choose_text(panel.ui.consistencyComboBox, "weighted by noise")
    wait_for_result(session, panel)
    assert attribute(node, "Consistency") == "noise"
    assert "data weighted by noise" in panel.ui.statusLabel.text
    wait_for_check(session, panel)
    _, movement, values = core_result("tCho", 0.0, consistency="noise")
    np.testing.assert_allclose(pixels(node), values, rtol=1e-3, atol=1e-3)
    assert panel.ui.movementLabel.text == movement.sentence
    assert "standard deviations of its noise" in movement.sentence


def test_the_choices_are_the_cores_and_follow_its_defaults(session, panel):
    from MRSISuperResLib.scene.parameters import CONSISTENCY_NAMES, DETAIL_NAMES

    assert set(DETAIL_NAMES) == set(DETAILS)
    assert set(CONSISTENCY_NAMES) == set(CONSISTENCIES)
    assert panel.ui.detailComboBox.currentText == DETAIL_NAMES[DEFAULT_DETAIL]
    assert panel.ui.consistencyComboBox.currentText == CONSISTENCY_NAMES[DEFAULT_CONSISTENCY]
    assert panel.ui.detailCollapsibleButton.collapsed


def test_the_choices_are_saved_with_the_scene(session, panel, tmp_path):
    panel.panel.parameters.detail = "zero-filled"
    panel.panel.parameters.consistency = "weighted by noise"
    node = apply_and_wait(session, panel)
    name = node.GetName()
    assert "zero-filled" in name
    session.save_scene(tmp_path / "study.mrb")
    session.close_scene()
    session.load_scene(tmp_path / "study.mrb")
    assert panel.ui.detailComboBox.currentText == "zero-filled"
    assert panel.ui.consistencyComboBox.currentText == "weighted by noise"
    assert panel.panel.parameters.result.GetName() == name
    assert panel.ui.statusLabel.text.startswith("Shown: tCho")
    assert "which is not what the panel says" not in panel.ui.statusLabel.text
    # What the scene brought is not what the panel says once another detail is wanted.
    panel.ui.liveCheckBox.checked = False
    panel.panel.parameters.detail = "network"
    assert "which is not what the panel says" in panel.ui.statusLabel.text


def test_the_console_takes_the_choices(session, panel):
    p, logic = panel.panel.parameters, panel.logic
    node = logic.superResolve(p.metaboliteMap, p.t1, p.flair, detail="zero-filled", show=False)
    assert attribute(node, "Detail") == "zero-filled"
    np.testing.assert_allclose(pixels(node), core_result("tCho", 0.0, "zero-filled")[2], rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="Unknown detail 'best'"):
        logic.superResolve(p.metaboliteMap, p.t1, p.flair, detail="best")
