"""The command validate: a cohort's maps against their own k-space."""

import csv

import pytest
import SimpleITK as sitk

from inference_core.batch.validation import FIGURE, TABLE
from inference_core.commands.cli import main


@pytest.fixture
def study(tmp_path, patient):
    for name, n in (("sub-01", 16), ("sub-02", 10)):
        low_resolution, t1, flair = patient(size=(n, n, 2), spacing=(190 / n, 190 / n, 10.0))
        for folder in ("anat", "mrsi"):
            (tmp_path / "study" / name / folder).mkdir(parents=True)
        folder = tmp_path / "study" / name
        sitk.WriteImage(t1, str(folder / "anat" / f"{name}_T1w.nii.gz"))
        sitk.WriteImage(flair, str(folder / "anat" / f"{name}_FLAIR.nii.gz"))
        sitk.WriteImage(low_resolution, str(folder / "mrsi" / f"{name}_desc-filtered_NAA.nii.gz"))
        sitk.WriteImage(low_resolution * 0 + 5, str(folder / "mrsi" / f"{name}_desc-crlb_NAA.nii.gz"))
    (tmp_path / "study" / "sub-03" / "mrsi").mkdir(parents=True)
    sitk.WriteImage(low_resolution, str(tmp_path / "study" / "sub-03" / "mrsi" / "sub-03_tCho.nii.gz"))
    return tmp_path / "study"


def test_each_map_has_a_row_and_the_checked_ones_a_figure(study, tmp_path, capsys):
    assert main(["validate", str(study), str(tmp_path / "out"), "--device", "cpu"]) == 1
    with (tmp_path / "out" / TABLE).open(encoding="utf-8") as file:
        checked, coarse, failed = list(csv.DictReader(file, delimiter="\t"))
    assert (checked["patient"], checked["metabolite"], checked["n"], checked["kept"]) == ("sub-01", "NAA", "16", "10")
    assert float(checked["explained"]) <= 1
    assert "Cramér-Rao" in checked["noise_source"]
    assert coarse["verdict"] == "not checked"
    assert "n = 10" in coarse["message"]
    assert coarse["explained"] == "n/a"
    assert failed["verdict"] == "failed"
    assert "T1" in failed["message"]
    assert (tmp_path / "out" / FIGURE).read_bytes().startswith(b"\x89PNG")
    told = capsys.readouterr().out
    assert "NAA: " in told
    assert "Failed: sub-03" in told


def test_wrong_arguments_are_refused_before_anything_is_computed(study, tmp_path, capsys):
    for arguments, sentence in (
        (["--participant-label", "07"], "no participant 07"),
        (["--metabolite", "Foo"], "Unknown metabolite"),
        (["--sharpness", "2"], "outside 0 to 0.1"),
    ):
        assert main(["validate", str(study), str(tmp_path / "out"), *arguments]) == 2
        assert sentence in capsys.readouterr().err
    assert main(["validate", str(study), str(study)]) == 2
    assert not (tmp_path / "out").exists()
