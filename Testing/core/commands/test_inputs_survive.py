"""No command replaces what it was given, nor a description that belongs to a file of the user's."""

import json
import shutil

import pytest
import SimpleITK as sitk

from inference_core.commands.cli import main
from inference_core.networks.weights_io import DEFAULT_WEIGHTS


@pytest.fixture
def folder(patient, tmp_path, monkeypatch):
    """Map, T1, FLAIR, labels and weights, under several names each."""
    low_resolution, t1, flair = patient(size=(16, 16, 1))
    images = {"NAA": low_resolution, "T1": t1, "FLAIR": flair, "labels": sitk.Cast(t1 > 900, sitk.sitkUInt8)}
    for name, image in images.items():
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    shutil.copy(DEFAULT_WEIGHTS, tmp_path / "own.safetensors")
    (tmp_path / "link.nii.gz").symlink_to("T1.nii.gz")
    (tmp_path / "hard.nii.gz").hardlink_to(tmp_path / "FLAIR.nii.gz")
    (tmp_path / "folder").symlink_to(".", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(folder, capsys, argv, sentence):
    """Run a command that must refuse, and change nothing."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "folder" not in path.parts}
    assert main(argv) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error")]
    assert "which would be lost" in error or sentence in error, error
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "folder" not in path.parts}
    assert after == before


_PREDICT = ["predict", "--t1", "T1.nii.gz", "--flair", "FLAIR.nii.gz", "--metabolite", "NAA", "--device", "cpu"]
_PATIENT = ["--maps", "NAA.nii.gz", "--t1", "T1.nii.gz", "--flair", "FLAIR.nii.gz", "--labels", "labels.nii.gz"]


@pytest.mark.parametrize(
    "output", ["NAA.nii.gz", "T1.nii.gz", "./folder/FLAIR.nii.gz", "link.nii.gz", "hard.nii.gz", "{absolute}"]
)
@pytest.mark.parametrize("option", ["--output", "--uncertainty"])
def test_predict(folder, capsys, output, option):
    output = output.format(absolute=folder / "NAA.nii.gz")
    other = "--uncertainty" if option == "--output" else "--output"
    refused(folder, capsys, [*_PREDICT, "--map", "NAA.nii.gz", option, output, other, "x.nii.gz"], "would be lost")


@pytest.mark.parametrize("about", ['{"EchoTime": 0.03}', "not even JSON", '{"SoftwareName": "another"}'])
def test_predict_leaves_the_users_own_sidecar(folder, capsys, about):
    (folder / "NAA.json").write_text(about)
    refused(folder, capsys, [*_PREDICT, "--map", "NAA.nii.gz", "--output", "NAA.nii"], "belongs to 'NAA.nii.gz'")
    (folder / "x.json").write_text(about)
    refused(folder, capsys, [*_PREDICT, "--map", "NAA.nii.gz", "--output", "x.nii"], "belongs to another file")


def test_predict_leaves_the_sidecar_of_a_result_that_is_its_input(folder, capsys):
    assert main([*_PREDICT, "--map", "NAA.nii.gz", "--output", "r.nii.gz"]) == 0
    capsys.readouterr()
    refused(folder, capsys, [*_PREDICT, "--map", "NAA.nii.gz", "--output", "r.nii"], "belongs to 'r.nii.gz'")
    # Its own place is a result's to take again.
    assert main([*_PREDICT, "--map", "NAA.nii.gz", "--output", "r.nii.gz"]) == 0
    assert json.loads((folder / "r.json").read_text())["SoftwareName"] == "MRSISuperRes"


@pytest.mark.parametrize("output", ["labels.nii.gz", "NAA.nii.gz", "own.safetensors"])
def test_regions(folder, capsys, output):
    argv = ["regions", *_PATIENT, "--weights", "own.safetensors", "--output", output]
    refused(folder, capsys, argv, "would be lost")


def test_report(folder, capsys):
    (folder / "T1.html").hardlink_to(folder / "T1.nii.gz")
    (folder / "map.pdf").symlink_to("NAA.nii.gz")
    refused(folder, capsys, ["report", *_PATIENT, "--output", "T1.html"], "would be lost")
    refused(folder, capsys, ["report", *_PATIENT, "--output", "new.html", "--pdf", "map.pdf"], "would be lost")


@pytest.mark.parametrize("command", ["evaluate --simulated 1", "calibrate --patients 2 1 --slices 1"])
def test_weights(folder, capsys, command):
    argv = [*command.split(), "--weights", "own.safetensors", "--device", "cpu", "--output", "folder/own.safetensors"]
    refused(folder, capsys, argv, "would be lost")


def test_evaluate_and_its_data(folder, capsys):
    (folder / "study" / "sub-01" / "mrsi").mkdir(parents=True)
    (folder / "study" / "sub-01" / "mrsi" / "figures.json").write_text("{}")
    argv = ["evaluate", "--data", "study", "--output", "study/sub-01/mrsi/figures.json", "--device", "cpu"]
    refused(folder, capsys, argv, "would be lost")


def test_benchmark(folder, capsys):
    (folder / "b.json").symlink_to(DEFAULT_WEIGHTS)
    refused(folder, capsys, ["benchmark", "--quick", "--device", "cpu", "--output", "b.json"], "would be lost")


def test_train(folder, capsys):
    (folder / "run").mkdir()
    (folder / "own.safetensors").rename(folder / "run" / "weights.safetensors")
    argv = ["train", "--output", "run", "--init", "folder/run/weights.safetensors", "--simulated", "1", "--steps", "1"]
    refused(folder, capsys, [*argv, "--device", "cpu"], "would be lost")


def test_phantom_and_a_study_of_patients(folder, capsys):
    anatomy = folder / "study" / "sub-0003" / "anat"
    anatomy.mkdir(parents=True)
    shutil.copy("T1.nii.gz", anatomy / "sub-0003_T1w.nii.gz")
    argv = ["phantom", "--output", "study", "--first-seed", "3", "--n", "16", "--slices", "1"]
    refused(folder, capsys, argv, "is not of a simulated patient")
    (folder / "study" / "dataset_description.json").write_text('{"Name": "of patients"}')
    refused(folder, capsys, argv, "holds another study")


def test_demo(folder, capsys):
    (folder / "out").mkdir()
    (folder / "out" / "comparison.png").symlink_to("../own.safetensors")
    refused(folder, capsys, ["demo", "--weights", "own.safetensors", "--output", "out", "--device", "cpu"], "be lost")


_FOREIGN = "was not written by this program and would be replaced"


@pytest.mark.parametrize("name", ["comparison.png", "overlay.png", "Gln_n20_sharpness-0.03.nii.gz"])
def test_demo_and_files_of_the_users_own(folder, capsys, name):
    (folder / "out").mkdir()
    (folder / "out" / name).write_bytes(b"mine")
    refused(folder, capsys, ["demo", "--output", "out", "--device", "cpu"], _FOREIGN)


def test_demo_and_a_sidecar_of_the_users_own(folder, capsys):
    (folder / "out").mkdir()
    (folder / "out" / "Ins_n16_sharpness-0.09.json").write_text('{"EchoTime": 0.03}')
    refused(folder, capsys, ["demo", "--output", "out", "--device", "cpu"], "belongs to another file")


def test_reproduce_and_a_folder_of_something_else(folder, capsys):
    (folder / "out").mkdir()
    (folder / "out" / "report.html").write_text("mine")
    refused(folder, capsys, ["reproduce", "--output", "out", "--device", "cpu"], "holds other files than a run")


def _study(folder):
    """A study of one patient; the patient's folder."""
    patient = folder / "study" / "sub-01"
    patient.mkdir(parents=True)
    for name in ("NAA", "T1", "FLAIR"):
        shutil.copy(f"{name}.nii.gz", patient)
    return patient


def test_batch_and_links_to_its_inputs(folder, capsys):
    patient = _study(folder)
    results = folder / "results" / "sub-01" / "mrsi"
    results.mkdir(parents=True)
    (results / "sub-01_desc-superres_lambda-0_NAA.nii.gz").hardlink_to(patient / "NAA.nii.gz")
    refused(folder, capsys, ["batch", "study", "results", "--device", "cpu"], "would be lost")


@pytest.mark.parametrize("own", [(), ("--participant-label", "01")])
def test_batch_and_a_table_of_the_users_own(folder, capsys, own):
    _study(folder)
    (folder / "results").mkdir()
    name = "batch_sub-01.tsv" if own else "batch.tsv"
    (folder / "results" / name).write_text("batch\tsequence\n1\tFID-MRSI\n")
    refused(folder, capsys, ["batch", "study", "results", *own, "--device", "cpu"], _FOREIGN)
    # A table of an earlier version.
    table = "patient\tmetabolite\tsharpness\tn\tstatus\toutput\tmessage\n"
    (folder / "results" / name).write_text(table)
    assert main(["batch", "study", "results", *own, "--device", "cpu", "--jobs", "1", "--no-self-check"]) == 0
    assert "sub-01\tNAA" in (folder / "results" / name).read_text()


@pytest.mark.parametrize("name", ["validation.tsv", "validation.png"])
def test_validate_and_files_of_the_users_own(folder, capsys, name):
    _study(folder)
    (folder / "checked").mkdir()
    (folder / "checked" / name).write_bytes(b"patient\tage\n")
    refused(folder, capsys, ["validate", "study", "checked", "--device", "cpu"], _FOREIGN)


def test_validate_again_beside_a_figure_without_a_mark(folder):
    from matplotlib.figure import Figure

    _study(folder)
    argv = ["validate", "study", "checked", "--device", "cpu"]
    status = main(argv)
    # As earlier versions wrote it.
    Figure(figsize=(1, 1)).savefig(folder / "checked" / "validation.png", metadata={"Software": None})
    assert main(argv) == status


def test_phantom_and_a_table_of_participants_of_the_users_own(folder, capsys):
    (folder / "study").mkdir()
    (folder / "study" / "participants.tsv").write_text("participant_id\tage\nsub-01\t63\n")
    argv = ["phantom", "--output", "study", "--first-seed", "3", "--n", "16", "--slices", "1"]
    refused(folder, capsys, argv, _FOREIGN)


def test_phantom_and_another_patient_in_the_place_of_its_second(folder, capsys):
    anatomy = folder / "study" / "sub-0004" / "anat"
    anatomy.mkdir(parents=True)
    (anatomy / "sub-0004_T1w.json").write_text('{"EchoTime": 0.03}')
    argv = ["phantom", "--output", "study", "--first-seed", "3", "--patients", "2", "--n", "16", "--slices", "1"]
    refused(folder, capsys, argv, "is not of a simulated patient")


def test_calibrate_and_a_file_of_the_users_own_beside_its_weights(folder, capsys):
    (folder / "own.certainty.json").write_text('{"mine": 1}')
    argv = ["calibrate", "--weights", "own.safetensors", "--patients", "2", "1", "--slices", "1"]
    refused(folder, capsys, [*argv, "--device", "cpu"], _FOREIGN)


@pytest.mark.parametrize("name", ["weights.safetensors", "losses.jsonl"])
def test_train_and_files_of_the_users_own(folder, capsys, name):
    (folder / "run").mkdir()
    (folder / "run" / name).write_text('{"epoch": 1}\n')
    refused(
        folder, capsys, ["train", "--output", "run", "--simulated", "1", "--steps", "1", "--device", "cpu"], _FOREIGN
    )


@pytest.mark.parametrize("name", ["weights.safetensors", "recipe.json"])
def test_a_recipe_and_files_of_the_users_own(folder, capsys, name):
    (folder / "run").mkdir()
    (folder / "run" / name).write_text("[]")
    argv = ["train", "--recipe", "default", "--output", "run", "--device", "cpu"]
    refused(folder, capsys, argv, "choose another folder")


def test_prepare_and_a_page_of_the_users_own(folder, capsys):
    (folder / "prepared").mkdir()
    (folder / "prepared" / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "MRSISuperRes prepare"}]}')
    (folder / "prepared" / "sub-01.html").write_text("<p>my notes</p>")
    (folder / "maps").mkdir()
    shutil.copy("NAA.nii.gz", "maps/NAA.nii.gz")
    argv = ["prepare", "--maps", "maps", "--t1", "T1.nii.gz", "--flair", "FLAIR.nii.gz", "--patient", "sub-01"]
    assert main([*argv, "--no-registration", "prepared"]) == 1
    assert _FOREIGN in capsys.readouterr().out
    assert (folder / "prepared" / "sub-01.html").read_text() == "<p>my notes</p>"
    assert not (folder / "prepared" / "sub-01").exists()


def test_prepare_and_parts_in_its_own_output(folder, capsys):
    place = folder / "prepared" / "sub-01" / "anat"
    place.mkdir(parents=True)
    (folder / "prepared" / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "MRSISuperRes prepare"}]}')
    for name in ("T1", "FLAIR"):
        shutil.copy(f"{name}.nii.gz", place)
    (folder / "maps").mkdir()
    shutil.copy("NAA.nii.gz", "maps/NAA.nii.gz")
    argv = ["prepare", "--maps", "maps", "--t1", "prepared/sub-01/anat/T1.nii.gz", "--flair", "FLAIR.nii.gz"]
    assert main([*argv, "--patient", "sub-01", "--no-registration", "prepared"]) == 1
    assert "lies in 'prepared/sub-01', which would be replaced" in capsys.readouterr().out
    assert sorted(path.name for path in place.iterdir()) == ["FLAIR.nii.gz", "T1.nii.gz"]
