"""What a batch says of files that look like maps and are none, and of maps whose content is absent."""

import pytest
import SimpleITK as sitk
from torch import nn

from inference_core import SuperResolver
from inference_core.batch import BatchRequest, run_batch
from inference_core.commands.cli import main
from inference_core.networks import kspace


class ZeroFilling(nn.Module):
    """Needs no weights."""

    def forward(self, low_resolution, t1, flair, n, metabolite, sharpness):
        return kspace.zero_filled(low_resolution, (64, 64))


@pytest.fixture(scope="module")
def resolver():
    return SuperResolver(ZeroFilling(), "cpu")


@pytest.fixture
def study(patient, tmp_path):
    """A patient with two maps, one of them absent, a sum that is none of ours, and a ratio."""
    image, t1, flair = patient(size=(16, 16, 1))
    folder = tmp_path / "study" / "sub-01"
    names = {"anat/T1w": t1, "anat/FLAIR": flair} | dict.fromkeys(("mrsi/NAA", "mrsi/Glx", "mrsi/cho_cre"), image)
    for name, one in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(one, str(folder / f"{name}.nii.gz"))
    (folder / "mrsi" / "tCho.nii.gz").symlink_to("../../.git/annex/objects/1/2/tCho.nii.gz")
    return tmp_path / "study"


def test_unused_files_have_rows_and_absent_maps_fail(study, resolver, tmp_path):
    rows = run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    assert [(row.status, row.metabolite) for row in rows] == [
        ("unused", ""),
        ("unused", ""),
        ("failed", "tCho"),
        ("done", "NAA"),
    ]
    assert rows[0].message == "'mrsi/Glx.nii.gz' is not used: Glx is none of the network's metabolites."
    assert "cho_cre.nii.gz' is not used: its name tells Cho and Cre, which may be a ratio" in rows[1].message
    assert "tCho.nii.gz' is a link of git-annex to content that is not on this computer" in rows[2].message
    lines = (tmp_path / "out" / "batch.tsv").read_text().splitlines()
    assert lines[1] == f"sub-01\t\tn/a\tn/a\tunused\tn/a\t{rows[0].message}\tn/a"
    # A ratio of a map that is absent says so, too.
    rows = run_batch(BatchRequest(study, tmp_path / "ratios", ratios=["tCho/NAA"]), resolver=resolver)
    assert "is a link of git-annex" in {row.metabolite: row.message for row in rows}["tCho/NAA"]


def test_the_command_lists_them(study, tmp_path, capsys):
    (study / "sub-01" / "mrsi" / "tCho.nii.gz").unlink()
    assert main(["batch", str(study), str(tmp_path / "out"), "--jobs", "1"]) == 0
    output = capsys.readouterr().out
    assert "Not used: sub-01: 'mrsi/Glx.nii.gz' is not used: Glx is none of the network's metabolites." in output
    assert "1 done, 0 complete already, 0 failed, of 1; 2 files are not used" in output


def test_a_patient_whose_maps_are_all_unknown_says_which(study, resolver, tmp_path):
    for name in ("NAA", "tCho"):
        (study / "sub-01" / "mrsi" / f"{name}.nii.gz").unlink()
    rows = run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    assert [row.status for row in rows] == ["unused", "unused", "failed"]
    assert "has no metabolite map" in rows[2].message


def test_an_absent_flair_is_not_said_to_be_missing(study, resolver, tmp_path):
    path = study / "sub-01" / "anat" / "FLAIR.nii.gz"
    path.unlink()
    path.symlink_to("../../.git/annex/objects/1/2/FLAIR.nii.gz")
    rows = run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    message = next(row.message for row in rows if row.metabolite == "NAA")
    assert "The FLAIR" in message
    assert "fetch it with `datalad get` or `git annex get`" in message
    assert "add one" not in message
