"""Regions on the brain's other side, in heads that lie askew."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from inference_core import InputError
from inference_core.imaging.mirror import mirror_transform, mirrored

SIZE, VOXEL = 60, 3.0


def points():
    """Millimetres from the head's middle, `(z, y, x)`."""
    return (np.indices((SIZE,) * 3) - (SIZE - 1) / 2) * VOXEL


def image_of(array, shift, degrees):
    """An image of the head, tilted and shifted to one side."""
    image = sitk.GetImageFromArray(array.astype(np.float32))
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    image.SetSpacing((VOXEL,) * 3)
    image.SetDirection(turn.ravel().tolist())
    corner = turn @ np.full(3, -(SIZE - 1) / 2 * VOXEL)
    image.SetOrigin((corner + np.array([shift, 0, 0])).tolist())
    return image


def head():
    """Symmetric but for a tumour and noise."""
    z, y, x = points()
    rng = np.random.default_rng(0)
    tissue = gaussian_filter(rng.standard_normal((SIZE,) * 3), 2.0)
    tissue = tissue + tissue[..., ::-1]
    t1 = np.choose(np.digitize(tissue * 10, [-1.0, 0.7]), [0.3, 0.6, 1.0])
    t1 = np.where((x - 30) ** 2 + y**2 + z**2 < 12**2, 0.1, t1) + 0.02 * rng.standard_normal(t1.shape)
    return t1 * ((x / 62) ** 2 + (y / 78) ** 2 + (z / 60) ** 2 < 1)


@pytest.mark.parametrize(("shift", "degrees"), [(0.0, 0.0), (14.0, 8.0)])
def test_a_region_lands_on_the_other_side(shift, degrees):
    z, y, x = points()
    t1 = image_of(head(), shift, degrees)
    region = image_of((x - 30) ** 2 + (y + 10) ** 2 + (z - 6) ** 2 < 11**2, shift, degrees)
    counterpart = sitk.GetArrayFromImage(mirrored(region, mirror_transform(t1), t1)) > 0
    expected = (x + 30) ** 2 + (y + 10) ** 2 + (z - 6) ** 2 < 11**2
    overlap = 2 * (counterpart & expected).sum() / (counterpart.sum() + expected.sum())
    assert overlap > 0.8


def test_an_image_without_a_middle_is_refused():
    with pytest.raises(InputError, match="middle can't be found"):
        mirror_transform(image_of(np.zeros((20, 20, 20)), 0.0, 0.0))
