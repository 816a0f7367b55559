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
from training_samples import fill_cache, random_slices

from inference_core import InputError
from inference_core.commands import train
from inference_core.networks import create_network
from inference_core.networks.weights_io import load_weights
from inference_core.research.data.training_batches import TrainingBatches
from inference_core.research.training.checkpoints import check_checkpoint, load_checkpoint, rewind_log, save_checkpoint
from inference_core.research.training.schedule import learning_rate_factor
from inference_core.research.training.settings import TrainingSettings
from inference_core.research.training.trainer import Trainer
from inference_core.terms.conditions import TRAINED_RESOLUTIONS

ROOT = Path(__file__).parents[3]


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


def test_input_and_target_share_one_scale():
    slices = random_slices()
    slices = replace(slices, target=slices.acquired, valid=np.ones_like(slices.valid))
    batch = TrainingBatches(slices, batch_size=1, seed=3).batch(1)
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
    expected = _train(tmp_path / "whole", 3)
    _train(tmp_path / "parts", 3, stop=2)  # after the checkpoint at step 2, before the one at step 3
    resumed = _train(tmp_path / "parts", 3)
    assert _losses(tmp_path / "parts") == _losses(tmp_path / "whole")
    assert all(torch.equal(resumed[name], tensor) for name, tensor in expected.items())


def test_a_run_can_be_planned_anew_for_more_steps(tmp_path):
    _train(tmp_path / "run", 2)
    _train(tmp_path / "run", 3)
    assert [record["step"] for record in _losses(tmp_path / "run")] == [0, 1, 2]
    # What was done under another plan is told; steps before it are as they were.
    state = load_checkpoint(tmp_path / "run", torch.load(tmp_path / "run" / "checkpoint.pt")["settings"])
    assert (state["step"], state["earlier_plans"]) == (3, [[2, 2]])
    _train(tmp_path / "short", 2)
    assert _losses(tmp_path / "run")[:2] == _losses(tmp_path / "short")


def test_tensorboard_reads_the_scalars_of_a_resumed_run(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _train(tmp_path / "run", 3, stop=2)
    _train(tmp_path / "run", 3)
    board = EventAccumulator(str(tmp_path / "run"))
    board.Reload()
    expected = [(record["step"], pytest.approx(record["loss"])) for record in _losses(tmp_path / "run")]
    assert [(event.step, event.value) for event in board.Scalars("loss")] == expected
    assert set(board.Tags()["scalars"]) == set(_losses(tmp_path / "run")[0]) - {"step"}


def test_a_checkpoint_of_other_settings_or_a_damaged_one_is_refused(tmp_path):
    def settings(steps=2, **others):
        return TrainingSettings(steps=steps, **others).as_dict()

    assert load_checkpoint(tmp_path, settings()) is None
    save_checkpoint(tmp_path, {"settings": settings(), "step": 1})
    assert load_checkpoint(tmp_path, settings())["step"] == 1
    # Another number of steps is another plan for the same run, unless it lies behind.
    assert load_checkpoint(tmp_path, settings(3))["step"] == 1
    save_checkpoint(tmp_path, {"settings": settings(), "step": 2})
    with pytest.raises(InputError, match="trained for 2 steps, more than the 1 that"):
        load_checkpoint(tmp_path, settings(1))
    check_checkpoint(tmp_path, settings(1), steps_known=False)
    with pytest.raises(InputError, match="other settings \\(precision\\)"):
        check_checkpoint(tmp_path, settings(1, precision="bf16-mixed"), steps_known=False)
    with pytest.raises(InputError, match="other settings \\(precision, redrawn, trained_on\\)"):
        load_checkpoint(tmp_path, settings(precision="bf16-mixed", redrawn=0.5, trained_on="others"))
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    with pytest.raises(InputError, match="can't be read"):
        load_checkpoint(tmp_path, settings())


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
    [
        {"steps": 0},
        {"steps": 1, "schedule": "linear"},
        {"steps": 1, "batch_size": -1},
        {"steps": 1, "redrawn": 2},
        {"steps": 1, "averaging": 1.0},
        {"steps": 1, "gradient_clip": 0.0},
        {"steps": 1, "seed": -1},
    ],
)
def test_settings_that_cannot_be_trained_with_are_refused(wrong):
    with pytest.raises(InputError):
        TrainingSettings(**wrong)


def _arguments(folder, cache):
    data = f"--simulated 1 --slices 1 --validation 0 --cache {cache}"
    length = "--steps 5 --batch-size 1 --no-adversarial --checkpoint-every 2 --device cpu"
    return ["--output", str(folder), *data.split(), *length.split()]


def test_a_run_ended_by_kill_9_resumes_exactly(tmp_path, capsys):
    cache, whole, killed = (tmp_path / name for name in ("cache", "whole", "killed"))
    fill_cache(cache, patients=1, slices=1)
    assert train.main(_arguments(whole, cache)) == 0

    command = [sys.executable, "-m", "inference_core.train", *_arguments(killed, cache)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (killed / "losses.jsonl").exists() or len((killed / "losses.jsonl").read_text().splitlines()) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "weights.safetensors").exists()

    capsys.readouterr()
    assert train.main(_arguments(killed, cache)) == 0
    assert "step 0 of" not in capsys.readouterr().out
    assert _losses(killed) == _losses(whole)
    assert (killed / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()


def test_the_papers_other_networks_train_on_chosen_resolutions_without_discriminator(tmp_path, capsys):
    fill_cache(tmp_path / "cache", patients=1, slices=1)
    data, length = "--simulated 1 --slices 1 --validation 0 --n 17", "--steps 2 --batch-size 1 --device cpu"
    folders = ["--output", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    arguments = [*folders, *data.split(), *length.split(), "--network"]
    assert train.main([*arguments, "filter-scaling"]) == 0
    weights = tmp_path / "run" / "weights.safetensors"
    info = load_weights(weights)[1]
    assert info.architecture == "filter-scaling"
    assert info.metadata["resolutions"] == "[17]"
    assert all("distance" not in record for record in _losses(tmp_path / "run"))
    # A run goes on as what it was, and from weights of the same network only.
    assert train.main([*arguments, "unconditioned"]) == 2
    assert train.main([*arguments, "amlayer", "--init", str(weights)]) == 2
    assert "are for filter-scaling: leave one out" in capsys.readouterr().err
    assert train.main([*arguments, "resnet"]) == 2
    assert "Unknown network 'resnet'" in capsys.readouterr().err


def test_training_goes_on_from_the_default_weights(tmp_path):
    fill_cache(tmp_path / "cache", patients=1, slices=1)
    data, length = "--simulated 1 --slices 1 --validation 0", "--steps 1 --batch-size 1 --device cpu"
    folders = ["--output", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    settings = "--init default --no-adversarial --learning-rate 1e-9"
    assert train.main([*folders, *data.split(), *length.split(), *settings.split()]) == 0
    trained, info = load_weights(tmp_path / "run" / "weights.safetensors")
    default, default_info = load_weights()
    assert info.metadata["started_from"] == default_info.sha256
    for own, start in zip(trained.parameters(), default.parameters(), strict=True):
        torch.testing.assert_close(own, start, rtol=1e-3, atol=1e-6)


def test_training_draws_the_resolutions_it_is_told():
    batches = TrainingBatches(random_slices(), batch_size=1, seed=3, resolutions=(9, 31))
    assert {batches.batch(step).n for step in range(20)} == {9, 31}
    with pytest.raises(InputError, match="resolutions holds 65"):
        TrainingSettings(steps=1, resolutions=(65,))
