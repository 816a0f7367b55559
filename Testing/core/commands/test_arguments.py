"""Names that commands are given: equals signs in paths, outputs like x.img.nii.gz, options as BIDS Apps spell them."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk
from training_samples import fill_cache

from inference_core.commands import batch
from inference_core.commands.cli import main
from inference_core.commands.map_arguments import map_files
from inference_core.errors import InputError
from inference_core.research.data.simulated import SimulatedSlices

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def images(patient, tmp_path, monkeypatch):
    for name, image in zip(("NAA", "T1", "FLAIR"), patient(size=(16, 16, 1)), strict=True):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    monkeypatch.chdir(tmp_path)
    return ["--t1", "T1.nii.gz", "--flair", "FLAIR.nii.gz", "--metabolite", "NAA", "--device", "cpu"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("NAA=map.nii.gz", "map.nii.gz"),
        ("NAA=run=1/map.nii.gz", "run=1/map.nii.gz"),
        ("run=1/NAA.nii.gz", "run=1/NAA.nii.gz"),
        ("/data/te=30/tr=2/NAA.nii.gz", "/data/te=30/tr=2/NAA.nii.gz"),
        ("./te=30_NAA.nii.gz", "te=30_NAA.nii.gz"),
    ],
)
def test_an_equals_sign_may_be_part_of_a_path(text, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert map_files([text]) == {"NAA": Path(path)}


def test_a_file_that_is_there_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("te=30_NAA.nii").touch()
    assert map_files(["te=30_NAA.nii"]) == {"NAA": Path("te=30_NAA.nii")}
    Path("tCr=NAA.nii").touch()
    Path("NAA.nii").touch()
    with pytest.raises(InputError, match=r"'tCr=NAA.nii' and 'NAA.nii' are both files: write './tCr=NAA.nii' or"):
        map_files(["tCr=NAA.nii"])
    assert map_files(["tCr=./NAA.nii"]) == {"tCr": Path("NAA.nii")}


def test_predict_takes_a_map_from_a_folder_with_an_equals_sign(images, tmp_path, capsys):
    (tmp_path / "te=30").mkdir()
    (tmp_path / "NAA.nii.gz").rename(tmp_path / "te=30" / "map.nii.gz")
    assert main(["predict", "--map", "te=30/map.nii.gz", *images, "--output", "te=30/x.nii.gz"]) == 0
    assert main(["predict", "--map", "te=31/map.nii.gz", *images, "--output", "x.nii.gz"]) == 2
    assert "The map 'te=31/map.nii.gz' does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.img.nii.gz", "x.hdr.nii", "x.nii.nii.gz", "x.nia.nii.gz", "x.gz.mha"])
def test_an_output_is_written_under_the_name_that_it_has(images, tmp_path, name):
    before = set(tmp_path.iterdir())
    assert main(["predict", "--map", "NAA.nii.gz", *images, "--output", name]) == 0
    about = name.removesuffix(".nii.gz") if name.endswith(".nii.gz") else name.rpartition(".")[0]
    assert set(tmp_path.iterdir()) - before == {tmp_path / name, tmp_path / f"{about}.json"}
    assert sitk.ReadImage(name).GetSize() == (64, 64, 1)


def test_options_are_spelt_as_bids_apps_do():
    parser = argparse.ArgumentParser()
    batch.add_arguments(parser)
    for option in ("--participant-label", "--participant_label"):
        assert parser.parse_args(["study", "out", "participant", option, "01", "02"]).participant_label == ["01", "02"]


def test_training_that_can_not_be_resumed_is_refused_before_patients_are_made(tmp_path, capsys, monkeypatch):
    fill_cache(tmp_path / "cache", patients=1, slices=1)
    words = ["train", "--simulated", "1", "--slices", "1", "--validation", "0", "--batch-size", "1", "--no-adversarial"]
    words += ["--network", "unconditioned", "--device", "cpu", "--output", str(tmp_path / "run")]
    assert main([*words, "--steps", "1", "--cache", str(tmp_path / "cache")]) == 0
    monkeypatch.setattr(SimulatedSlices, "slices", lambda self: pytest.fail("simulated"))
    for change in (["--steps", "1", "--seed", "1"], ["--epochs", "3", "--learning-rate", "1e-3"]):
        assert main([*words, *change]) == 2
        assert "was made with other settings" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process's files are POSIX's")
def test_a_limit_on_the_size_of_files(images, tmp_path):
    words = ["predict", "--map", "NAA.nii.gz", *images, "--output"]
    code = (
        "import resource\nfrom inference_core.commands.cli import main\nresource.setrlimit(resource.RLIMIT_FSIZE, "
        "(4096, 4096))\nfor end in ('.nii.gz', '.nii', '.nrrd', '.mha'):\n"
        f"    assert main({words!r} + ['x' + end]) == 2\n"
    )
    before = set(tmp_path.iterdir())
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 4
    assert all("can't be written (" in line and "check the free space" in line for line in errors)
    assert set(tmp_path.iterdir()) == before
