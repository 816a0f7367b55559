"""Known rigid motions of a real glioma patient's FLAIR (TCGA-DU-7294) come back; other people's images are refused."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.imaging.registration import RegistrationRefused, moved_by_header, register_rigid

ROLES = {"moving_role": "FLAIR", "fixed_role": "T1"}


@pytest.fixture(scope="module")
def brain_points(glioma_patient):
    """Points all over the brain, mm."""
    t1 = glioma_patient["t1"]
    indices = np.argwhere(sitk.GetArrayViewFromImage(t1) > 0)[::5003, ::-1]
    return [t1.TransformIndexToPhysicalPoint([int(i) for i in index]) for index in indices]


def random_motion(seed, centre):
    """Up to 20 mm and 15 degrees, about the brain's centre."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(2, 3))
    shift, axis = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    transform = sitk.Euler3DTransform()
    transform.SetCenter(centre)
    transform.SetTranslation((shift * rng.uniform(5, 20)).tolist())
    transform.SetRotation(*(axis * np.deg2rad(rng.uniform(5, 15))).tolist())
    return transform


@pytest.mark.parametrize("seed", [0])
def test_known_motions_of_a_real_flair_come_back(glioma_patient, brain_points, seed):
    t1, flair = glioma_patient["t1"], glioma_patient["flair"]
    true = random_motion(seed, np.mean(brain_points, axis=0).tolist())
    rotation = np.array(true.GetMatrix()).reshape(3, 3)
    moved = sitk.Image(flair)
    moved.SetOrigin(true.TransformPoint(flair.GetOrigin()))
    moved.SetDirection((rotation @ np.array(flair.GetDirection()).reshape(3, 3)).ravel().tolist())
    found = register_rigid(moved, t1, **ROLES)
    errors = [
        np.linalg.norm(np.subtract(found.transform.TransformPoint(p), true.TransformPoint(p))) for p in brain_points
    ]
    relative = rotation.T @ np.array(found.transform.GetMatrix()).reshape(3, 3)
    degrees = np.rad2deg(np.arccos(np.clip((np.trace(relative) - 1) / 2, -1, 1)))
    print(f"motion {seed}: error mean {np.mean(errors):.3f} mm, largest {np.max(errors):.3f} mm, {degrees:.3f} degrees")
    assert np.max(errors) < 0.5
    assert degrees < 0.5
    back = moved_by_header(moved, found)
    np.testing.assert_allclose(back.GetOrigin(), flair.GetOrigin(), atol=0.5)


def test_another_persons_flair_is_refused(glioma_patient, examination):
    other = sitk.ReadImage(str(examination / "t1_brain.nii.gz"), sitk.sitkFloat32)
    flair = sitk.Cast(glioma_patient["flair"], sitk.sitkFloat32)
    # Centre on centre, so that nothing but their contents tells.
    shift = sitk.CenteredTransformInitializer(other, flair, sitk.Euler3DTransform()).GetParameters()[3:]
    flair.SetOrigin(np.subtract(flair.GetOrigin(), shift).tolist())
    with pytest.raises(RegistrationRefused, match="nearly nothing in common"):
        register_rigid(flair, other, **ROLES)
