"""What a batch says of files that look like maps and are none, and of maps whose content is absent."""

import pytest
import SimpleITK as sitk
from torch import nn

from inference_core import InputError, SuperResolver
from inference_core.batch import BatchRequest, run_batch
from inference_core.commands.cli import main
from inference_core.networks import kspace
from inference_core.study.walker import find_parts


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
    assert "cho_cre.nii.gz' is not used: its name contains Cho and Cre, which may be a ratio" in rows[1].message
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


def test_maps_in_formats_that_are_not_read_are_listed(study, resolver, tmp_path):
    folder = study / "sub-01" / "mrsi"
    for name in ("Ins.mgz", "Glu+orig.BRIK", "Gln.mat", "tCr.img", "NAA_fit.txt", "residual.mgz"):
        (folder / name).write_bytes(b"x")
    # The voxels of a pair are no file of their own.
    image = sitk.ReadImage(str(folder / "NAA.nii.gz"))
    sitk.WriteImage(image, str(folder / "Gly.hdr"))
    # What FSL calls a transform is no T1.
    (study / "sub-01" / "anat" / "T1_to_FLAIR.mat").write_text("1 0 0 0")
    rows = run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    unread = [row.message for row in rows if "format is not read" in row.message]
    names = ("Gln.mat", "Glu+orig.BRIK", "Ins.mgz", "tCr.img")
    assert unread == [f"'mrsi/{name}' is not used: its format is not read, convert it to NIfTI." for name in names]
    assert "Gly" in {row.metabolite for row in rows if row.status == "done"}


@pytest.mark.parametrize("laid_out", [True, False])
def test_a_patient_whose_mri_is_in_a_format_that_is_not_read_is_no_patient_less(laid_out, study, resolver, tmp_path):
    folder = study / "sub-02" / "anat" if laid_out else study / "sub-02"
    folder.mkdir(parents=True)
    for name in ("T1.mgz", "FLAIR.mgz", "NAA.mgz"):
        (folder / name).write_bytes(b"x")
    rows = run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    own = [(row.status, row.message) for row in rows if row.patient == "sub-02"]
    assert [status for status, _ in own] == ["unused", "unused", "unused", "failed"]
    assert "T1.mgz' is not used: its format is not read, convert it to NIfTI." in own[2][1]
    (parts,) = (one for one in find_parts(study) if one.name == "sub-02")
    with pytest.raises(InputError, match=r"^The T1 is in a format that is not read: convert '.*T1.mgz' to NIfTI.$"):
        parts.single("T1")


def test_a_t1_in_a_format_that_is_not_read_is_not_said_to_be_missing(study, resolver, tmp_path):
    (study / "sub-01" / "anat" / "T1w.nii.gz").rename(study / "sub-01" / "anat" / "T1.mgz")
    rows = run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    message = next(row.message for row in rows if row.metabolite == "NAA")
    assert "has its T1 in a format that is not read: convert '" in message
    assert "T1.mgz' to NIfTI" in message
