"""Holes of a mask are filled as a search for connected components fills them."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.imaging.hole_filling import fill_holes


def _reference(mask):
    return sitk.GetArrayFromImage(sitk.BinaryFillhole(sitk.GetImageFromArray(mask.astype(np.uint8)))).astype(bool)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.75, 0.9])
def test_random_masks_are_filled_as_by_connected_components(share):
    rng = np.random.default_rng(int(100 * share))
    for size in ((9, 12, 7), (1, 8, 8), (20, 20, 20)):
        mask = rng.random(size) < share
        np.testing.assert_array_equal(fill_holes(mask), _reference(mask))


def test_a_cavity_behind_a_winding_passage_is_no_hole():
    mask = np.zeros((24, 24, 24), dtype=bool)
    mask[2:22, 2:22, 2:22] = True
    mask[10:14, 10:14, 10:14] = False
    assert fill_holes(mask)[2:22, 2:22, 2:22].all()
    for step in (np.s_[12, 12, 13:18], np.s_[12, 12:18, 17], np.s_[12:24, 17, 17]):
        mask[step] = False
    np.testing.assert_array_equal(fill_holes(mask), mask)


def test_an_empty_mask_stays_empty():
    assert not fill_holes(np.zeros((3, 4, 5), dtype=bool)).any()
