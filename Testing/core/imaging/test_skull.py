"""A T1 whose background is 0 may still show the skull: scanners, too, set it to 0."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.imaging.brain_mask import brain_mask_of_t1

CENTRE = np.array([12.0, -25.0, 40.0])


def head(world, layers, noise=0.05):
    """Concentric layers `(thickness, intensity)` from the surface inwards, the rest white matter; 0 outside."""
    radius = np.linalg.norm((world - CENTRE) / np.array([0.95, 1.1, 0.95]), axis=-1)
    depth = 82 - radius
    values = np.full(depth.shape, 100.0)
    for thickness, intensity in reversed(
        list(zip(np.cumsum([t for t, _ in layers]), [i for _, i in layers], strict=True))
    ):
        values[depth < thickness] = intensity
    values *= 1 + noise * np.random.default_rng(0).normal(size=values.shape)
    return np.where(depth > 0, values, 0)


#: Scalp, skull, CSF and cortex of a head; of one whose fat is suppressed; and what stripping leaves, tightly or not.
HEAD = [(6.0, 180.0), (7.0, 12.0), (3.0, 25.0), (4.0, 65.0)]
WITHOUT_FAT = [(6.0, 25.0), (7.0, 12.0), (3.0, 25.0), (4.0, 65.0)]
TIGHT = [(4.0, 65.0)]
ATROPHY = [(7.0, 25.0), (4.0, 65.0)]
#: Brighter towards the coil.
UNEVEN = [(3.0, 70.0), (5.0, 128.0), (5.0, 124.0), (5.0, 118.0), (5.0, 112.0)]


@pytest.mark.parametrize("slab", [False, True])
@pytest.mark.parametrize(
    ("layers", "stripped"), [(HEAD, False), (WITHOUT_FAT, False), (TIGHT, True), (ATROPHY, True), (UNEVEN, True)]
)
def test_a_head_is_told_from_a_brain(sample, layers, stripped, slab):
    size = (110, 110, 30 if slab else 100)
    t1 = sample(lambda world: head(world, layers), size, (2.0, 2.2, 1.9))
    mask = brain_mask_of_t1(t1)
    assert (mask is not None) == stripped
    if stripped:
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(t1) > 0)
