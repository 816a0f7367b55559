"""Training on several processes, in mixed precision, and what is refused before it begins."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from training_samples import fill_cache, random_slices

from inference_core import InputError
from inference_core.commands import train
from inference_core.networks import create_network
from inference_core.research.data.training_batches import TrainingBatches
from inference_core.research.training.launch import TrainingPrecision, make_fabric
from inference_core.research.training.settings import TrainingSettings
from inference_core.research.training.trainer import Trainer

ROOT = Path(__file__).parents[3]
_TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
#: One thread each, for processes that share a core.
_ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def torchrun(*arguments, **options):
    words = [*_TORCHRUN, "-m", "inference_core.train", *map(str, arguments)]
    return subprocess.Popen(
        words, env=_ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def two_processes(*arguments, **options):
    """A training of two processes on the CPU that the command starts itself, as small as it can be."""
    words = [sys.executable, "-m", "inference_core", "train", "--devices", "2", "--device", "cpu", "--validation", "0"]
    words += ["--batch-size", "1", "--no-adversarial", "--network", "unconditioned", "--checkpoint-every", "1"]
    return subprocess.Popen(
        [*words, *arguments], env=_ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def losses(folder):
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


def relative_difference(one, other):
    """Norm of the difference of two lists of tensors, relative to the second's."""
    one, other = (torch.cat([tensor.flatten() for tensor in tensors]) for tensors in (one, other))
    return ((one - other).norm() / other.norm()).item()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch has no torch.distributed")
def test_two_processes_go_on_as_one_with_the_doubled_batch_would(tmp_path, monkeypatch):
    fill_cache(tmp_path / "cache", patients=2, slices=2)
    # Adam takes whole steps along gradients that are nothing but rounding, so the networks are kept from drifting apart
    # by small ones, and gradients are compared.
    options = (
        "--simulated 2 --slices 2 --validation 0 --steps 2 --critic-steps 1 --averaging 0.5 --gradient-clip 0.1 "
        f"--learning-rate 1e-6 --critic-learning-rate 1e-7 --device cpu --cache {tmp_path / 'cache'}"
    ).split()
    save, one, two = Trainer.save, tmp_path / "one", tmp_path / "two"

    def save_and_keep(trainer):
        save(trainer)
        if trainer.step == 1:
            shutil.copytree(one, two)

    monkeypatch.setattr(Trainer, "save", save_and_keep)
    command = ["--output", str(one), "--batch-size", "2", "--checkpoint-every", "1", *options]
    assert train.main(command) == 0
    start = torch.load(two / "checkpoint.pt", weights_only=True)
    process = torchrun("--output", two, "--batch-size", 1, *options)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    # All that is written is written once.
    assert output.count("step 1 of 2") == output.count("Weights:") == 1
    assert [record["step"] for record in losses(two)] == [0, 1]

    for expected, record in zip(losses(one), losses(two), strict=True):
        assert record == pytest.approx(expected, rel=2e-3, abs=1e-5)
    expected, result = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (one, two))
    for name in ("optimizer", "critic_optimizer"):
        moments = [[state["exp_avg"] for state in part[name]["state"].values()] for part in (result, expected)]
        assert relative_difference(*moments) < 0.03
    for name in ("network", "critic", "average"):
        moved = [
            [part[name][key] - start[name][key] for key in start[name] if start[name][key].is_floating_point()]
            for part in (result, expected)
        ]
        assert relative_difference(*moved) < 0.1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's children")
def test_the_death_of_one_process_ends_the_others(tmp_path):
    fill_cache(tmp_path / "cache", patients=1, slices=2)
    options = f"--simulated 1 --slices 2 --validation 0 --steps 1000 --batch-size 1 --cache {tmp_path / 'cache'}"
    process = torchrun("--output", tmp_path / "run", *options.split(), "--device", "cpu", "--no-adversarial")
    try:
        deadline = time.monotonic() + 120
        log = tmp_path / "run" / "losses.jsonl"
        while not log.exists() or not log.read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        victim = int(children.read_text().split()[-1])
        os.kill(victim, signal.SIGKILL)
        process.communicate(timeout=60)
    finally:
        # Not killed, or it could not end its own.
        process.terminate()
        process.wait(60)
    assert process.returncode != 0


def test_one_process_alone_says_what_is_wrong(tmp_path):
    process = torchrun("--output", tmp_path / "run", "--device", "cpu", "--devices", 3)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    sentence = "Error: torchrun started 2 processes on this machine, but --devices is 3: leave --devices out."
    assert re.findall("^.*Error: .*$", errors, re.MULTILINE)[0] == sentence
    assert errors.count(sentence) == 1
    assert "exitcode  : 2" in errors
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the size of files is limited as on Linux")
def test_all_processes_end_with_one_sentence_when_a_checkpoint_does_not_fit(tmp_path):
    import resource

    fill_cache(tmp_path / "cache", patients=2, slices=1)
    process = two_processes(
        *f"--simulated 2 --slices 1 --cache {tmp_path / 'cache'} --output {tmp_path / 'run'} --steps 3".split(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 22, 1 << 22)),
    )
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "Traceback" not in output + errors
    assert errors.count("Error: ") == errors.count("checkpoint.pt' can't be written (File too large)") == 1
    assert not list((tmp_path / "run").glob(".mrsi-superres-*"))


def test_all_processes_stop_when_time_ends_before_the_training(tmp_path):
    words = f"--simulated 2 --slices 1 --cache {tmp_path / 'cache'} --output {tmp_path / 'run'} --steps 1 --for 1s"
    process = two_processes(*words.split())
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "Error" not in errors
    assert "Traceback" not in errors
    assert "Stopped with some of the patients" in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--device abacus", "Unknown device 'abacus'"),
        ("--device cpu --precision 16-mixed", "needs a CUDA GPU"),
        ("--device cpu --precision 8-bit", "Unknown precision '8-bit'"),
        ("--device cpu --devices 0", "--devices is 0"),
        ("--device cpu --batch-size 0", "--batch-size is 0"),
        ("--device cpu --workers -1", "--workers is -1"),
        ("--device cpu --checkpoint-every 0", "--checkpoint-every is 0"),
        ("--device cpu --epochs 0", "--epochs is 0"),
        ("--device cpu --seed -1", "Setting seed is -1"),
        ("--device cpu --redrawn 2", "Setting redrawn is 2"),
        ("--device cpu --data missing", "does not exist"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_simulated(arguments, sentence, tmp_path, capsys):
    cache = tmp_path / "cache"
    assert train.main(["--output", str(tmp_path / "run"), "--cache", str(cache), *arguments.split()]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("Error: ")
    assert sentence in errors
    assert errors.count("\n") == 1
    assert not cache.exists()


@pytest.fixture
def two_old_gpus(monkeypatch):
    """A machine that torch finds two GPUs without bf16 on."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "Old GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (7, 5))


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (("cuda", 3), "There are 3 processes, but PyTorch finds 2 GPUs"),
        (("cuda:1", 2), "Device 'cuda:1' is one GPU, but there are 2 processes"),
        (("cuda", 1, "bf16-mixed"), "Old GPU lacks bf16: choose 16-mixed or 32-true"),
        (("cuda:2", 1), "Device 'cuda:2' is not available"),
    ],
)
def test_what_gpus_lack_is_said(chosen, sentence, two_old_gpus):
    with pytest.raises(InputError, match=re.escape(sentence)):
        make_fabric(*chosen)


def _train(folder, device, precision, steps=1, stop=None):
    settings = TrainingSettings(
        steps=steps, batch_size=1, critic_steps=1, averaging=0.5, gradient_clip=0.1, precision=precision
    )
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    fabric = make_fabric(device, 1, precision)[0]
    batches = TrainingBatches(random_slices(), 1, 3)
    trainer = Trainer(create_network("multi-conditional"), batches, settings, folder, fabric)

    def interrupt(record):
        if record["step"] == stop:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        trainer.run(checkpoint_every=1, progress=interrupt)
    # What is trained, and written, is in single precision whatever is computed with.
    assert {parameter.dtype for parameter in trainer.result.parameters()} == {torch.float32}
    return losses(folder)


def _near(records, expected):
    for record, other in zip(records, expected, strict=True):
        assert record != other
        assert record["reconstruction"] == pytest.approx(other["reconstruction"], rel=0.01)
        assert record["adversarial"] == pytest.approx(other["adversarial"], abs=0.05)


def test_bf16_on_the_cpu_stays_near_single_precision(tmp_path):
    _near(_train(tmp_path / "half", "cpu", "bf16-mixed"), _train(tmp_path / "single", "cpu", "32-true"))


def test_the_first_steps_in_half_precision_are_not_skipped(tmp_path):
    # As on a GPU, but for the device: float16 with scaled losses, whose gradients must not overflow.
    settings = TrainingSettings(steps=2, batch_size=1, critic_steps=1, precision="16-mixed")
    plugins = [LightningEnvironment(), TrainingPrecision("16-mixed", "cpu")]
    torch.manual_seed(0)
    batches = TrainingBatches(random_slices(), 1, 3)
    fabric = Fabric(accelerator="cpu", devices=1, plugins=plugins)
    trainer = Trainer(create_network("multi-conditional"), batches, settings, tmp_path, fabric)
    scale, start = (
        trainer.fabric.strategy.precision.scaler.get_scale(),
        [p.clone() for p in trainer.critic.parameters()],
    )
    moved = []

    def look(record):
        moved.append(any(not torch.equal(*pair) for pair in zip(start, trainer.critic.parameters(), strict=True)))

    trainer.run(progress=look)
    assert moved[0]
    assert trainer.fabric.strategy.precision.scaler.get_scale() == scale


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_half_precision_on_a_gpu_stays_near_single_precision_and_resumes(precision, tmp_path):
    if precision == "bf16-mixed" and torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("this GPU has no bf16")
    half = _train(tmp_path / "half", "cuda", precision, steps=3)
    _near(half, _train(tmp_path / "single", "cuda", "32-true", steps=3))
    _train(tmp_path / "resumed", "cuda", precision, steps=3, stop=1)
    # GPUs add up in no fixed order.
    for record, expected in zip(_train(tmp_path / "resumed", "cuda", precision, steps=3), half, strict=True):
        assert record == pytest.approx(expected, rel=0.02, abs=0.02)
    scale = torch.load(tmp_path / "resumed" / "checkpoint.pt", weights_only=True)["precision"].get("scale")
    assert (scale is not None) == (precision == "16-mixed")


def test_a_batch_that_cannot_be_shared_out_is_refused(tmp_path):
    class ThreeProcesses:
        world_size, global_rank = 3, 0

    batches = TrainingBatches(random_slices(), 4, 0)
    with pytest.raises(InputError, match="4 slices can't be shared out evenly to 3"):
        Trainer(None, batches, TrainingSettings(steps=1, batch_size=4), tmp_path, ThreeProcesses())
