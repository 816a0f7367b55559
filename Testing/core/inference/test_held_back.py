"""Holding back the outer part of a map's measured k-space."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from held_back_patients import fine_images, prepared_of

from inference_core.imaging.geometry import low_resolution_image, super_resolved_grid
from inference_core.inference.held_back import (
    LEAST_MATCHED,
    held_back_problem,
    held_back_region,
    hold_back,
    in_image,
    kept_matrix,
    telling_slices,
    with_less_kspace,
)
from inference_core.networks import kspace


def test_two_thirds_are_kept_and_an_even_number():
    kept = {12: 8, 13: 8, 14: 10, 16: 10, 24: 16, 32: 22, 42: 28}
    assert {n: kept_matrix(n, n)[0] for n in kept} == kept
    assert kept_matrix(24, 18) == (16, 12)


def test_something_is_held_back_along_each_axis_of_every_matrix():
    for n in range(LEAST_MATCHED, 65):
        region = held_back_region((n, n), kept_matrix(n, n))
        assert region[32].any(), n
        assert region[:, 32].any(), n


@pytest.mark.parametrize("matrix", [(16, 16), (15, 15), (24, 18), (13, 21)])
def test_the_region_holds_each_coefficient_with_its_conjugate_and_none_that_is_kept(matrix):
    kept = kept_matrix(*matrix)
    region = held_back_region(matrix, kept)
    mirrored = np.roll(np.flip(region), 1, (0, 1))
    np.testing.assert_array_equal(region, mirrored)
    measured = kspace.pad(torch.ones(matrix), (64, 64)).numpy() > 0
    left = kspace.pad(torch.ones(kept), (64, 64)).numpy() > 0
    assert not region[~measured].any()
    assert not region[left].any()
    # What is missing of the measured k-space is only what has no conjugate there, or has it among the kept.
    missing = measured & ~left & ~region
    assert missing.sum() <= sum(matrix) + sum(kept)


@pytest.mark.parametrize("n", [15, 16, 24])
def test_a_cut_map_is_what_a_scanner_would_have_measured(n):
    images, brain = fine_images()
    prepared = prepared_of(images, brain, n)
    cut = with_less_kspace(prepared, (10, 10))
    expected = kspace.low_resolution(torch.from_numpy(images), (10, 10)).numpy()
    # Of even maps the highest frequency is complex, and the magnitude was taken of it.
    inside = slice(2, -2)
    np.testing.assert_allclose(cut.low_resolution[:, inside, inside], expected[:, inside, inside], rtol=0.02)
    assert cut.n == 10


@pytest.mark.parametrize("size", [(24, 24), (15, 15), (20, 16)])
def test_a_cut_map_stays_in_its_place(size, orientation):
    image = sitk.Image(*size, 3, sitk.sitkFloat32)
    image.SetSpacing((7.0, 7.0 * size[0] / size[1], 9.0))
    image.SetOrigin((11.0, -22.0, 33.0))
    image.SetDirection(np.asarray(orientation).ravel().tolist())
    grid = super_resolved_grid(image)
    images, brain = fine_images(3)
    prepared = prepared_of(images, brain, 16)
    prepared = type(prepared)(
        **{**vars(prepared), "grid": grid, "low_resolution": np.ones((3, *size[::-1]), np.float32)}
    )
    cut = with_less_kspace(prepared, kept_matrix(*size[::-1]))
    again = super_resolved_grid(low_resolution_image(cut.low_resolution, cut.grid))
    np.testing.assert_allclose(again.origin, grid.origin, atol=1e-6)
    np.testing.assert_allclose(again.spacing, grid.spacing, rtol=1e-6)
    assert cut.grid.origin == grid.origin


def test_the_detail_is_that_of_the_fine_image():
    images, brain = fine_images()
    held_back = hold_back(prepared_of(images, brain, 24))
    np.testing.assert_allclose(held_back.detail, in_image(images, held_back.region), atol=0.02)
    assert held_back.kept == (16, 16)
    assert held_back.prepared.n == 16


def test_holes_inside_a_map_are_no_detail():
    images, brain = fine_images()
    prepared = prepared_of(np.full_like(images, 7.0), brain, 24)
    holed = prepared.low_resolution.copy()
    holed[:, 12, 10:13] = 0
    filled = hold_back(type(prepared)(**{**vars(prepared), "low_resolution": holed}))
    assert np.abs(filled.detail).max() < 1e-4


def test_coarse_and_empty_maps_say_why_they_can_not_be_checked():
    images, brain = fine_images()
    assert held_back_problem(prepared_of(images, brain, 12)) is None
    assert "n = 11" in held_back_problem(prepared_of(images, brain, 11))
    assert held_back_problem(prepared_of(images, brain, 11), LEAST_MATCHED) is None
    assert "no slice" in held_back_problem(prepared_of(images, np.zeros_like(brain), 16))


def test_slices_are_spread_evenly_over_those_that_show_the_brain():
    images, brain = fine_images(10)
    brain = brain.copy()
    brain[:2] = False
    prepared = prepared_of(images, brain, 16)
    assert telling_slices(prepared) == list(range(2, 10))
    assert telling_slices(prepared, 3) == [2, 6, 9] or telling_slices(prepared, 3) == [2, 5, 9]
