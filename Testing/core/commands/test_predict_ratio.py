"""`mrsi-superres predict` with a ratio in the place of a metabolite."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.commands.cli import main
from inference_core.networks.weights_io import DEFAULT_WEIGHTS

MAPS = ("tCho", "NAA")


@pytest.fixture
def files(patient, tmp_path):
    """Two maps of one slice, T1 and FLAIR."""
    low_resolution, t1, flair = patient(size=(16, 16, 1))
    # More on one side than on the other.
    slope = sitk.GetImageFromArray(np.tile(np.linspace(0.4, 1, 16, dtype=np.float32), (1, 16, 1)))
    slope.CopyInformation(low_resolution)
    images = {"tCho": low_resolution, "NAA": low_resolution * slope, "T1": t1, "FLAIR": flair}
    for name, image in images.items():
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    return tmp_path


def predict(files, *more, metabolite="tCho/NAA", maps=MAPS):
    paths = [str(files / f"{name}.nii.gz") for name in maps]
    mri = ["--t1", str(files / "T1.nii.gz"), "--flair", str(files / "FLAIR.nii.gz"), "--device", "cpu"]
    output = ["--output", str(files / "ratio.nii.gz")]
    return main(["predict", "--map", *paths, "--metabolite", metabolite, *mri, *output, *map(str, more)])


def read(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_a_ratio_is_that_of_the_super_resolved_maps(files, capsys):
    assert predict(files, "--uncertainty", files / "error.nii.gz") == 0
    assert "tCho/NAA, n = 16" in capsys.readouterr().out
    ratio, error = read(files / "ratio.nii.gz"), read(files / "error.nii.gz")
    for name in MAPS:
        assert predict(files, metabolite=name, maps=(name,)) == 0
        (files / "ratio.nii.gz").rename(files / f"high_{name}.nii.gz")
    above, below = (read(files / f"high_{name}.nii.gz") for name in MAPS)
    mask = ratio > 0
    assert mask.sum() > 100
    np.testing.assert_allclose(ratio[mask], (above / np.where(mask, below, 1))[mask], rtol=1e-4)
    assert ((error > 0) == mask).all()
    sidecar = json.loads((files / "error.json").read_text())
    assert (sidecar["Metabolite"], sidecar["Denominator"], sidecar["Units"]) == ("tCho/NAA", ["NAA"], "none")
    assert "not above 0 by more than its uncertainty" in sidecar["Masked"]


def write_labels(files, columns):
    """A label image of the brain in some of the map's columns."""
    labels = sitk.Cast(sitk.ReadImage(str(files / "tCho.nii.gz")) > 0, sitk.sitkUInt8)
    array = sitk.GetArrayFromImage(labels)
    kept = np.zeros_like(array)
    kept[..., columns] = array[..., columns]
    image = sitk.GetImageFromArray(kept)
    image.CopyInformation(labels)
    sitk.WriteImage(image, str(files / "labels.nii.gz"))
    return files / "labels.nii.gz"


def test_multiples_of_the_median_in_the_brain_a_region_or_the_other_side(files):
    assert predict(files) == 0
    plain = read(files / "ratio.nii.gz")
    assert predict(files, "--reference", "brain") == 0
    found, sidecar = read(files / "ratio.nii.gz"), json.loads((files / "ratio.json").read_text())
    np.testing.assert_allclose(found * sidecar["ReferenceValue"], plain, rtol=1e-5)
    # The level is that of the brain, before the uncertainty masks some of it.
    assert np.median(found[found > 0]) == pytest.approx(1, rel=0.01)

    def level(columns, *mirror):
        assert predict(files, "--reference", write_labels(files, columns), *mirror) == 0
        about = json.loads((files / "ratio.json").read_text())
        assert ("other side" in about["Reference"]) == bool(mirror)
        assert about["Sources"]["reference"] == str(files / "labels.nii.gz")
        return about["ReferenceValue"]

    one, other = level(slice(3, 7)), level(slice(9, 13))
    assert one > 1.2 * other
    assert level(slice(3, 7), "--mirror") == pytest.approx(other, rel=0.03)


def test_a_map_may_tell_its_metabolite(files, capsys):
    (files / "tCho.nii.gz").rename(files / "first.nii.gz")
    named = f"tCho={files / 'first.nii.gz'}"
    words = ["--t1", str(files / "T1.nii.gz"), "--flair", str(files / "FLAIR.nii.gz"), "--device", "cpu"]
    words += ["--output", str(files / "result.nii.gz")]
    assert main(["predict", "--map", named, "--metabolite", "GPC+PCh", *words]) == 0
    assert "tCho, n = 16" in capsys.readouterr().out
    assert main(["predict", "--map", named, "--metabolite", "NAA", *words]) == 2
    assert "--map is of tCho, --metabolite is NAA" in capsys.readouterr().err


def test_a_ratio_without_meaning_anywhere_is_refused(files, capsys, monkeypatch):
    monkeypatch.setattr("inference_core.terms.ratios._LEAST_UNCERTAINTIES", 1e6)
    assert predict(files) == 2
    assert "NAA is zero throughout the brain" in capsys.readouterr().err
    assert not (files / "ratio.nii.gz").exists()


def test_a_reference_without_values_is_refused(files, capsys):
    labels = sitk.ReadImage(str(files / "tCho.nii.gz")) * 0
    labels[0, 0, 0] = 1
    sitk.WriteImage(sitk.Cast(labels, sitk.sitkUInt8), str(files / "labels.nii.gz"))
    assert predict(files, "--reference", files / "labels.nii.gz") == 2
    assert "reference region holds no value of the ratio" in capsys.readouterr().err


def test_weights_without_calibration_mask_by_size_and_say_so(files, capsys):
    own = files / "own.safetensors"
    own.write_bytes(DEFAULT_WEIGHTS.read_bytes())
    assert predict(files, "--weights", own) == 0
    assert "judged by its size alone" in capsys.readouterr().err
    assert "tenth of its median" in json.loads((files / "ratio.json").read_text())["Masked"]
    assert predict(files, "--weights", own, "--uncertainty", files / "error.nii.gz") == 2


@pytest.mark.parametrize(
    ("options", "changed", "sentence"),
    [
        ((), {"maps": ("tCho",)}, "needs a map of NAA"),
        ((), {"metabolite": "tCho/tCho"}, "is one everywhere"),
        ((), {"metabolite": "tCho"}, "--map names 2 maps"),
        (("--reference", "brain"), {"metabolite": "tCho", "maps": ("tCho",)}, "A reference is for ratios"),
        (("--mirror",), {}, "name a label image as the reference"),
        (("--reference", "missing.nii.gz"), {}, "does not exist"),
        (("--uncertainty", "ratio.nrrd"), {}, "have one name"),
    ],
)
def test_what_is_unusable_ends_in_one_sentence(files, capsys, monkeypatch, options, changed, sentence):
    monkeypatch.chdir(files)
    assert predict(files, *options, **changed) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error")]
    assert len(error) == 1
    assert sentence in error[0]
    assert not (files / "ratio.nii.gz").exists()


def test_maps_on_other_grids_are_refused(files, capsys):
    image = sitk.ReadImage(str(files / "NAA.nii.gz"))
    image.SetOrigin([value + 5 for value in image.GetOrigin()])
    sitk.WriteImage(image, str(files / "NAA.nii.gz"))
    assert predict(files) == 2
    assert "not on one grid" in capsys.readouterr().err


def test_maps_of_different_patients_are_refused(files, capsys):
    for subject, name in (("sub-01", "tCho"), ("sub-02", "NAA")):
        (files / f"{name}.nii.gz").rename(files / f"{subject}_{name}.nii.gz")
    assert predict(files, maps=("sub-01_tCho", "sub-02_NAA")) == 2
    assert "are named for different patients" in capsys.readouterr().err


def test_a_reference_of_another_patient_is_refused(files, capsys):
    for name in MAPS:
        (files / f"{name}.nii.gz").rename(files / f"sub-01_{name}.nii.gz")
    maps = [f"sub-01_{name}" for name in MAPS]
    assert predict(files, "--reference", files / "sub-02_dseg.nii.gz", maps=maps) == 2
    assert "are named for different patients" in capsys.readouterr().err
