"""`predict` on images whose headers are odd: the right place, the right plane, or one sentence."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.commands.cli import main

SHIFT = np.array([[1.0, 0, 0, 15], [0, 0.996, -0.087, 9], [0, 0.087, 0.996, -12], [0, 0, 0, 1]])


@pytest.fixture
def files(patient, tmp_path):
    """A patient's map, T1 and FLAIR as files."""
    for name, image in zip(("NAA", "T1", "FLAIR"), patient(size=(16, 16, 2)), strict=True):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    return {name: tmp_path / f"{name}.nii.gz" for name in ("NAA", "T1", "FLAIR")}


def predict(files, tmp_path, *more):
    """The status, and the result if there is one."""
    output = tmp_path / "result.nii.gz"
    words = [
        "predict",
        "--map",
        f"NAA={files['NAA']}",
        "--metabolite",
        "NAA",
        "--device",
        "cpu",
        "--output",
        str(output),
    ]
    status = main([*words, "--t1", str(files["T1"]), "--flair", str(files["FLAIR"]), *more])
    return status, sitk.ReadImage(str(output)) if output.exists() else None


def set_forms(path, sform, sform_code, qform, qform_code):
    """Rewrite a file's places."""
    image = nib.load(path)
    again = nib.Nifti1Image(np.asarray(image.dataobj), None, image.header)
    again.set_sform(sform, sform_code)
    again.set_qform(qform, qform_code)
    # nibabel takes the codes of None as unknown.
    path.unlink()
    nib.save(again, path)
    return nib.load(path)


def test_t1_and_flair_coregistered_in_the_sform_are_used_where_they_are(files, tmp_path, capsys):
    _, expected = predict(files, tmp_path)
    capsys.readouterr()
    for name in ("T1", "FLAIR"):
        affine = nib.load(files[name]).affine
        found = set_forms(files[name], affine, 2, SHIFT @ affine, 1)
        assert (found.header["sform_code"], found.header["qform_code"]) == (2, 1)
        assert np.abs(found.get_qform() - affine).max() > 5
    status, result = predict(files, tmp_path)
    assert status == 0
    np.testing.assert_allclose(sitk.GetArrayFromImage(result), sitk.GetArrayFromImage(expected), atol=1e-4)
    warned = capsys.readouterr().err
    for name in ("T1", "FLAIR"):
        assert f"Warning: The sform (code 2) and the qform (code 1) of the {name} '{files[name]}' place it" in warned


def test_the_maps_sform_places_the_result(files, tmp_path):
    affine = nib.load(files["NAA"]).affine
    set_forms(files["NAA"], affine, 4, SHIFT @ affine, 1)
    _, expected = predict(files, tmp_path)
    found = nib.load(tmp_path / "result.nii.gz").affine
    # The centres of the first voxels of a map of an even matrix coincide.
    np.testing.assert_allclose(found[:3, 3], affine[:3, 3], atol=1e-3)
    assert expected.GetSize() == (64, 64, 2)


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0)])
def test_slices_along_another_axis_give_the_same_result(files, tmp_path, capsys, order):
    _, expected = predict(files, tmp_path)
    capsys.readouterr()
    sitk.WriteImage(sitk.PermuteAxes(sitk.ReadImage(str(files["NAA"])), order), str(files["NAA"]))
    status, result = predict(files, tmp_path)
    assert status == 0
    assert "axes were reordered, to 16 x 16 x 2 voxels" in capsys.readouterr().err
    np.testing.assert_allclose(sitk.GetArrayFromImage(result), sitk.GetArrayFromImage(expected), atol=1e-4)
    np.testing.assert_allclose(result.GetOrigin(), expected.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(result.GetDirection(), expected.GetDirection(), atol=1e-5)


@pytest.mark.parametrize("lost", [("T1",), ("NAA",), ("FLAIR", "T1"), ("NAA", "T1", "FLAIR")])
def test_images_of_which_nothing_tells_the_place_are_refused(files, tmp_path, capsys, lost):
    for name in lost:
        set_forms(files[name], None, 0, None, 0)
    status, result = predict(files, tmp_path)
    assert (status, result) == (2, None)
    error = capsys.readouterr().err
    assert error.startswith("Error: The header of the ")
    assert "gives no position in the patient (the codes of its sform and qform are 0)" in error


def test_labels_of_which_nothing_tells_the_place_are_refused(files, tmp_path, capsys):
    labels = sitk.ReadImage(str(files["T1"])) > 0
    sitk.WriteImage(labels, str(tmp_path / "labels.nii.gz"))
    set_forms(tmp_path / "labels.nii.gz", None, 0, None, 0)
    words = ["regions", "--maps", str(files["NAA"]), "--t1", str(files["T1"]), "--flair", str(files["FLAIR"])]
    words += ["--labels", str(tmp_path / "labels.nii.gz"), "--output", str(tmp_path / "table.csv"), "--device", "cpu"]
    assert main(words) == 2
    assert "labels.nii.gz' gives no position in the patient" in capsys.readouterr().err


def test_files_in_a_wrong_role_are_said(files, tmp_path, capsys):
    files["FLAIR"] = files["T1"]
    status, _ = predict(files | {"NAA": files["NAA"].rename(tmp_path / "tCho.nii.gz")}, tmp_path)
    assert status == 0
    warned = capsys.readouterr().err
    assert "Warning: 'tCho.nii.gz' was given as the map of NAA, but is named for a map of tCho" in warned
    assert "Warning: 'T1.nii.gz' was given as FLAIR, but is named for a T1" in warned
    assert "Warning: The T1 and the FLAIR are the same image" in warned


def test_a_t1_of_one_slice_and_one_that_hardly_covers_the_map_are_refused(files, tmp_path, capsys):
    t1 = sitk.ReadImage(str(files["T1"]))
    sitk.WriteImage(t1[:, :, 28:29], str(files["T1"]))
    assert predict(files, tmp_path)[0] == 2
    assert "The T1 has only one slice (64 x 76 x 1 voxels): give one of the whole head" in capsys.readouterr().err
    sitk.WriteImage(t1[:4, :20, :], str(files["T1"]))
    assert predict(files, tmp_path)[0] == 2
    assert "Error: The T1 " in capsys.readouterr().err
