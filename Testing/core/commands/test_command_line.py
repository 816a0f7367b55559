"""The command line: what it writes, how it refuses, and how quickly it answers."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.commands.cli import main
from inference_core.research.phantom import simulate_patient, write_study


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patient")
    write_study(simulate_patient(11), folder, resolutions=(16, 20, 24), slices=2, single=True)
    return folder


@pytest.fixture
def arguments(patient, tmp_path):
    def find(pattern):
        return str(next(patient.glob(pattern)))

    return {
        "--map": find("mrsi/*res-n16_desc-acquired_NAA.nii.gz"),
        "--t1": find("anat/*T1w.nii.gz"),
        "--flair": find("anat/*FLAIR.nii.gz"),
        "--metabolite": "NAA",
        "--sharpness": "0.02",
        "--device": "cpu",
        "--output": str(tmp_path / "result.nii.gz"),
    }


def predict(arguments):
    return main(["predict", *(word for pair in arguments.items() for word in pair)])


@pytest.mark.parametrize("command", [[], ["predict"], ["train"], ["phantom"], ["demo"], ["evaluate"]])
def test_help_answers_in_under_half_a_second(command):
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        words = [sys.executable, "-m", "inference_core", *command, "--help"]
        result = subprocess.run(words, capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5
    assert "usage: mrsi-superres" in result.stdout


def test_the_core_imports_without_what_it_needs_only_at_work():
    heavy = "torch, matplotlib, scipy, skimage, nilearn, SimpleITK"
    check = f"import sys, inference_core; sys.exit(any(m in sys.modules for m in '{heavy}'.split(', ')))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_predict_writes_the_map_and_how_it_was_made(arguments, tmp_path, capsys):
    assert predict(arguments) == 0
    result = sitk.ReadImage(str(tmp_path / "result.nii.gz"))
    assert result.GetSize() == (64, 64, 2)
    assert sitk.GetArrayFromImage(result).max() > 0
    sidecar = json.loads((tmp_path / "result.json").read_text())
    assert sidecar["Sources"]["map"] == arguments["--map"]
    assert (sidecar["Metabolite"], sidecar["InputResolution"], sidecar["Sharpness"]) == ("NAA", 16, 0.02)
    assert len(sidecar["WeightsSHA256"]) == 64
    assert sidecar["SoftwareVersion"]
    assert "Device: cpu" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["result.json", "result.nii.gz"]


def test_predict_is_deterministic(arguments, tmp_path):
    results = []
    for name in ("a.nii.gz", "b.nii.gz"):
        assert predict(arguments | {"--output": str(tmp_path / name)}) == 0
        results.append(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / name))))
    np.testing.assert_array_equal(*results)


def test_predict_writes_how_sure_it_is(arguments, tmp_path):
    assert predict(arguments) == 0
    alone = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "result.nii.gz")))
    assert predict(arguments | {"--uncertainty": str(tmp_path / "uncertainty.nii.gz")}) == 0
    result, widths = (sitk.ReadImage(str(tmp_path / f"{name}.nii.gz")) for name in ("result", "uncertainty"))
    assert widths.GetOrigin() == result.GetOrigin()
    values, widths = (sitk.GetArrayFromImage(image) for image in (result, widths))
    np.testing.assert_allclose(values, alone, rtol=1e-5, atol=1e-5 * alone.max())
    inside = values > 0.5 * np.median(values[values > 0])
    assert (widths[inside] > 0).all()
    # In the map's units: some percent of the level.
    assert 0.01 < np.median(widths[inside] / values[inside]) < 0.3
    sidecar = json.loads((tmp_path / "uncertainty.json").read_text())
    assert "68 %" in sidecar["Description"]
    assert 1.5 < sidecar["HalfWidth95Factor"] < 4


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--uncertainty", "missing/result.nii.gz", "output folder 'missing' does not exist"),
        ("--map", "missing.nii.gz", "missing.nii.gz"),
        ("--t1", "missing.nii.gz", "missing.nii.gz"),
        ("--metabolite", "glucose", "Unknown metabolite 'glucose'"),
        ("--sharpness", "0.2", "Sharpness 0.2 is outside 0 to 0.1"),
        ("--sharpness", "-0.01", "Sharpness -0.01 is outside 0 to 0.1"),
        ("--output", "missing/result.nii.gz", "output folder 'missing' does not exist"),
        ("--output", "result.txt", "does not end in one of"),
        ("--weights", "missing.safetensors", "do not exist"),
        ("--device", "abacus", "Unknown device 'abacus'"),
    ],
)
def test_bad_arguments_end_in_one_sentence(arguments, tmp_path, monkeypatch, capsys, option, value, sentence):
    monkeypatch.chdir(tmp_path)
    assert predict(arguments | {option: value}) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    assert sentence in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_pickled_weights_are_refused_unread(arguments, tmp_path, capsys):
    import pickle

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(pickle.dumps(Trap()))
    assert predict(arguments | {"--weights": str(weights)}) == 2
    assert "corrupt or no safetensors file" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "result.nii.gz").exists()


def test_phantom_writes_a_study_that_predict_takes(tmp_path, arguments):
    study = tmp_path / "study"
    assert main(["phantom", "--output", str(study), "--first-seed", "3", "--n", "18", "--slices", "1"]) == 0
    patient = study / "sub-0003"
    inputs = {
        "--map": str(next(patient.glob("mrsi/*res-n18_desc-acquired_Gln.nii.gz"))),
        "--t1": str(next(patient.glob("anat/*T1w.nii.gz"))),
        "--flair": str(next(patient.glob("anat/*FLAIR.nii.gz"))),
        "--metabolite": "Gln",
    }
    assert predict(arguments | inputs) == 0


@pytest.mark.parametrize("command", ["phantom", "demo", "train --simulated 1 --steps 1"])
def test_an_output_folder_in_a_missing_one_is_refused_at_once(command, tmp_path, capsys):
    assert main([*command.split(), "--output", str(tmp_path / "missing" / "folder")]) == 2
    assert "missing' does not exist" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_demo_draws_its_figures(patient, tmp_path):
    output = tmp_path / "demo"
    argv = ["demo", "--output", str(output), "--patient", str(patient), "--device", "cpu"]
    assert main(argv) == 0
    for name in ("comparison.png", "overlay.png"):
        image = sitk.GetArrayFromImage(sitk.ReadImage(str(output / name)))
        assert image.shape[0] > 400
        assert image.shape[1] > 1000
        assert image[..., :3].std() > 20
    assert len(list(output.glob("*.nii.gz"))) == 12
    # Into its own earlier output, one sidecar of which a kill took away.
    sidecar = output / "Gln_n20_sharpness-0.json"
    before = {path: path.read_bytes() for path in output.iterdir()}
    sidecar.unlink()
    assert main(argv) == 0
    assert {path: path.read_bytes() for path in output.iterdir()} == before


def test_evaluate_reports_each_method(tmp_path, capsys):
    figures = tmp_path / "figures.json"
    words = "evaluate --simulated 1 --slices 1 --first-seed 11 --n 16 --sharpness 0 0.1 --device cpu --output"
    assert main([*words.split(), str(figures)]) == 0
    assert "| tCho |" in capsys.readouterr().out
    measured = json.loads(figures.read_text())
    all_maps = measured["all"]["all"]
    assert set(all_maps) == {"zero-filling", "bicubic", "anatomical", "lambda = 0", "lambda = 0.1"}
    assert all_maps["lambda = 0"][0] > all_maps["zero-filling"][0]
    details = {own["method"]: own for own in measured["details"]}
    assert set(details) == set(all_maps)
    assert all(own["maps"] == 7 for own in details.values())


def test_training_reads_the_folders_that_phantom_writes(tmp_path, capsys):
    study = tmp_path / "study"
    assert main(["phantom", "--output", str(study), "--patients", "2", "--n", "16", "--slices", "2"]) == 0
    words = ["--validation", "1", "--steps", "2", "--batch-size", "1", "--critic-steps", "1", "--device", "cpu"]
    assert main(["train", "--data", str(study), "--output", str(tmp_path / "run"), *words]) == 0
    assert (tmp_path / "run" / "weights.safetensors").stat().st_size < 16e6
    record = json.loads((tmp_path / "run" / "losses.jsonl").read_text().splitlines()[-1])
    assert record["step"] == 1
    assert np.isfinite(list(record.values())).all()
    assert main(["train", "--data", str(tmp_path), "--output", str(tmp_path / "other"), *words]) == 2
    assert "holds no patients" in capsys.readouterr().err
