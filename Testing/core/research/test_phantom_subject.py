"""Simulated patients made from a subject's own tissue maps."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.commands.cli import main
from inference_core.errors import InputError
from inference_core.research.data.simulated import SimulatedSlices
from inference_core.research.phantom import simulate_patient
from inference_core.research.phantom.subject import Subject

_SIDE = 150


def _write(path, array, spacing=1.0):
    image = sitk.GetImageFromArray(array.astype(np.float32))
    image.SetSpacing((spacing,) * 3)
    # Rows run to the front, as some scanners have it.
    image.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, 1))
    image.SetOrigin((-60.0, 90.0, -40.0))
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A ball of white matter in a shell of grey matter with CSF around, and a bright dot in the white matter."""
    folder = tmp_path_factory.mktemp("subject")
    z, y, x = np.indices((_SIDE,) * 3) - (_SIDE - 1) / 2
    radius = np.sqrt(x**2 + y**2 + z**2)
    white, grey, csf = radius < 48, (radius >= 48) & (radius < 58), (radius >= 58) & (radius < 64)
    t1 = 100.0 * white + 60 * grey + 20 * csf
    t1[(np.abs(z) < 30) & (np.abs(y - 20) < 4) & (np.abs(x) < 4)] = 150
    for name, array in (("t1", t1), ("white", white), ("grey", grey), ("csf", csf)):
        _write(folder / f"{name}.nii.gz", array)
    _write(folder / "percent.nii.gz", 100 * white)
    return folder


@pytest.fixture(scope="module")
def subject(folder):
    return Subject(*(folder / f"{name}.nii.gz" for name in ("t1", "grey", "white", "csf")))


def test_patients_have_the_subjects_tissue(subject):
    base = subject.templates()
    assert base.brain.sum() / 1000 == pytest.approx(4 / 3 * np.pi * 6.4**3, rel=0.03)
    assert base.wm.sum() / 1000 == pytest.approx(4 / 3 * np.pi * 4.8**3, rel=0.03)
    patient = simulate_patient(2, subject)
    low, high = patient.anatomy.bounds()
    centre = patient.anatomy.to_head(base.origin + np.array(base.brain.shape) / 2)
    tissue = patient.anatomy.tissue(centre[None] + [[0, 0, 0], [0, 53, 0]])
    assert tissue.wm[0] > 0.8
    assert tissue.gm[1] > 0.5
    assert np.all((high - low > 100) & (high - low < 190))


def test_what_the_image_shows_beyond_tissue_is_in_t1_and_at_its_place(subject):
    t1, flair = subject.templates().details
    assert not flair.any()
    # The dot lies to the front, where y grows in the templates and the file's rows run.
    x, y, _ = np.array(np.nonzero(t1 > 0.25)).mean(axis=1) - np.array(t1.shape) / 2
    assert abs(x) < 2
    assert y == pytest.approx(20, abs=2)
    assert np.abs(t1[subject.templates().wm > 0.99]).mean() < 0.05


def test_slices_differ_from_seed_to_seed_and_repeat(subject):
    first, again, other = (SimulatedSlices(seed, 1, subject).slices() for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.t1, again.t1)
    np.testing.assert_array_equal(first.acquired, again.acquired)
    assert not np.array_equal(first.t1, other.t1)
    assert first.valid.any()


def test_kept_slices_tell_where_they_came_from(subject, folder):
    own, template = SimulatedSlices(7, 1, subject), SimulatedSlices(7, 1)
    assert own.name != template.name
    assert own.origin() != template.origin()
    other = Subject(subject.t1, subject.grey, folder / "percent.nii.gz", subject.csf)
    assert SimulatedSlices(7, 1, other).origin() != own.origin()


def test_maps_in_percent_are_fractions_too(folder, subject):
    for name in ("grey", "csf"):
        image = sitk.ReadImage(str(folder / f"{name}.nii.gz"))
        sitk.WriteImage(image * 100, str(folder / f"{name}-percent.nii.gz"))
    percent = Subject(
        subject.t1, *(folder / name for name in ("grey-percent.nii.gz", "percent.nii.gz", "csf-percent.nii.gz"))
    )
    np.testing.assert_allclose(percent.templates().wm, subject.templates().wm, atol=1e-5)


def test_no_brain_or_another_space_is_refused(folder, subject, tmp_path):
    nothing = _write(tmp_path / "nothing.nii.gz", np.zeros((_SIDE,) * 3))
    with pytest.raises(InputError, match="grey matter is 0 everywhere"):
        Subject(subject.t1, nothing, subject.white, subject.csf).templates()
    with pytest.raises(InputError, match=r"does not cover the brain .* same space"):
        Subject(nothing, subject.grey, subject.white, subject.csf).templates()
    small = _write(tmp_path / "small.nii.gz", np.pad(np.ones((30,) * 3), 60))
    with pytest.raises(InputError, match="ml of brain: fractions"):
        Subject(subject.t1, small, small, small).templates()


def test_command_names_what_is_missing(folder, tmp_path, capsys):
    arguments = ["phantom", "--output", str(tmp_path / "study"), "--anatomy", str(folder / "t1.nii.gz")]
    assert main([*arguments, "--grey", str(folder / "grey.nii.gz")]) == 2
    assert "needs --white and --csf, too" in capsys.readouterr().err
    files = [f"--{name}={folder / name}.nii.gz" for name in ("grey", "white")]
    assert main([*arguments, *files, f"--csf={folder / 'missing.nii.gz'}"]) == 2
    assert "There is no file" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_command_writes_a_patient(folder, tmp_path):
    files = [f"--{name}={folder / name}.nii.gz" for name in ("grey", "white", "csf")]
    arguments = ["--patients", "1", "--slices", "1", "--n", "16", "--anatomy", str(folder / "t1.nii.gz"), *files]
    clinic = ["--point-spread", "1.5", "--noise-factor", "4"]
    assert main(["phantom", "--output", str(tmp_path / "study"), *arguments, *clinic]) == 0
    maps = tmp_path / "study" / "sub-0001" / "mrsi"
    assert list(maps.glob("*_res-n16_*NAA.nii.gz"))
    about = json.loads((maps / "sub-0001_res-high_desc-truth_NAA.json").read_text())
    assert "through a point spread of 1.5 voxels" in about["Description"]
