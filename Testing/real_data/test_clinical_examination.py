"""A clinical examination as it comes: 1.5 T, thick oblique slices, skull on, background 0, and the head moved between.

Looked at as pictures, too: checkerboards of T1 and FLAIR, the mask's outline on the T1, and a simulated map over both.
"""

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.imaging.brain_extraction import brain_mask
from inference_core.imaging.brain_mask import brain_mask_of_t1
from inference_core.imaging.registration import moved_by_header, register_rigid


@pytest.fixture(scope="module")
def images(clinical_examination):
    return {
        name: sitk.ReadImage(str(clinical_examination / f"{name}.nii.gz"), sitk.sitkFloat32) for name in ("t1", "flair")
    }


def test_a_head_whose_background_is_zero_is_no_stripped_brain(images):
    t1 = images["t1"]
    assert (sitk.GetArrayViewFromImage(t1) == 0).mean() > 0.5
    assert brain_mask_of_t1(t1) is None
    # Nor is a slab of it, which is no larger than a brain.
    assert brain_mask_of_t1(t1[:, :, 16:32]) is None


def test_the_brain_is_found_in_it(images):
    found = brain_mask(images["t1"])
    assert found.source.startswith("found in the T1")
    mask = sitk.GetArrayFromImage(found.image) > 0
    assert 1300 < mask.sum() * np.prod(found.image.GetSpacing()) / 1000 < 1800
    # The bright fat of the scalp is not in it.
    values = sitk.GetArrayFromImage(images["t1"])
    scalp = values > 2.5 * np.median(values[mask])
    assert (scalp & mask).sum() < 0.1 * scalp.sum()


def test_the_same_place_is_found_from_two_starts(images):
    """The headers put T1 and FLAIR 6.6 mm apart; another start, 4 mm further, ends in the same place."""
    t1, flair = images["t1"], images["flair"]
    start = sitk.Euler3DTransform()
    start.SetCenter(flair.TransformContinuousIndexToPhysicalPoint([count / 2 for count in flair.GetSize()]))
    start.SetRotation(0.0, 0.02, 0.05)
    start.SetTranslation((3.0, -2.0, 1.5))
    elsewhere = sitk.Image(flair)
    elsewhere.SetOrigin(start.TransformPoint(flair.GetOrigin()))
    rotation, axes = (np.array(one).reshape(3, 3) for one in (start.GetMatrix(), flair.GetDirection()))
    elsewhere.SetDirection((rotation @ axes).ravel().tolist())
    corners = [
        [float(i * (n - 1)) for i, n in zip(corner, flair.GetSize(), strict=True)] for corner in np.ndindex(2, 2, 2)
    ]
    places = []
    for image in (flair, elsewhere):
        found = register_rigid(image, t1, moving_role="FLAIR", fixed_role="T1", finest=2.0)
        assert found.metric_after > 1.5 * found.metric_before
        moved = moved_by_header(image, found)
        places.append([moved.TransformContinuousIndexToPhysicalPoint(corner) for corner in corners])
    assert np.linalg.norm(np.subtract(*places), axis=1).max() < 1.0
