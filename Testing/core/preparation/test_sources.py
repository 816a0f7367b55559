"""What `prepare` is made from: nobody's data replaced, FSL-MRS's folder end to end, masks on the maps' grid."""

import json
import shutil

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from fsl_mrs_results import AFFINE, write_results

from inference_core.commands.cli import main
from inference_core.preparation import run

MAPS = ("tCho", "tCr", "NAA", "Glu", "Ins")


@pytest.fixture
def no_report(monkeypatch):
    """Pictures take longest."""
    monkeypatch.setattr(run, "_reported", lambda *_: ())


def write_patient(folder, name, seed=0):
    """A skull-stripped T1 and FLAIR around FSL-MRS's grid, and its results folder."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, count) for count in (56, 56, 20)), indexing="ij")
    head = x**2 + y**2 + z**2 / 1.5 < 0.95
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = (-110, -110, -40)
    for suffix in ("T1w", "FLAIR"):
        path = folder / "anat" / f"{name}_{suffix}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.where(head, 100 + 10 * rng.normal(size=head.shape), 0)
        nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), path)
    write_results(folder / "mrsi" / "fit")
    return folder


@pytest.fixture
def study(tmp_path):
    write_patient(tmp_path / "study" / "sub-01", "sub-01")
    return tmp_path / "study"


def prepare(*arguments):
    return main(["prepare", *map(str, arguments), "--no-registration"])


def parts_of(folder, name):
    named = {"--t1": f"anat/{name}_T1w.nii.gz", "--flair": f"anat/{name}_FLAIR.nii.gz", "--maps": "mrsi/fit"}
    return [word for option, path in named.items() for word in (option, folder / path)]


def array_of(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_fsl_mrs_results_are_prepared(study, tmp_path, capsys):
    assert prepare(study, tmp_path / "out") == 0
    output = capsys.readouterr().out
    assert "warning" not in output
    assert "'mrsi/fit/concs/raw/Lac.nii.gz' is not used: Lac is none of the network's metabolites" in output
    folder = tmp_path / "out" / "sub-01" / "mrsi"
    found = {path.name.split("_")[-1].split(".")[0] for path in folder.glob("*_desc-filtered_*.nii.gz")}
    assert found == set(MAPS)
    about = json.loads((folder / "sub-01_res-n16_desc-filtered_tCho.json").read_text())
    assert about["Sources"] == {"map": "sub-01/mrsi/fit/concs/raw/PCho+GPC.nii.gz"}
    assert "scaled back to the measured signal's units" in about["Note"]
    assert "'mrsi/fit/concs/internal' is not used" in about["NotUsed"][0]
    assert about["RejectedShares"]["any"] < 0.5
    quality = json.loads((folder / "sub-01_res-n16_met-tCho_desc-quality_snr.json").read_text())
    assert quality["Note"].startswith("SNR is the sum of that of GPC and PCh")
    page = (tmp_path / "out" / "sub-01.html").read_text(encoding="utf-8")
    assert "<h2>Not used</h2>" in page
    assert "Lac is none of the network's metabolites" in page


def test_the_mask_of_a_fit_limits_the_maps_and_strips_no_t1(study, tmp_path, no_report):
    mask = np.zeros((16, 16, 2), dtype=np.int16)
    mask[4:12, 4:12] = 1
    nibabel.save(nibabel.Nifti1Image(mask, AFFINE), study / "sub-01" / "mrsi" / "sub-01_desc-brainmask_mrsi.nii.gz")
    assert prepare(study, tmp_path / "out") == 0
    folder = tmp_path / "out" / "sub-01"
    valid = array_of(folder / "mrsi" / "sub-01_res-n16_desc-valid_NAA.nii.gz")
    np.testing.assert_array_equal(valid, mask.T)
    t1 = json.loads((folder / "anat" / "sub-01_space-mrsi_desc-brain_T1w.json").read_text())
    assert t1["Mask"] == "the T1 came without its skull"
    brain = array_of(folder / "anat" / "sub-01_space-mrsi_desc-brain_mask.nii.gz")
    assert brain.sum() == (array_of(study / "sub-01" / "anat" / "sub-01_T1w.nii.gz") > 0).sum()


def test_patients_by_parts_are_named_for_their_labels(tmp_path, no_report):
    for seed, name in enumerate(("sub-01", "sub-02")):
        folder = write_patient(tmp_path / "study" / name, name, seed)
        assert prepare(*parts_of(folder, name), tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["sub-01", "sub-02"]


def test_a_patient_made_from_other_sources_is_not_replaced(study, tmp_path, capsys, no_report):
    assert prepare(study, tmp_path / "out") == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    other = write_patient(tmp_path / "another study" / "sub-01", "sub-01", seed=5)
    shutil.rmtree(other / "mrsi")
    write_results(other / "mrsi" / "fit", water=True)
    capsys.readouterr()
    # By other paths, and by the same ones within another study.
    for arguments in ((*parts_of(other, "sub-01"),), (tmp_path / "another study",)):
        assert prepare(*arguments, tmp_path / "out") == 1
        output = capsys.readouterr().out
        assert "was made from other sources" in output
        assert "--replace" in output
        assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert prepare(*parts_of(other, "sub-01"), "--patient", "03", tmp_path / "out") == 0
    assert prepare(tmp_path / "another study", tmp_path / "out", "--replace") == 0
    after = (tmp_path / "out" / "sub-01" / "mrsi" / "sub-01_res-n16_desc-acquired_NAA.json").read_text()
    assert "concs/molality" in after


def test_an_updated_source_replaces_its_patient(study, tmp_path, no_report):
    assert prepare(study, tmp_path / "out") == 0
    shutil.rmtree(study / "sub-01" / "mrsi")
    write_results(study / "sub-01" / "mrsi" / "fit", rescaled=False)
    assert prepare(study, tmp_path / "out") == 0
    # Moved elsewhere, it is still the same.
    (tmp_path / "study").rename(tmp_path / "moved")
    assert prepare(*parts_of(tmp_path / "moved" / "sub-01", "sub-01"), tmp_path / "out") == 0


def test_files_of_the_users_own_outlast_a_new_version(study, tmp_path, capsys, no_report):
    out = tmp_path / "out"
    assert prepare(study, out) == 0
    place = out / "sub-01"
    own = {"notes.txt": b"mine", "mrsi/labels.nii.gz": b"mine", "mrsi/fits/NAA.csv": b"mine", "anat/.hidden": b"mine"}
    # What `predict` writes has a description of the same software, but is not what `prepare` wrote.
    own["mrsi/sub-01_desc-sr_NAA.nii.gz"], own["mrsi/sub-01_desc-sr_NAA.json"] = (
        b"mine",
        b'{"SoftwareName": "MRSISuperRes"}',
    )
    for name, content in own.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(content)
    (place / "T1").symlink_to("anat/sub-01_space-mrsi_desc-brain_T1w.nii.gz")
    (place / "dangling").symlink_to("nowhere")
    old = place / "mrsi" / "sub-01_res-n12_desc-acquired_NAA"
    for ending in (".nii.gz", ".json"):
        shutil.copy(f"{place}/mrsi/sub-01_res-n16_desc-acquired_NAA{ending}", f"{old}{ending}")
    capsys.readouterr()
    assert prepare(study, out) == 0
    output = capsys.readouterr().out
    assert "8 files that prepare did not write were in" in output
    assert "T1, anat/.hidden, dangling, ..." in output
    assert {name: (place / name).read_bytes() for name in own} == own
    assert (place / "T1").is_symlink()
    assert (place / "T1").exists()
    assert (place / "dangling").is_symlink()
    # An earlier version's own files are replaced as before.
    assert not list(place.glob("mrsi/*res-n12*"))


def test_a_file_of_the_users_own_with_an_outputs_name_is_not_replaced(study, tmp_path, capsys, no_report):
    out = tmp_path / "out"
    assert prepare(study, out) == 0
    mask = out / "sub-01" / "anat" / "sub-01_space-mrsi_desc-brain_mask.nii.gz"
    mask.with_name(mask.name.replace(".nii.gz", ".json")).unlink()
    mask.write_bytes(b"mine")
    assert prepare(study, out, "--replace") == 1
    assert "desc-brain_mask.nii.gz' was not written by prepare and would be replaced" in capsys.readouterr().out
    assert mask.read_bytes() == b"mine"
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["sub-01"]


def test_another_examination_of_the_same_patient_needs_a_word(study, tmp_path, capsys, no_report):
    assert prepare(study, tmp_path / "out") == 0
    write_results(study / "second", water=True)
    words = parts_of(study / "sub-01", "sub-01")
    words[-1] = study / "second"
    assert prepare(*words, tmp_path / "out") == 1
    assert "its maps was" not in (output := capsys.readouterr().out)
    assert "its maps were" in output


def test_whole_brain_maps_of_a_pipeline_are_prepared(patient, tmp_path, capsys, no_report):
    """5 mm, 32 x 42 x 22, 4-D with a last axis of one volume, named as the MRSI pipelines do."""
    image, t1, flair = patient(size=(32, 42, 22), spacing=(5.0, 5.0, 5.0))
    folder = tmp_path / "study" / "sub-S001" / "ses-V1"
    prefix = "sub-S001_ses-V1_space-orig"
    for name, one in ((f"anat/{prefix[:-11]}_desc-brain_T1w", t1), (f"anat/{prefix[:-11]}_FLAIR", flair)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(one, str(folder / f"{name}.nii.gz"))
    brain = sitk.GetArrayFromImage(image) > 1
    brain[:, :, :10] = False
    filled = {
        "met-NAANAAG_desc-signal": sitk.GetArrayFromImage(image),
        "met-GluGln_desc-signal": sitk.GetArrayFromImage(image),
        "met-NAANAAG_desc-crlb": np.full(brain.shape, 8.0),
        "desc-snr": np.full(brain.shape, 10.0),
        "desc-fwhm": np.full(brain.shape, 0.04),
        "acq-conc_desc-brainmask": brain.astype(float),
    }
    (folder / "mrsi").mkdir()
    for name, array in filled.items():
        volume = sitk.GetImageFromArray(array.astype(np.float32))
        volume.CopyInformation(image)
        path = str(folder / "mrsi" / f"{prefix}_{name}_mrsi.nii.gz")
        sitk.WriteImage(volume, path)
        written = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(written.get_fdata(dtype=np.float32)[..., None], written.affine), path)
    assert prepare(tmp_path / "study", tmp_path / "out") == 0
    output = capsys.readouterr().out
    assert "n = 42 is outside the trained range of 8 to 32" in output
    assert "Glx is none of the network's metabolites" in output
    assert output.count("is not used") == 1
    mrsi = tmp_path / "out" / "sub-S001" / "ses-V1" / "mrsi"
    name = "sub-S001_ses-V1_res-n42_desc-{}_NAA"
    filtered = sitk.ReadImage(str(mrsi / f"{name.format('filtered')}.nii.gz"))
    assert filtered.GetSize() == (32, 42, 22)
    np.testing.assert_allclose(filtered.GetSpacing(), (5, 5, 5))
    valid = array_of(mrsi / f"{name.format('valid')}.nii.gz") > 0
    assert valid.any()
    assert not (valid & ~brain).any()
    about = json.loads((mrsi / f"{name.format('filtered')}.json").read_text())
    assert about["NameInSource"] == "NAA+NAAG"
    assert (array_of(mrsi / f"{name.format('crlb')}.nii.gz") == 8).all()


def test_absent_content_is_named_and_no_other_part_is_lost(study, tmp_path, capsys, no_report):
    folder = study / "sub-01"
    for path in sorted((folder / "mrsi" / "fit" / "concs" / "raw").iterdir()):
        if path.name in ("NAA.nii.gz", "Glu.nii.gz"):
            path.unlink()
            path.symlink_to("../../.git/annex/objects/1/2/x.nii.gz")
    assert prepare(study, tmp_path / "out") == 0
    output = capsys.readouterr().out
    assert "'mrsi/fit/concs/raw/NAA.nii.gz' is not used: a link of git-annex to content that is not on this" in output
    assert (tmp_path / "out/sub-01/mrsi/sub-01_res-n16_desc-filtered_tCho.nii.gz").is_file()
    flair = folder / "anat" / "sub-01_FLAIR.nii.gz"
    flair.unlink()
    flair.symlink_to("../../.git/annex/objects/1/2/f.nii.gz")
    assert prepare(study, tmp_path / "again") == 1
    output = capsys.readouterr().out
    assert "sub-01_FLAIR.nii.gz' is a link of git-annex to content that is not on this computer" in output
    assert "There is no FLAIR" not in output
