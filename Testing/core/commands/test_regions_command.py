"""`mrsi-superres regions`: the table of a simulated patient, and what it refuses."""

import csv
from pathlib import Path

import pytest
import SimpleITK as sitk

from inference_core.commands.cli import main

SAMPLE = Path(__file__).resolve().parents[3] / "Resources" / "SamplePatient"


def arguments(tmp_path, **changed):
    patient = {
        "--maps": sorted(map(str, (SAMPLE / "mrsi").glob("*_res-n16_desc-acquired_[tN]*.nii.gz"))),
        "--t1": [str(path) for path in (SAMPLE / "anat").glob("*_T1w.nii.gz")],
        "--flair": [str(path) for path in (SAMPLE / "anat").glob("*_FLAIR.nii.gz")],
        "--labels": [str(path) for path in (SAMPLE / "mrsi").glob("*tumour_mask.nii.gz")],
        "--output": [str(tmp_path / "table.csv")],
        "--device": ["cpu"],
    }
    return ["regions", *(word for name, values in (patient | changed).items() for word in (name, *values))]


def test_the_table_has_each_metabolite_and_the_usual_ratios(tmp_path, capsys):
    assert main(arguments(tmp_path, **{"--names": ["1=tumour"]})) == 0
    rows = list(csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8")))
    assert [row["quantity"] for row in rows] == ["tCho", "tCr", "NAA", "tCho/NAA", "tCho/tCr", "NAA/tCr"]
    assert {row["region"] for row in rows} == {"tumour"}
    for row in rows[:3]:
        # As much signal as was measured, within what is said of the result's uncertainty.
        assert abs(float(row["signal_change"])) * float(row["low_resolution_mean"]) < 0.5 * float(row["uncertainty"])
        assert abs(float(row["signal_change"])) < 0.1
        assert float(row["mean"]) == pytest.approx(float(row["low_resolution_mean"]), rel=0.3)
    assert "6 rows" in capsys.readouterr().out


def test_the_other_side_is_a_region_too(tmp_path):
    assert main([*arguments(tmp_path, **{"--names": ["1=tumour"], "--ratios": ["tCho/NAA"]}), "--mirror"]) == 0
    rows = list(csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8")))
    assert {row["region"] for row in rows} == {"tumour", "tumour, mirrored"}
    ratio = {row["region"]: float(row["mean"]) for row in rows if row["quantity"] == "tCho/NAA"}
    assert ratio["tumour"] > 1.5 * ratio["tumour, mirrored"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"--names": ["2=tumour"]}, "names no region"),
        ({"--ratios": ["tCho/Lac"]}, "Unknown metabolite 'Lac'"),
        ({"--ratios": ["Gln/Glu"]}, "needs a map of Gln and Glu"),
        ({"--maps": ["tCho=a.nii.gz", "GPC+PCh=b.nii.gz"]}, "both maps of tCho"),
        ({"--maps": ["map.nii.gz"]}, "does not name its metabolite"),
        ({"--labels": ["missing.nii.gz"]}, "does not exist"),
    ],
)
def test_what_is_unusable_ends_in_one_sentence(tmp_path, capsys, changed, sentence):
    assert main(arguments(tmp_path, **changed)) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error")]
    assert len(error) == 1
    assert sentence in error[0]
    assert not (tmp_path / "table.csv").exists()


def test_labels_that_are_none_are_refused(tmp_path, capsys):
    for value, sentence in ((0, "is empty"), (0.5, "holds fractions")):
        image = sitk.Image(4, 4, 4, sitk.sitkFloat32) + value
        sitk.WriteImage(image, str(tmp_path / "labels.nii.gz"))
        assert main(arguments(tmp_path, **{"--labels": [str(tmp_path / "labels.nii.gz")]})) == 2
        assert sentence in capsys.readouterr().err
