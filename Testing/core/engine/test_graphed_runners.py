"""One set of filters and graphs for every n and metabolite, tried on the CPU with functions in the graphs' place."""

import threading

import pytest
import torch
from test_engine import inputs, network, worst  # noqa: F401 - a fixture

from inference_core.engine import precision
from inference_core.engine.engine import Engine
from inference_core.engine.graphed_runners import GraphedRunners, _tensors


class Recorder:
    """Records as CUDA graphs are recorded: a few runs first; and what is repeated must use the same memory."""

    def __init__(self):
        self.recordings = 0

    def __call__(self, work, device):
        self.recordings += 1
        work()
        return work


@pytest.fixture
def graphed(network):  # noqa: F811
    """An engine on the CPU that runs as with CUDA graphs."""
    engine, recorder = Engine(network, runtime="pytorch"), Recorder()
    engine._graphed = GraphedRunners(engine._layers, "cpu", recorder)
    return engine, recorder


def test_everything_is_recorded_once(graphed, network):  # noqa: F811
    engine, recorder = graphed
    for n, metabolite, sharpness in ((20, 2, 0.0), (20, 5, 0.1), (28, 2, 0.05), (20, 2, 0.02)):
        images = inputs(n)
        assert worst(engine(*images, n, metabolite, sharpness), network(*images, n, metabolite, sharpness)) < 1e-4
    # The filters' and the pass's.
    assert recorder.recordings == 2
    engine(*inputs(20, batch=2), 20, 2, 0.0)
    assert recorder.recordings == 3


def test_filters_stay_where_they_are(graphed):
    engine, _ = graphed
    engine(*inputs(), 20, 2, 0.0)
    layers = engine._graphed.layers
    before = [(tensor.data_ptr(), tensor.stride(), tensor.clone()) for tensor in _tensors(layers)]
    engine(*inputs(24), 24, 4, 0.0)
    assert engine._graphed.layers is layers
    after = _tensors(layers)
    assert [(tensor.data_ptr(), tensor.stride()) for tensor in after] == [known[:2] for known in before]
    assert sum(not torch.equal(tensor, known[2]) for tensor, known in zip(after, before, strict=True)) > 20


def test_slices_kept_of_one_metabolite_are_finished_with_its_own_filters(graphed, network):  # noqa: F811
    engine, _ = graphed
    images = inputs()
    first, second = (engine.keep(*images, 20, metabolite) for metabolite in (1, 6))
    for kept, metabolite in ((first, 1), (second, 6), (first, 1)):
        assert worst(engine.finish(kept, 0.03), network(*images, 20, metabolite, 0.03)) < 1e-4


def test_threads_that_share_the_filters_do_not_mix_them(graphed, network):  # noqa: F811
    engine, _ = graphed
    images = inputs()
    expected = {metabolite: network(*images, 20, metabolite, 0.0) for metabolite in (0, 3)}
    found = {0: [], 3: []}

    def work(metabolite):
        found[metabolite] += [worst(engine(*images, 20, metabolite, 0.0), expected[metabolite]) for _ in range(3)]

    threads = [threading.Thread(target=work, args=(metabolite,)) for metabolite in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(found[0] + found[3]) < 1e-4
    assert len(found[0]) == len(found[3]) == 3


@pytest.mark.parametrize(
    ("error", "device", "chosen"),
    [
        (5e-4, "cuda", "float16"),
        (5e-3, "cuda:1", "float32"),
        (float("nan"), "cuda", "float32"),
        (0.0, "cpu", "float32"),
    ],
)
def test_half_precision_is_chosen_where_it_changes_next_to_nothing(error, device, chosen, monkeypatch):
    made, places = [], []
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, place: places.append(place) or tensor)

    def make_engine(name):
        made.append(name)
        off = error if name == "float16" else 0.0
        plain = torch.linspace(0, 1, 64 * 64).reshape(1, 1, 64, 64)
        return lambda low, t1, flair, n, metabolite, sharpness: plain + off * (torch.arange(64) == n)

    assert precision.choose_precision(make_engine, device) == chosen
    assert made == ([] if device == "cpu" else ["float16", "float32"])
    assert set(places) == ({device} if made else set())
