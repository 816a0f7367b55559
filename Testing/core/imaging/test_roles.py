"""Images that are probably not what they were given for."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.errors import InputWarning
from inference_core.imaging.roles import check_contents, check_names, content_problems, name_problems


def test_ordinary_images_are_in_their_roles(patient, recwarn):
    low_resolution, t1, flair = patient()
    check_contents({"map": low_resolution, "T1": t1, "FLAIR": flair})
    check_contents({"map": sitk.Cast(low_resolution * 1000, sitk.sitkInt16), "T1": sitk.Cast(t1, sitk.sitkInt16)})
    assert not recwarn.list


def test_one_image_in_two_roles_is_said(patient):
    low_resolution, t1, _ = patient()
    with pytest.warns(InputWarning, match="The T1 and the FLAIR are the same image: check that each is what it was"):
        check_contents({"map": low_resolution, "T1": t1, "FLAIR": sitk.Cast(t1, sitk.sitkFloat64)})
    assert content_problems({"map": t1, "T1": t1}) == [
        "The map and the T1 are the same image: check that each is what it was given for."
    ]
    # In another place it is another image.
    moved = sitk.Image(t1)
    moved.SetOrigin((0.0, 0.0, 0.0))
    assert not content_problems({"T1": t1, "FLAIR": moved})


@pytest.mark.parametrize("levels", [[0, 1], [0, 0.7], [0, 1, 2, 3], [0, 1, 4, 255]])
@pytest.mark.parametrize("role", ["map", "T1", "FLAIR"])
def test_masks_and_labels_are_said(patient, replace_array, levels, role):
    image = patient()[0]
    inside = sitk.GetArrayFromImage(image) > 0
    labels = np.random.default_rng(0).choice(levels[1:], inside.shape) * inside
    problem = f"The {role} holds only a few different values, as masks and labels do: check that it is the right image."
    assert content_problems({role: replace_array(image, labels.astype(np.float32))}) == [problem]


def test_names_that_say_something_else_are_said():
    assert not name_problems({"NAA": "sub-01_NAA.nii.gz", "T1": "sub-01_T1w.nii.gz", "FLAIR": "FLAIR_to_T1.nii.gz"})
    assert not name_problems({"NAA": "map1.nii.gz", "T1": "brain.nii.gz", "FLAIR": "T2.nii.gz"})
    for role, name, what in (
        ("NAA", "tCho.nii.gz", "as the map of NAA, but is named for a map of tCho"),
        ("NAA", "T1w.nii.gz", "as the map of NAA, but is named for a T1"),
        ("T1", "FLAIR.nii", "as T1, but is named for a FLAIR"),
        ("FLAIR", "sub-1_T1w.nii", "as FLAIR, but is named for a T1"),
        ("FLAIR", "GPC+PCh.nii", "as FLAIR, but is named for a map of tCho"),
    ):
        assert name_problems({role: name}) == [f"'{name}' was given {what}: check that it is the right image."]
        with pytest.warns(InputWarning, match="check that it is the right image"):
            check_names({role: name})
