"""Commands on a disk that is really full: a sentence, nothing half-written, and what was there before."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.commands.cli import main
from inference_core.research.training.checkpoints import load_checkpoint


@pytest.fixture
def disk(tmp_path):
    """A disk of 256 KiB, which root alone can make."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root on Linux alone")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk, left):
    """Fill a disk but for so many bytes, in pages as it counts them."""
    status = os.statvfs(disk)
    (disk / "full").write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - left)))


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def arguments(patient, tmp_path, disk):
    for name, image in zip(("NAA", "T1", "FLAIR"), patient(size=(16, 16, 2)), strict=True):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    images = [f"{tmp_path}/{name}.nii.gz" for name in ("NAA", "T1", "FLAIR")]
    options = zip(("--map", "--t1", "--flair"), images, strict=True)
    return [
        "predict",
        *(word for pair in options for word in pair),
        "--metabolite",
        "NAA",
        "--device",
        "cpu",
        "--no-self-check",
    ]


@pytest.mark.parametrize("left", [0, 4096, 8192])
@pytest.mark.parametrize("end", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_predict(arguments, disk, capsys, end, left):
    fill(disk, left)
    assert main([*arguments, "--output", str(disk / f"x{end}")]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    # No free file at all is found out before anything is computed.
    assert "can't be written" in error[0]
    assert names(disk) == ["full"]


def test_an_earlier_result_stays(arguments, disk, capsys):
    assert main([*arguments, "--output", str(disk / "x.nii.gz")]) == 0
    before = {name: (disk / name).read_bytes() for name in names(disk)}
    fill(disk, 4096)
    assert main([*arguments, "--output", str(disk / "x.nii.gz"), "--sharpness", "0.1"]) == 2
    assert "can't be written" in capsys.readouterr().err
    assert {name: (disk / name).read_bytes() for name in names(disk) if name != "full"} == before


def test_training_keeps_its_last_checkpoint(disk, tmp_path, capsys, monkeypatch):
    from inference_core.research.training import trainer

    subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
    words = ["train", "--simulated", "1", "--slices", "1", "--validation", "0", "--batch-size", "1", "--no-adversarial"]
    words += ["--network", "unconditioned", "--checkpoint-every", "1", "--device", "cpu", "--output", str(disk / "run")]
    save, sizes = trainer.save_checkpoint, []

    def filling(folder, state):
        save(folder, state)
        # From the second one on, a checkpoint fits no more.
        if not sizes:
            sizes.append((folder / "checkpoint.pt").stat().st_size)
            fill(disk, sizes[0] // 2)

    monkeypatch.setattr(trainer, "save_checkpoint", filling)
    assert main([*words, "--steps", "3"]) == 2
    captured = capsys.readouterr()
    assert "checkpoint.pt' can't be written (No space left on device)" in captured.err
    assert "Traceback" not in captured.err + captured.out
    left = [name for name in names(disk / "run") if "tfevents" not in name]
    assert left == ["checkpoint.pt", "losses.jsonl"]
    settings = {"steps": 3}
    import torch

    settings = torch.load(disk / "run" / "checkpoint.pt", weights_only=True)["settings"]
    assert load_checkpoint(disk / "run", settings)["step"] == 1
    # Space again: it goes on where the checkpoint is.
    (disk / "full").unlink()
    monkeypatch.setattr(trainer, "save_checkpoint", save)
    assert main([*words, "--steps", "3"]) == 0
    assert load_checkpoint(disk / "run", settings)["step"] == 3


def test_what_is_printed_into_a_full_disk(arguments, disk, tmp_path):
    fill(disk, 0)
    root = str(Path(__file__).resolve().parents[3])
    command = [sys.executable, "-m", "inference_core", *arguments, "--output", str(tmp_path / "x.nii.gz")]
    with (disk / "log.txt").open("w") as log:
        done = subprocess.run(
            command, stdout=log, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": root}, check=False
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Error: What this command prints or writes can't be written or read (No space left on device): check the disk."
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the size of files is limited as on Linux")
def test_without_room_for_temporary_files_a_training_says_so(tmp_path):
    """PyTorch looks for such a folder when it is imported."""
    import resource

    words = ["train", "--simulated", "1", "--slices", "1", "--validation", "0", "--device", "cpu", "--steps", "1"]
    # PyTorch writes down which folder this process uses.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORCHINDUCTOR")}
    done = subprocess.run(
        [sys.executable, "-m", "inference_core", *words, "--output", str(tmp_path / "run")],
        env=environment | {"PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (sentence,) = (line for line in done.stderr.splitlines() if line.startswith("Error: "))
    assert sentence.startswith("Error: The folder for temporary files can't be written (")
    assert sentence.endswith("): free space there, or set TMPDIR to another one.")


def test_a_picture_without_room_for_temporary_files(disk, monkeypatch):
    import tempfile

    from inference_core import InputError
    from inference_core.report.png import data_uri

    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    fill(disk, 8192)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    with pytest.raises(InputError, match=r"^The folder for temporary files can't be written \(.*\): free space there"):
        data_uri(noise)
    assert names(disk) == ["full"]
