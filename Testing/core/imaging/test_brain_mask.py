"""The brain in a T1: given, stripped already, or found."""

import sys

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import distance_transform_edt, gaussian_filter

from inference_core import InputError
from inference_core.imaging.brain_extraction import brain_mask


def brain(spacing=2.0, size=(88, 104, 88)):
    """A T1 of an egg-shaped brain of 1.2 litres, stripped."""
    rng = np.random.default_rng(0)
    z, y, x = ((np.indices(size).T - np.array(size) / 2) * spacing).T
    inside = (x / 62) ** 2 + (y / 76) ** 2 + (z / 60) ** 2 < 1
    tissue = 0.7 + 0.3 * (gaussian_filter(rng.standard_normal(size), 2) > 0)
    image = sitk.GetImageFromArray((tissue * inside).astype(np.float32))
    image.SetSpacing((spacing,) * 3)
    image.SetOrigin((-30.0, 12.0, 5.0))
    return image


def with_skull(image):
    """The same head with CSF, skull and scalp around it, and noise."""
    array, spacing = sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]
    depth = distance_transform_edt(array == 0, sampling=spacing)
    layers = np.select([depth == 0, depth <= 3, depth <= 7, depth <= 13], [array, 0.15, 0.08, 1.2], 0)
    noisy = gaussian_filter(layers, 0.5) + 0.03 * np.abs(np.random.default_rng(1).standard_normal(array.shape))
    head = sitk.GetImageFromArray(noisy.astype(np.float32))
    head.CopyInformation(image)
    return head


def dice(first, second):
    first, second = (sitk.GetArrayFromImage(image) > 0 for image in (first, second))
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def test_a_stripped_t1_is_its_own_mask():
    found = brain_mask(brain())
    assert dice(found.image, brain()) > 0.999
    assert "without its skull" in found.source


def test_a_mask_given_comes_onto_the_t1s_grid():
    t1 = brain()
    given = sitk.Resample(
        sitk.Cast(t1 > 0, sitk.sitkUInt8), [60, 70, 60], sitk.Transform(), sitk.sitkNearestNeighbor, t1.GetOrigin(),
        [3.0, 3.0, 3.0], t1.GetDirection(), 0,
    )  # fmt: skip
    found = brain_mask(with_skull(t1), given)
    assert found.image.GetSize() == t1.GetSize()
    assert dice(found.image, t1) > 0.95
    assert found.source == "given"


def test_masks_that_are_no_brains_are_refused():
    t1 = brain()
    elsewhere = t1 > 0
    elsewhere.SetOrigin((1000.0, 0.0, 0.0))
    for given, sentence in (
        (t1 * 0, "does not overlap"),
        (elsewhere, "does not overlap"),
        (t1 * 0 + 1, "which no brain"),
    ):
        with pytest.raises(InputError, match=sentence):
            brain_mask(t1, given)


def test_a_brain_within_its_skull_is_found():
    pytest.importorskip("brainextractor")
    t1 = brain()
    found = brain_mask(with_skull(t1))
    assert dice(found.image, t1) > 0.93
    assert "BET" in found.source


def test_without_the_package_the_user_learns_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "brainextractor", None)
    with pytest.raises(InputError, match="pip install brainextractor"):
        brain_mask(with_skull(brain()))
