"""Subjects' files found by their names, and tissue told from labels or a T1."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.reading import read_image
from inference_core.research.phantom import simulate_patient
from inference_core.research.phantom.subject import Subject
from inference_core.research.phantom.subject_folder import subject_in, subjects_in
from inference_core.research.phantom.tissue import fractions_of_labels, fractions_of_t1

_SIDE = 150
#: Of the ball below, mm.
_WHITE, _GREY, _CSF = 46, 56, 62


def _write(path, array):
    image = sitk.GetImageFromArray(array)
    image.SetOrigin((-75.0, -75.0, -75.0))
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture(scope="module")
def ball(tmp_path_factory):
    """White matter in a shell of grey matter with CSF around, under a smooth bias; and its labels, with a scalp."""
    folder = tmp_path_factory.mktemp("ball")
    z, y, x = np.indices((_SIDE,) * 3) - (_SIDE - 1) / 2
    radius = np.sqrt(x**2 + y**2 + z**2)
    labels = np.select([radius < _WHITE, radius < _GREY, radius < _CSF, radius < 70], [2, 1003, 24, 515], 0)
    t1 = np.select([radius < _WHITE, radius < _GREY, radius < _CSF], [100.0, 65.0, 20.0], 0.0) * np.exp(x / 400)
    t1 += (t1 > 0) * np.random.default_rng(0).normal(0, 2, t1.shape)
    _write(folder / "t1.nii.gz", np.maximum(t1, 0).astype(np.float32))
    _write(folder / "labels.nii.gz", labels.astype(np.int16))
    return folder


def _link(folder, source, *names):
    folder.mkdir()
    for name in names:
        (folder / f"{name}.nii.gz").symlink_to(source / f"{name}.nii.gz")
    return folder


def _volume(radius):
    return 4 / 3 * np.pi * (radius / 10) ** 3


def _millilitres(image):
    return sitk.GetArrayViewFromImage(image).sum() * np.prod(image.GetSpacing()) / 1000


def test_a_subjects_files_are_found_by_their_names(tmp_path):
    names = ["t1_brain", "t1_tissue_0", "t1_tissue_1", "t1_tissue_2", "t2_brain", "t1", "lesion"]
    for name in names:
        (tmp_path / f"{name}.nii.gz").touch()
    (tmp_path / "LICENSE.txt").touch()
    subject = subject_in(tmp_path)
    assert [path.name for path in (subject.t1, subject.csf, subject.grey, subject.white, subject.flair)] == [
        "t1_brain.nii.gz", "t1_tissue_0.nii.gz", "t1_tissue_1.nii.gz", "t1_tissue_2.nii.gz", "t2_brain.nii.gz",
    ]  # fmt: skip
    (tmp_path / "sub-1_GM_probseg.nii.gz").touch()
    with pytest.raises(InputError, match="could both be the grey"):
        subject_in(tmp_path)


def test_a_folder_may_hold_subjects(ball, tmp_path):
    _link(tmp_path / "b", ball, "labels")
    _link(tmp_path / "a", ball, "t1", "labels")
    (tmp_path / "c").mkdir()
    found = subjects_in(tmp_path)
    assert [subject.name for subject in found] == ["a", "b"]
    assert [bool(subject.t1) for subject in found] == [True, False]
    assert len({subject.fingerprint for subject in found}) == 2
    assert subjects_in(tmp_path / "b") == [found[1]]
    with pytest.raises(InputError, match="hold no subject"):
        subjects_in(tmp_path / "c")
    with pytest.raises(InputError, match="There is no folder"):
        subjects_in(tmp_path / "d")


def test_a_t1_alone_must_be_stripped_and_fractions_without_the_others_are_told_of(ball, tmp_path):
    folder = _link(tmp_path / "one", ball, "t1")
    assert subject_in(folder) == Subject(folder / "t1.nii.gz")
    (folder / "gm_prob.nii.gz").symlink_to(ball / "t1.nii.gz")
    with pytest.warns(InputWarning, match="no file that is white or csf"):
        subject_in(folder)
    whole = np.full((60, 60, 60), 50, np.float32) + np.random.default_rng(0).normal(0, 5, (60, 60, 60))
    (tmp_path / "whole").mkdir()
    _write(tmp_path / "whole" / "t1.nii.gz", whole.astype(np.float32))
    with pytest.raises(InputError, match="must be skull-stripped"):
        subject_in(tmp_path / "whole")


def test_labels_give_tissue_without_the_scalp(ball):
    csf, grey, white = fractions_of_labels(read_image(ball / "labels.nii.gz", "labels"))
    assert _millilitres(white) == pytest.approx(_volume(_WHITE), rel=0.01)
    assert _millilitres(grey) == pytest.approx(_volume(_GREY) - _volume(_WHITE), rel=0.01)
    assert _millilitres(csf) == pytest.approx(_volume(_CSF) - _volume(_GREY), rel=0.01)
    at_edge = sitk.GetArrayViewFromImage(white)[75, 75, 75 + _WHITE - 1 : 75 + _WHITE + 1]
    assert np.all((at_edge > 0.1) & (at_edge < 0.9))


def test_labels_of_something_else_are_refused(tmp_path):
    path = _write(tmp_path / "labels.nii.gz", np.full((60, 60, 60), 900, np.int16))
    with pytest.raises(InputError, match="none of FreeSurfer's labels of grey matter"):
        fractions_of_labels(read_image(path, "labels"))


def test_a_t1_gives_tissue_despite_its_bias(ball):
    t1 = read_image(ball / "t1.nii.gz", "T1")
    csf, grey, white = fractions_of_t1(t1)
    assert _millilitres(white) == pytest.approx(_volume(_WHITE), rel=0.03)
    assert _millilitres(grey) == pytest.approx(_volume(_GREY) - _volume(_WHITE), rel=0.06)
    total = sum(sitk.GetArrayViewFromImage(part) for part in (csf, grey, white))
    np.testing.assert_allclose(total, sitk.GetArrayViewFromImage(t1) > 0, atol=1e-5)
    lesions = sitk.Image(t1.GetSize(), sitk.sitkUInt8)
    lesions.CopyInformation(t1)
    at = 75 + _WHITE + 5, 75, 75
    lesions[at] = 1
    assert fractions_of_t1(t1)[1][at] > 0.8
    assert fractions_of_t1(t1, lesions)[2][at] == 1
    with pytest.raises(InputError, match="different grids"):
        fractions_of_t1(t1, lesions[1:, :, :])


def test_patients_are_made_from_labels_alone(ball):
    subject = Subject(None, labels=ball / "labels.nii.gz")
    base = subject.templates()
    assert base.wm.sum() / 1000 == pytest.approx(_volume(_WHITE), rel=0.02)
    assert not any(detail.any() for detail in base.details)
    stack = simulate_patient(3, subject).slices(1)
    assert stack.t1.max() == 1
    assert stack.mask.any()
