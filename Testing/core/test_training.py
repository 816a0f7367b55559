"""Training: what a batch depends on, and resuming exactly whatever ended a run."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_core import InputError
from inference_core.conditions import TRAINED_RESOLUTIONS
from inference_core.data.batches import TrainingBatches
from inference_core.data.slice_set import SliceSet
from inference_core.networks import create_network
from inference_core.training.checkpoints import rewind_log
from inference_core.training.settings import TrainingSettings
from inference_core.training.trainer import Trainer, learning_rate_factor

TRAIN = Path(__file__).parents[2] / "inference_core" / "train.py"


def random_slices(count=4, seed=0):
    rng = np.random.default_rng(seed)
    maps = rng.random((7, count, 64, 64), dtype=np.float32)
    mri = rng.random((2, count, 192, 192, 3)).astype(np.float16)
    return SliceSet(*mri, maps, maps, np.ones_like(maps, dtype=bool), np.arange(count))


@pytest.fixture(scope="module")
def batches():
    return TrainingBatches(random_slices(), batch_size=1, seed=3)


def test_a_batch_depends_on_seed_and_step_alone(batches):
    batches.batch(5)
    again = TrainingBatches(random_slices(), batch_size=1, seed=3).batch(9)
    expected = batches.batch(9)
    assert torch.equal(expected.low_resolution, again.low_resolution)
    assert torch.equal(expected.t1, again.t1)
    assert (expected.n, expected.metabolite, expected.sharpness) == (again.n, again.metabolite, again.sharpness)


def test_conditions_are_drawn_as_in_the_paper(batches):
    drawn = [batches.batch(step) for step in range(400)]
    assert {b.n for b in drawn} == set(TRAINED_RESOLUTIONS)
    assert {b.metabolite for b in drawn} == set(range(7))
    without = np.mean([b.sharpness == 0 for b in drawn])
    assert 0.05 < without < 0.15
    assert 0.095 < max(b.sharpness for b in drawn) <= 0.1
    assert all(b.low_resolution.shape[-2:] == (b.n, b.n) for b in drawn)


def test_metabolites_without_usable_maps_are_not_drawn():
    slices = random_slices()
    valid = slices.valid.copy()
    valid[[0, 2, 3, 4, 5, 6]] = False
    one = TrainingBatches(replace(slices, valid=valid), batch_size=1, seed=0)
    assert {one.batch(step).metabolite for step in range(20)} == {1}
    with pytest.raises(InputError, match="no metabolite map"):
        TrainingBatches(replace(slices, valid=np.zeros_like(valid)), batch_size=1, seed=0)


def test_input_and_target_share_one_scale(batches):
    batch = batches.batch(1)
    assert batch.zero_filled().amax().item() == pytest.approx(0.5, abs=1e-6)
    # Both maps have the same mean but for what shifts and rectified ringing change.
    assert batch.target.mean().item() == pytest.approx(batch.low_resolution.mean().item(), rel=0.1)


def _train(folder, steps, stop=None, **options):
    settings = TrainingSettings(
        steps=steps, batch_size=1, critic_steps=1, critic_warm_up=2, averaging=0.9, learning_rate=1e-3, **options
    )
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    trainer = Trainer(create_network("multi-conditional"), TrainingBatches(random_slices(), 1, 3), settings, folder)
    if stop is not None:

        def interrupt(record):
            if record["step"] == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            trainer.run(checkpoint_every=2, progress=interrupt)
        return None
    return trainer.run(checkpoint_every=2).state_dict()


def _losses(folder):
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


def test_an_interrupted_run_resumes_exactly(tmp_path):
    expected = _train(tmp_path / "whole", 4)
    _train(tmp_path / "parts", 4, stop=2)  # after the checkpoint at step 2, before the one at step 4
    resumed = _train(tmp_path / "parts", 4)
    assert _losses(tmp_path / "parts") == _losses(tmp_path / "whole")
    assert all(torch.equal(resumed[name], tensor) for name, tensor in expected.items())


def test_a_checkpoint_of_other_settings_or_a_damaged_one_is_refused(tmp_path):
    _train(tmp_path, 2)
    with pytest.raises(InputError, match="other settings \\(steps\\)"):
        _train(tmp_path, 3)
    with pytest.raises(InputError, match="other settings \\(redrawn, trained_on\\)"):
        _train(tmp_path, 2, redrawn=0.5, trained_on="others")
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    with pytest.raises(InputError, match="can't be read"):
        _train(tmp_path, 2)


def test_a_log_cut_short_is_rewound_to_its_last_whole_record(tmp_path):
    log = tmp_path / "losses.jsonl"
    log.write_text('{"step": 0}\n{"step": 1}\n{"step": 2}\n{"st')
    rewind_log(log, 2)
    assert log.read_text() == '{"step": 0}\n{"step": 1}\n'


def test_the_learning_rate_halves_every_40_of_100_epochs():
    settings = TrainingSettings(steps=100)
    assert [learning_rate_factor(step, settings) for step in (0, 39, 40, 79, 80, 99)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"steps": 1, "schedule": "linear"}, {"steps": 1, "batch_size": -1}, {"steps": 1, "redrawn": 2}],
)
def test_settings_that_cannot_be_trained_with_are_refused(wrong):
    with pytest.raises(InputError):
        TrainingSettings(**wrong)


def _command(folder, cache):
    data = f"--simulated 1 --slices 2 --validation 0 --cache {cache}"
    length = "--steps 6 --batch-size 1 --no-adversarial --checkpoint-every 2 --device cpu"
    return [sys.executable, str(TRAIN), "--output", str(folder), *data.split(), *length.split()]


def test_a_run_ended_by_kill_9_resumes_exactly(tmp_path):
    cache = tmp_path / "cache"
    subprocess.run(_command(tmp_path / "whole", cache), check=True, capture_output=True, cwd=tmp_path)

    killed = tmp_path / "killed"
    process = subprocess.Popen(
        _command(killed, cache), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (killed / "losses.jsonl").exists() or len((killed / "losses.jsonl").read_text().splitlines()) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "weights.safetensors").exists()

    done = subprocess.run(_command(killed, cache), check=True, capture_output=True, text=True, cwd=tmp_path)
    assert "step 0 of" not in done.stdout
    assert _losses(killed) == _losses(tmp_path / "whole")
    assert (killed / "weights.safetensors").read_bytes() == (tmp_path / "whole" / "weights.safetensors").read_bytes()


def test_unknown_devices_are_refused_before_anything_is_simulated(tmp_path):
    command = _command(tmp_path / "run", tmp_path / "cache")
    command[-1] = "abacus"
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("Error: Unknown device 'abacus'")
    assert not (tmp_path / "cache").exists()
