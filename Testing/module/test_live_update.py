"""While something is computed: the latest value wins, nothing stale passes for current, giving up loses nothing."""

import time

import numpy as np
import pytest
import slicer
from scenes import TIMEOUT_S, pixels, show_slice_of, slow_network, volumes


@pytest.fixture
def network(monkeypatch, session, module):
    with slow_network(monkeypatch) as network:
        yield network


@pytest.fixture
def panel(session, network):
    widget = session.open_panel()
    session.click(widget.ui.sampleButton)
    return widget


def settle(session, panel, network):
    network.allow_all()
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    network.open = False
    while network._allowed.acquire(blocking=False):
        pass


def finish_first(session, panel, network):
    session.click(panel.ui.applyButton)
    settle(session, panel, network)
    return panel.panel.parameters.result


def filled(node):
    """Which slices of a volume hold anything."""
    return [index for index, values in enumerate(pixels(node)) if values.any()]


def attribute(node, name):
    return node.GetAttribute(f"MRSISuperRes.{name}")


def test_apply_becomes_cancel_with_progress(session, panel, network):
    session.click(panel.ui.applyButton)
    assert panel.ui.applyButton.text == "Cancel"
    session.wait_until(lambda: panel.ui.progressBar.maximum == 5, TIMEOUT_S)
    network.allow(2)
    session.wait_until(lambda: panel.ui.progressBar.value == 2, TIMEOUT_S)
    assert panel.ui.progressBar.visible
    settle(session, panel, network)
    assert panel.ui.applyButton.text == "Apply"
    assert not panel.ui.progressBar.visible


def test_the_shown_slice_comes_first(session, panel, network):
    node = finish_first(session, panel, network)
    show_slice_of(node, 3)
    network.calls.clear()
    session.drag_slider(panel.ui.sharpnessSlider, 0.02)
    session.wait_until(lambda: network.calls, TIMEOUT_S)
    assert network.calls[0][2] == [3]


def test_scrolling_while_computing_changes_what_comes_next(session, panel, network):
    node = finish_first(session, panel, network)
    show_slice_of(node, 0)
    network.calls.clear()
    session.drag_slider(panel.ui.sharpnessSlider, 0.02)
    session.wait_until(lambda: network.calls, TIMEOUT_S)
    show_slice_of(node, 4)
    session.process_events(100)
    wanted = panel.panel.parameters.sharpness
    network.allow(1)
    session.wait_until(lambda: any(call[1] == wanted and call[2] == [4] for call in network.calls), TIMEOUT_S)
    order = [call[2] for call in network.calls if call[1] == wanted]
    assert order.index([4]) <= 1


def test_latest_value_wins_and_is_never_dropped(session, panel, network):
    node = finish_first(session, panel, network)
    network.calls.clear()
    for value in (0.01, 0.02, 0.03, 0.04, 0.05):
        panel.ui.sharpnessSlider.value = value
        session.process_events(20)
    settle(session, panel, network)
    asked = [call[1] for call in network.calls]
    assert attribute(node, "Sharpness") == "0.05"
    assert len(filled(node)) == 5
    # The one on its way when the others came, then the last; those between were never begun.
    assert {round(value, 6) for value in asked} <= {0.01, 0.05}


def test_pixels_and_label_agree_at_every_moment(session, panel, network):
    from scenes import sample_images

    from inference_core import SuperResolver

    node = finish_first(session, panel, network)
    settle_free = SuperResolver.load()
    prepared = settle_free.prepare(*sample_images())
    network.allow_all()
    steps = (0.02, 0.05, 0.01, 0.04)
    oracle = {value: settle_free.super_resolve(prepared, "tCho", value) for value in (0.0, *steps)}
    moments = []

    def look(caller, event):
        moments.append((attribute(node, "Sharpness"), attribute(node, "Complete"), pixels(node)))

    tag = node.AddObserver("ModifiedEvent", look)
    for value in steps:
        panel.ui.sharpnessSlider.value = value
        session.process_events(150)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    node.RemoveObserver(tag)
    assert len(moments) >= 5
    for sharpness, complete, values in moments:
        truth = oracle[float(sharpness)]
        shown = [index for index, one in enumerate(values) if one.any()]
        assert len(shown) == 5 or complete == "no"
        np.testing.assert_allclose(values[shown], truth[shown], rtol=1e-4, atol=1e-4)


def test_cancel_returns_to_the_last_complete_result(session, panel, network):
    node = finish_first(session, panel, network)
    before = pixels(node)
    session.drag_slider(panel.ui.sharpnessSlider, 0.07)
    network.allow(2)
    session.wait_until(lambda: attribute(node, "Sharpness") != "0" and len(filled(node)) >= 1, TIMEOUT_S)
    started = time.monotonic()
    session.click(panel.ui.applyButton)
    assert time.monotonic() - started < 1
    assert not panel.panel.live.working
    np.testing.assert_array_equal(pixels(node), before)
    assert attribute(node, "Sharpness") == "0"
    assert attribute(node, "Complete") == "yes"
    assert "not what the panel says" in panel.ui.statusLabel.text
    network.allow_all()
    session.process_events(300)
    np.testing.assert_array_equal(pixels(node), before)


def test_cancelling_the_first_leaves_nothing_behind(session, panel, network):
    composite = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    layers = composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()
    before = len(volumes())
    session.click(panel.ui.applyButton)
    network.allow(2)
    session.wait_until(lambda: panel.ui.progressBar.value >= 1, TIMEOUT_S)
    session.click(panel.ui.applyButton)
    assert len(volumes()) == before
    assert (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()) == layers
    assert panel.panel.parameters.result is None
    finish_first(session, panel, network)


def test_one_step_of_the_slider_asks_the_scene_once(session, panel, network, monkeypatch):
    from MRSISuperResLib.compute import scene_request

    finish_first(session, panel, network)
    asked, original = [], scene_request.images_key
    monkeypatch.setattr(scene_request, "images_key", lambda *nodes: asked.append(nodes) or original(*nodes))
    panel.panel.parameters.sharpness = 0.05
    settle(session, panel, network)
    assert attribute(panel.panel.parameters.result, "Sharpness") == "0.05"
    assert len(asked) == 1


def test_changing_the_metabolite_while_it_computes(session, panel, network):
    node = finish_first(session, panel, network)
    session.drag_slider(panel.ui.sharpnessSlider, 0.02)
    session.wait_until(lambda: panel.panel.live.working, TIMEOUT_S)
    session.choose_text(panel.ui.metaboliteComboBox, "Gln")
    settle(session, panel, network)
    assert attribute(node, "Metabolite") == "Gln"
    assert node.GetName().startswith("Gln_n16")
    # Not in name alone: the network is told, too.
    assert {metabolite for metabolite, _, slices in network.calls[-5:]} == {"Gln"}
    assert len(filled(node)) == 5


def test_changing_the_map_while_it_computes_shows_nothing_of_the_old_one(session, panel, network):
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: network.calls, TIMEOUT_S)
    session.choose(panel.ui.mapSelector, slicer.util.getNode("NAA 16x16 (simulated)"))
    assert not panel.panel.live.working
    network.allow_all()
    session.process_events(300)
    assert panel.panel.parameters.result is None
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert attribute(panel.panel.parameters.result, "Metabolite") == "NAA"


def test_each_map_keeps_its_own_result(session, panel, network):
    first = finish_first(session, panel, network)
    session.choose(panel.ui.mapSelector, slicer.util.getNode("NAA 16x16 (simulated)"))
    second = finish_first(session, panel, network)
    assert first is not second
    session.choose(panel.ui.mapSelector, slicer.util.getNode("tCho 16x16 (simulated)"))
    assert panel.panel.parameters.result is first
    # The views still show the other one.
    assert "Not in the views: tCho" in panel.ui.statusLabel.text


def test_changed_voxels_of_an_input_make_the_result_outdated(session, panel, network):
    finish_first(session, panel, network)
    t1 = panel.panel.parameters.t1
    slicer.util.arrayFromVolume(t1)[:] //= 2
    slicer.util.arrayFromVolumeModified(t1)
    session.process_events(20)
    assert "not what the panel says" in panel.ui.statusLabel.text
    finish_first(session, panel, network)
    assert "not what the panel says" not in panel.ui.statusLabel.text


def test_deleting_an_input_while_it_computes(session, panel, network):
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: network.calls, TIMEOUT_S)
    slicer.mrmlScene.RemoveNode(panel.panel.parameters.flair)
    assert not panel.panel.live.working
    network.allow_all()
    session.process_events(200)
    assert panel.panel.parameters.flair is None
    assert not panel.ui.applyButton.enabled
    assert "FLAIR" in panel.ui.statusLabel.text


@pytest.mark.parametrize(("name", "missing"), [("metaboliteMap", "metabolite map"), ("t1", "T1"), ("flair", "FLAIR")])
def test_a_deleted_input_is_replaced_by_nothing(session, panel, name, missing):
    parameters = panel.panel.parameters
    others = {other: getattr(parameters, other) for other in ("metaboliteMap", "t1", "flair") if other != name}
    slicer.mrmlScene.RemoveNode(getattr(parameters, name))
    assert getattr(parameters, name) is None
    assert {other: getattr(parameters, other) for other in others} == others
    assert not panel.ui.applyButton.enabled
    assert f"The {missing} is missing" in panel.ui.statusLabel.text


def test_the_reason_why_nothing_can_be_applied_is_said(session, panel, network):
    finish_first(session, panel, network)
    slicer.mrmlScene.RemoveNode(panel.panel.parameters.t1)
    assert not panel.ui.applyButton.enabled
    assert "which is not what the panel says. The T1 is missing: choose a volume" in panel.ui.statusLabel.text
    assert "press Apply" not in panel.ui.statusLabel.text


def test_a_deleted_segmentation_is_replaced_by_nothing(session, panel):
    panel.ui.regionsCollapsibleButton.collapsed = False
    nodes = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode") for _ in range(3)]
    session.choose(panel.ui.segmentationSelector, nodes[1])
    slicer.mrmlScene.RemoveNode(nodes[1])
    assert panel.panel.parameters.segmentation is None
    assert panel.ui.segmentationSelector.currentNode() is None


def test_deleting_the_result_while_it_computes(session, panel, network):
    node = finish_first(session, panel, network)
    session.drag_slider(panel.ui.sharpnessSlider, 0.02)
    network.allow(1)
    session.wait_until(lambda: attribute(node, "Complete") == "no", TIMEOUT_S)
    slicer.mrmlScene.RemoveNode(node)
    network.allow_all()
    session.process_events(200)
    assert not panel.panel.live.working
    assert len(volumes()) == 4
    again = finish_first(session, panel, network)
    assert len(filled(again)) == 5


def test_closing_the_scene_while_it_computes(session, panel, network):
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: network.calls, TIMEOUT_S)
    session.close_scene()
    network.allow_all()
    session.process_events(200)
    assert not panel.panel.live.working
    assert len(volumes()) == 0
    session.click(panel.ui.sampleButton)
    assert finish_first(session, panel, network) is not None


def test_a_scene_saved_while_it_computes_does_not_pass_for_complete(session, panel, network, tmp_path):
    node = finish_first(session, panel, network)
    session.drag_slider(panel.ui.sharpnessSlider, 0.02)
    network.allow(1)
    session.wait_until(lambda: attribute(node, "Complete") == "no", TIMEOUT_S)
    session.save_scene(tmp_path / "halfway.mrb")
    network.allow_all()
    session.close_scene()
    session.load_scene(tmp_path / "halfway.mrb")
    assert attribute(panel.panel.parameters.result, "Complete") == "no"
    assert "only some of the slices" in panel.ui.statusLabel.text
    assert not panel.ui.keepButton.enabled
    again = finish_first(session, panel, network)
    assert attribute(again, "Complete") == "yes"
    assert len(filled(again)) == 5


def test_an_unexpected_error_is_shown_and_the_panel_goes_on(session, panel, network, monkeypatch):
    from inference_core.inference.super_resolver import SuperResolver

    node = finish_first(session, panel, network)
    before = pixels(node)
    with monkeypatch.context() as broken:
        broken.setattr(SuperResolver, "super_resolve", lambda *_, **__: 1 / 0)
        session.drag_slider(panel.ui.sharpnessSlider, 0.05)
        session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert "ZeroDivisionError" in panel.ui.messageLabel.text
    np.testing.assert_array_equal(pixels(node), before)
    finish_first(session, panel, network)
    assert attribute(node, "Sharpness") != "0"


def test_the_panel_never_blocks(session, module):
    """The longest gap between two turns of the event loop, from the slider's move until everything is computed."""
    import qt

    panel = session.open_panel()
    session.click(panel.ui.sampleButton)
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    ticks = []
    timer = qt.QTimer()
    timer.setInterval(0)
    timer.connect("timeout()", lambda: ticks.append(time.monotonic()))
    timer.start()
    for value in (0.01, 0.03, 0.05):
        panel.ui.sharpnessSlider.value = value
        session.process_events(60)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    timer.stop()
    gaps = np.diff(ticks)
    assert len(gaps) > 10
    assert np.median(gaps) < 0.03
    assert gaps.max() < 0.5


def test_a_result_is_rendered_once_in_each_view_that_shows_it(session, panel, network, one_pass):
    """First the slice that is shown, then the others together; not in views that show something else."""
    node = finish_first(session, panel, network)
    session.wait_until(lambda: not panel.panel.live.busy, TIMEOUT_S)
    views = {name: slicer.app.layoutManager().sliceWidget(name).sliceView() for name in ("Red", "Yellow", "Green")}
    slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeGreen").SetForegroundVolumeID(None)
    session.process_events(200)

    def rendered():
        session.process_events(200)
        return {name: view.renders() - before[name] for name, view in views.items()}

    before = {name: view.renders() for name, view in views.items()}
    show_slice = len(filled(node))
    panel.ui.sharpnessSlider.value = 0.02
    network.allow(1)
    session.wait_until(lambda: attribute(node, "Sharpness") == "0.02", TIMEOUT_S)
    assert rendered() == {"Red": 1, "Yellow": 1, "Green": 0}
    assert len(filled(node)) == 1 < show_slice
    network.allow_all()
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert len(filled(node)) == show_slice
    # How fast the slices come decides how many of them are drawn together.
    total = rendered()
    assert total["Red"] == total["Yellow"] <= 3
    assert total["Green"] == 0


def test_what_the_core_warns_of_while_computing_reaches_the_user(session, panel, network, monkeypatch):
    import warnings

    from inference_core import SuperResolver
    from inference_core.errors import InputWarning

    super_resolve = SuperResolver.super_resolve

    def warn_once(resolver, *arguments, **options):
        monkeypatch.setattr(SuperResolver, "super_resolve", super_resolve)
        warnings.warn("There is too little memory on cuda.", InputWarning, stacklevel=2)
        resolver.device_reason = "CPU: cuda has too little memory"
        return resolver.super_resolve(*arguments, **options)

    monkeypatch.setattr(SuperResolver, "super_resolve", warn_once)
    node = finish_first(session, panel, network)
    assert panel.ui.messageLabel.text.endswith("There is too little memory on cuda.")
    assert panel.ui.deviceLabel.text == "CPU: cuda has too little memory"
    assert len(filled(node)) == 5


def test_what_the_core_warns_of_while_loading_stays_in_sight(session, panel, network, monkeypatch):
    import warnings

    from inference_core import SuperResolver
    from inference_core.errors import InputWarning

    load = SuperResolver.load

    def warn(*arguments, **options):
        warnings.warn("There is no C++ compiler.", InputWarning, stacklevel=2)
        return load(*arguments, **options)

    monkeypatch.setattr(SuperResolver, "load", warn)
    finish_first(session, panel, network)
    assert "There is no C++ compiler." in panel.ui.messageLabel.text
    session.drag_slider(panel.ui.sharpnessSlider, 0.05)
    settle(session, panel, network)
    assert "There is no C++ compiler." in panel.ui.messageLabel.text


def test_the_thread_computes_on_even_if_nobody_draws(module):
    from scenes import sample_images

    from inference_core.terms.quantity import Quantity
    from MRSISuperResLib.compute.computation import Computation
    from MRSISuperResLib.compute.requests import Model, Request, SlicesDone
    from MRSISuperResLib.scene.volumes import PatientImages

    computation = Computation()
    try:
        images = {"tCho": PatientImages(*sample_images(), key=("alone",))}
        computation.request(Request(images, Quantity.parse("tCho"), 0.0, Model()))
        done = []
        while len(done) < 5:
            message = computation.messages.get(timeout=TIMEOUT_S)
            done += message.indices if isinstance(message, SlicesDone) else ()
    finally:
        computation.close()
    assert sorted(done) == list(range(5))
