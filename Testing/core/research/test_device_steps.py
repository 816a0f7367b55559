"""Steps that never wait for the host: the same losses as the others', and nothing in them that a graph can't record."""

import json
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from training_samples import RandomPatient, random_slices

from inference_core.engine.fusing import fused
from inference_core.errors import InputWarning
from inference_core.networks import NETWORKS, create_network
from inference_core.research.data.batch_options import MriOptions, PointSpreadOptions
from inference_core.research.data.cohort import open_stored, store_on_disk
from inference_core.research.data.example_source import ResidentExamples, StreamedExamples
from inference_core.research.data.training_batches import TrainingBatches
from inference_core.research.training import device_steps, trainer
from inference_core.research.training.launch import make_fabric
from inference_core.research.training.settings import TrainingSettings
from inference_core.research.training.trainer import Trainer

_SETTINGS = TrainingSettings(
    steps=3,
    batch_size=1,
    critic_steps=1,
    averaging=0.9,
    gradient_clip=0.5,
    redrawn=0.5,
    point_spread=PointSpreadOptions(share=0.75),
    baseline=(0.0, 0.3),
    varied_masks=True,
    mri=MriOptions(changed=1.0),
    noise=(0.01, 0.1),
    learning_rate=1e-6,
    critic_learning_rate=1e-7,
)


def _trainer(folder, settings=_SETTINGS, on_device=True, slices=None):
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    batches = TrainingBatches(
        slices or random_slices(5), settings.batch_size, settings.seed, settings, settings.resolutions
    )
    fabric = make_fabric("cpu", precision=settings.precision)[0]
    return Trainer(create_network(settings.network), batches, settings, folder, fabric, on_device=on_device)


def _losses(folder):
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "options", [{"critic_steps": 2, "steps": 2}, {"adversarial": False, "gradient_clip": None, "batch_size": 2}]
)
def test_losses_are_those_of_steps_driven_by_the_host(options, tmp_path):
    settings = replace(_SETTINGS, **options)
    networks = [_trainer(tmp_path / name, settings, name == "device").run() for name in ("host", "device")]
    for record, expected in zip(_losses(tmp_path / "device"), _losses(tmp_path / "host"), strict=True):
        # The distance is a difference of scores.
        assert record == pytest.approx(expected, rel=1e-3, abs=2e-5)
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=4 * settings.learning_rate)


def test_a_run_stopped_anywhere_resumes_exactly(tmp_path):
    _trainer(tmp_path / "whole").run()
    for _ in range(2):
        _trainer(tmp_path / "parts").run(checkpoint_every=1, stop=lambda: True)
    _trainer(tmp_path / "parts").run()
    assert _losses(tmp_path / "parts") == _losses(tmp_path / "whole")
    states = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "parts")]
    for part in ("network", "critic", "average"):
        assert all(torch.equal(value, states[1][part][name]) for name, value in states[0][part].items())


def test_a_run_goes_on_where_the_other_kind_of_step_ended(tmp_path):
    _trainer(tmp_path / "whole", on_device=False).run()
    _trainer(tmp_path / "parts", on_device=False).run(stop=lambda: True)
    _trainer(tmp_path / "parts").run(checkpoint_every=1, stop=lambda: True)
    _trainer(tmp_path / "parts", on_device=False).run()
    for record, expected in zip(_losses(tmp_path / "parts"), _losses(tmp_path / "whole"), strict=True):
        assert record == pytest.approx(expected, rel=1e-3, abs=2e-5)


#: What reads a tensor on the host, or has a shape that its values decide; and what puts Python's numbers into a tensor.
_FORBIDDEN = (
    "_local_scalar_dense", "item", "is_nonzero", "nonzero", "masked_select", "_unique", "equal.default", "prod",
    "lift_fresh", "_assert_async", "repeat_interleave.Tensor", "bincount",
)  # fmt: skip


class _Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = str(function)
        if name.startswith(("aten.index.Tensor", "aten.index_put")):
            own = [index for index in args[1] if index is not None]
            name += "(mask)" if any(index.dtype == torch.bool for index in own) else ""
            name += "(no dimension)" if any(not index.dim() for index in own) else ""
        self.seen[name] += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_nothing_in_a_step_waits_for_the_host(network, precision, tmp_path):
    if (network, precision) in [(name, "bf16-mixed") for name in NETWORKS[:-1]]:
        pytest.skip("one network is enough")
    settings = replace(_SETTINGS, network=network, adversarial=network == "multi-conditional", precision=precision)
    steps = _trainer(tmp_path, settings)._device_steps
    steps.run(0, 1)
    with _Recorder() as recorder:
        steps.whole_step()
    forbidden = [name for name in recorder.seen for part in _FORBIDDEN if part in name.removeprefix("aten.")]
    assert not [name for name in (*forbidden, *recorder.seen) if name in forbidden or name.endswith(")")]
    assert recorder.seen["aten.index_copy_.default"] == 1


def test_the_recorder_sees_what_waits():
    with _Recorder() as recorder:
        values = torch.zeros(3).requires_grad_()
        torch.autograd.grad(torch.prod(values + 1), values)
        _ = values[torch.tensor(1)], values[values > 0], bool(values[0] == 0)
    assert {"aten.lift_fresh.default", "aten._local_scalar_dense.default"} <= set(recorder.seen)
    assert any("prod" in name for name in recorder.seen)
    assert any(name.endswith("(mask)") for name in recorder.seen)


def test_what_is_recorded_starts_from_the_state_before_the_recording(tmp_path, monkeypatch):
    _trainer(tmp_path / "plain").run()
    recordings = []

    def record(work, device):
        # As a CUDA graph is recorded: some runs first, and each of them changes what is trained.
        work()
        recordings.append(work)
        return work

    monkeypatch.setattr(trainer, "DeviceSteps", lambda *args: device_steps.DeviceSteps(*args, record=record))
    _trainer(tmp_path / "recorded").run()
    assert len(recordings) == 1
    assert _losses(tmp_path / "recorded") == _losses(tmp_path / "plain")
    states = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("plain", "recorded")]
    for part in ("network", "critic", "average"):
        assert all(torch.equal(value, states[1][part][name]) for name, value in states[0][part].items())


def test_a_step_keeps_its_tensors_where_they_are(tmp_path):
    steps = _trainer(tmp_path)._device_steps
    steps.run(0, 1)
    before = [tensor.data_ptr() for tensor in steps._state()]
    steps.run(1, 2)
    assert [tensor.data_ptr() for tensor in steps._state()] == before


def test_slices_that_are_streamed_give_the_losses_of_those_in_memory(tmp_path):
    patients = [RandomPatient(seed, count=1 + seed) for seed in range(3)]
    store_on_disk(patients, tmp_path / "cache", processes=1)
    stored = open_stored(patients, tmp_path / "cache")
    for name, slices in (("memory", stored.in_memory()), ("disk", stored)):
        trained = _trainer(tmp_path / name, slices=slices)
        kind = ResidentExamples if name == "memory" else StreamedExamples
        assert isinstance(trained._device_steps._source, kind)
        trained.run(checkpoint_every=2)
    assert _losses(tmp_path / "disk") == _losses(tmp_path / "memory")


def test_batches_are_compiled_as_a_whole_and_stay_the_same(tmp_path):
    steps = _trainer(tmp_path)._device_steps
    number = torch.tensor([5])
    expected, made = steps._made(number, 0), fused(steps._made, backend="aot_eager")(number, 0)
    for name, tensor in expected._asdict().items():
        if isinstance(tensor, torch.Tensor):
            torch.testing.assert_close(getattr(made, name), tensor, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_compiled_is_done_as_it_is():
    def breaks(tensor):
        torch._dynamo.graph_break()
        return 2 * tensor

    own = fused(breaks, backend="eager")
    with pytest.warns(InputWarning, match="compiler failed"):
        assert own(torch.ones(1)).item() == 2
    assert own(torch.full((1,), 2.0)).item() == 4
