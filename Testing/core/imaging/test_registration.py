"""Rigid registration: known motions come back, images that do not belong together are refused."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from inference_core.imaging.registration import RegistrationRefused, moved_by_header, register_rigid

ROLES = {"moving_role": "FLAIR", "fixed_role": "T1"}


def head(seed, spacing=4.0, size=46):
    """T1 and FLAIR of an egg-shaped head with blobs of tissue, by a seed."""
    rng = np.random.default_rng(seed)
    z, y, x = (np.indices((size,) * 3) - size / 2) * spacing
    inside = (x / 65) ** 2 + (y / 80) ** 2 + (z / 60) ** 2 < 1
    tissue = np.digitize(gaussian_filter(rng.standard_normal((size,) * 3), 2.0) * 14, [-1.0, 0.6])
    t1 = np.choose(tissue, [0.3, 0.6, 1.0]) * inside
    flair = np.choose(tissue, [0.1, 0.9, 0.7]) * inside
    return tuple(_image(array + 0.01 * rng.standard_normal(array.shape) * inside, spacing) for array in (t1, flair))


def _image(array, spacing):
    image = sitk.GetImageFromArray(array.astype(np.float32))
    image.SetSpacing((spacing,) * 3)
    image.SetOrigin([-spacing * (count - 1) / 2 for count in array.shape[::-1]])
    return image


def motion(translation, degrees):
    transform = sitk.Euler3DTransform()
    transform.SetTranslation(translation)
    transform.SetRotation(*np.deg2rad(degrees).tolist())
    return transform


def displaced(image, transform):
    """The image whose points lie where the transform takes them."""
    moved = sitk.Image(image)
    rotation = np.array(transform.GetMatrix()).reshape(3, 3)
    moved.SetOrigin(transform.TransformPoint(image.GetOrigin()))
    moved.SetDirection((rotation @ np.array(image.GetDirection()).reshape(3, 3)).ravel().tolist())
    return moved


def largest_error(found, true):
    """Millimetres between where two transforms take the head's outermost points."""
    points = [[sx * 60.0, sy * 75.0, sz * 55.0] for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)]
    return max(np.linalg.norm(np.subtract(found.TransformPoint(p), true.TransformPoint(p))) for p in points)


@pytest.mark.parametrize(
    ("translation", "degrees"), [((0, 0, 0), (0, 0, 0)), ((12, -9, 7), (8, -5, 10)), ((150, 30, -60), (3, 2, -4))]
)
def test_known_motions_come_back(translation, degrees):
    t1, flair = head(0)
    true = motion(translation, degrees)
    if np.linalg.norm(translation) > 100:
        with pytest.raises(RegistrationRefused, match="would have to move by 16"):
            register_rigid(displaced(flair, true), t1, **ROLES)
        return
    moved = displaced(flair, true)
    found = register_rigid(moved, t1, **ROLES)
    assert largest_error(found.transform, true) < 3.0
    assert found.metric_after > 0.1
    assert found.overlap > 0.95
    back = moved_by_header(moved, found)
    np.testing.assert_allclose(back.GetOrigin(), flair.GetOrigin(), atol=3.0)
    np.testing.assert_allclose(back.GetDirection(), flair.GetDirection(), atol=0.03)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(flair))


def test_the_same_images_give_the_same_transform():
    t1, flair = head(1)
    moved = displaced(flair, motion((5, 3, -4), (2, 4, -3)))
    first, second = (register_rigid(moved, t1, **ROLES).transform for _ in range(2))
    assert first.GetParameters() == second.GetParameters()


def test_images_that_fit_are_left_where_they_are():
    t1, _ = head(2)
    found = register_rigid(t1, t1, **ROLES)
    assert found.translation_mm == 0
    assert found.rotation_deg == 0


def test_another_patients_image_is_refused_with_what_a_picture_needs():
    (t1, _), (_, other) = head(0), head(5)
    with pytest.raises(RegistrationRefused, match="FLAIR can't be registered with the T1") as caught:
        register_rigid(other, t1, **ROLES)
    assert caught.value.registration is not None
    assert caught.value.fixed.GetSize() == t1.GetSize()


def test_empty_and_distant_images_are_refused():
    t1, flair = head(0)
    with pytest.raises(RegistrationRefused, match="one of them is empty"):
        register_rigid(flair * 0, t1, **ROLES)
    noise = sitk.GetImageFromArray(np.random.default_rng(0).random((20, 20, 20)).astype(np.float32))
    noise.SetOrigin((4000, 0, 0))
    with pytest.raises(RegistrationRefused):
        register_rigid(noise, t1, **ROLES)


def test_voxels_that_are_not_finite_do_no_harm():
    t1, flair = head(3)
    broken = sitk.GetArrayFromImage(flair)
    broken[:2] = np.nan
    image = sitk.GetImageFromArray(broken)
    image.CopyInformation(flair)
    found = register_rigid(displaced(image, motion((6, 2, 0), (0, 3, 0))), t1, **ROLES)
    assert largest_error(found.transform, motion((6, 2, 0), (0, 3, 0))) < 2.0
