import numpy as np
import pytest
import SimpleITK as sitk
import torch

from inference_core.errors import InputError
from inference_core.imaging.brain_mask import (
    brain_mask_of_t1,
    coverage,
    low_resolution_brain,
    super_resolved_brain,
)
from inference_core.imaging.geometry import (
    low_resolution_image,
    mri_slabs,
    padded_array,
    super_resolved_grid,
    super_resolved_image,
)
from inference_core.networks import kspace

CENTRE = np.array([12.0, -25.0, 40.0])
LANDMARK = CENTRE + np.array([9.0, -6.5, 4.0])

#: (columns, rows, slices) and spacing: square, odd, non-square, anisotropic, and extents that are no whole multiples.
MATRICES = {
    "even": ((16, 16, 12), (12.0, 12.0, 9.0)),
    "odd": ((17, 17, 12), (11.0, 11.0, 9.0)),
    "non_square": ((20, 14, 12), (10.0, 10.0, 9.0)),
    "odd_padding": ((15, 20, 12), (10.0, 10.0, 9.0)),
    "anisotropic": ((20, 20, 12), (9.0, 11.0, 9.0)),
    "no_whole_multiple": ((17, 13, 12), (10.0, 12.0, 9.0)),
}


@pytest.fixture(params=MATRICES)
def matrix(request):
    return MATRICES[request.param]


def gaussian(sigma):
    return lambda world: np.exp(-(((world - LANDMARK) / sigma) ** 2).sum(axis=-1) / 2)


def in_voxels(offset, grid):
    """A world offset along the super-resolved grid's axes, in its voxels."""
    return np.array(grid.direction).reshape(3, 3).T @ offset / np.array(grid.spacing)


def slabs_image(slabs, grid):
    """T1 or FLAIR slabs as an image, by the documented rule: voxel 3i + 1 is super-resolved voxel i's centre."""
    image = sitk.GetImageFromArray(np.moveaxis(slabs, -1, 1).reshape(-1, 192, 192))
    spacing = np.array(grid.spacing) / 3
    image.SetSpacing(spacing.tolist())
    image.SetDirection(grid.direction)
    image.SetOrigin((np.array(grid.origin) - np.array(grid.direction).reshape(3, 3) @ spacing).tolist())
    return image


def test_landmark_of_the_map_comes_back_in_the_super_resolved_image(sample, centroid, orientation, matrix):
    low_resolution = sample(gaussian(14.0), *matrix, orientation)
    grid = super_resolved_grid(low_resolution)
    zero_filled = kspace.zero_filled(torch.from_numpy(padded_array(low_resolution, grid)), (64, 64))
    found = centroid(super_resolved_image(zero_filled.numpy(), grid))
    np.testing.assert_allclose(in_voxels(found - LANDMARK, grid), 0, atol=0.1)


def test_landmark_of_the_mri_comes_back_in_its_slabs(sample, centroid, orientation, matrix):
    grid = super_resolved_grid(sample(gaussian(14.0), *matrix, orientation))
    t1 = sample(gaussian(7.0), (90, 88, 70), (1.7, 1.9, 2.0), shift=(3.0, 1.0, -2.0))
    oblique = np.linalg.qr(np.array([[1.0, 0.2, -0.1], [-0.3, 1.0, 0.2], [0.1, 0.1, -1.0]]))[0]
    flair = sample(gaussian(7.0), (80, 80, 34), (2.0, 2.0, 4.5), oblique)
    for mri in (t1, flair):
        slabs = mri_slabs(mri, grid)
        assert slabs.shape == (12, 192, 192, 3)
        assert slabs.dtype == np.float32
        assert slabs.min() == 0
        assert slabs.max() == 1
        found = centroid(slabs_image(slabs, grid))
        np.testing.assert_allclose(in_voxels(found - LANDMARK, grid), 0, atol=0.1)


def test_fine_mri_keeps_its_landmark_when_smoothed_against_aliasing(sample, centroid):
    grid = super_resolved_grid(sample(gaussian(14.0), (16, 16, 6), (12.0, 12.0, 18.0)))
    slabs = mri_slabs(sample(gaussian(7.0), (70, 70, 70), (1.0, 1.0, 1.0), shift=(9.0, -6.0, 4.0)), grid)
    np.testing.assert_allclose(in_voxels(centroid(slabs_image(slabs, grid)) - LANDMARK, grid), 0, atol=0.1)


def test_every_voxel_of_a_slab_lies_where_the_grid_says(sample, orientation):
    grid = super_resolved_grid(sample(gaussian(14.0), (16, 14, 3), (8.0, 9.0, 11.0), orientation))
    gradient = np.array([0.7, -0.4, 0.9])

    def ramp(world):
        return 1000 + world @ gradient

    # Linear interpolation of a ramp is exact; the T1 reaches beyond the grid on all sides.
    image = slabs_image(mri_slabs(sample(ramp, (30, 30, 30), (10.0, 9.0, 11.0)), grid), grid)
    values, where = [], []
    for index in np.random.default_rng(8).integers(0, (192, 192, 9), (50, 3)).tolist():
        values.append(image[index])
        where.append(image.TransformIndexToPhysicalPoint(index))
    expected = ramp(np.array(where))
    np.testing.assert_allclose(np.array(values) / values[0], expected / expected[0], rtol=2e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_stripes_finer_than_the_grid_average_out_instead_of_aliasing(sample, axis):
    # The map's thick slices lie across any axis of the MRI, whose voxels are fine along that axis only.
    direction = np.roll(np.eye(3), axis + 1, axis=0)
    grid = super_resolved_grid(sample(gaussian(14.0), (16, 16, 2), (12.0, 12.0, 15.0), direction))
    size, spacing = np.full(3, 40), np.full(3, 5.0)
    size[axis], spacing[axis] = 60, 1.0

    def contrast(period):
        stripes = sample(
            lambda world: 10 + 5 * np.cos(2 * np.pi * world[..., axis] / period), size.tolist(), spacing.tolist()
        )
        return np.ptp(mri_slabs(stripes, grid)[:, 80:112, 80:112])

    assert contrast(3.3) < 0.05
    assert contrast(40.0) > 0.3


def test_mri_as_coarse_as_its_grid_is_not_smoothed(sample):
    grid = super_resolved_grid(sample(gaussian(14.0), (16, 16, 2), (12.0, 12.0, 3.0)))
    point = sample(lambda world: np.zeros(world.shape[:-1]), (193, 193, 7), (1.0, 1.0, 1.0))
    index = point.TransformPhysicalPointToIndex(CENTRE.tolist())
    point[index] = 1
    slabs = mri_slabs(point, grid)
    assert np.count_nonzero(slabs) <= 27


@pytest.mark.parametrize(("count", "first"), [(16, 0.0), (22, 0.0), (17, -0.5)])
def test_first_voxel_lies_where_zero_filling_puts_it(sample, orientation, count, first):
    low_resolution = sample(gaussian(14.0), (count, count, 3), (10.0, 10.0, 9.0), orientation)
    grid = super_resolved_grid(low_resolution)
    expected = low_resolution.TransformContinuousIndexToPhysicalPoint((first, first, 0.0))
    np.testing.assert_allclose(grid.origin, expected, atol=1e-9)
    np.testing.assert_allclose(grid.spacing, (10 * count / 64, 10 * count / 64, 9.0))
    assert grid.direction == low_resolution.GetDirection()
    assert grid.size == (64, 64, 3)


@pytest.mark.parametrize(
    ("size", "spacing", "padded", "before"),
    [
        ((20, 14, 1), (10.0, 10.0, 9.0), (20, 20), (3, 0)),
        ((15, 20, 1), (10.0, 10.0, 9.0), (20, 20), (0, 2)),
        ((20, 20, 1), (9.0, 11.0, 9.0), (24, 20), (0, 2)),
        ((16, 16, 1), (12.0, 12.0, 9.0), (16, 16), (0, 0)),
        ((17, 13, 1), (10.0, 12.0, 9.0), (17, 14), (0, 0)),
    ],
)
def test_fields_of_view_become_square_in_whole_voxels(sample, size, spacing, padded, before):
    low_resolution = sample(lambda world: 1 + world[..., 0] ** 2, size, spacing)
    grid = super_resolved_grid(low_resolution)
    assert (grid.columns, grid.rows) == padded
    assert grid.pad_before == before
    extents = np.array(padded) * spacing[:2]
    assert abs(extents[0] - extents[1]) <= max(spacing[:2]) / 2

    array = padded_array(low_resolution, grid)
    assert array.shape == (1, padded[1], padded[0])
    inside = (slice(None), *(slice(b, b + c) for b, c in zip(before, size[1::-1], strict=True)))
    np.testing.assert_array_equal(array[inside], sitk.GetArrayFromImage(low_resolution))
    array[inside] = 0
    assert not array.any()


def test_padded_map_stays_in_its_place(sample, centroid, orientation, matrix):
    low_resolution = sample(gaussian(14.0), *matrix, orientation)
    grid = super_resolved_grid(low_resolution)
    padded = low_resolution_image(padded_array(low_resolution, grid), grid)
    assert padded.GetSize() == grid.low_resolution_size
    np.testing.assert_allclose(centroid(padded), centroid(low_resolution), atol=1e-3)


def test_integer_maps_are_accepted(sample):
    image = sitk.Cast(sample(lambda world: np.full(world.shape[:-1], 7), (16, 16, 2), (9.0, 9.0, 9.0)), sitk.sitkUInt16)
    array = padded_array(image, super_resolved_grid(image))
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, 7)


def test_mri_that_shows_nothing_is_refused(patient, sample):
    grid = super_resolved_grid(patient()[0])
    far = sample(gaussian(9.0), (20, 20, 20), (2.0, 2.0, 2.0), shift=(500.0, 0.0, 0.0))
    with pytest.raises(InputError, match="FLAIR is zero or absent"):
        mri_slabs(far, grid, "FLAIR")


def test_skull_stripping_is_recognised_and_cavities_are_brain(patient, sample, replace_array):
    _, t1, _ = patient()
    array = sitk.GetArrayFromImage(t1)
    brain = array > 0
    array[28:32, 35:40, 30:34] = 0
    mask = sitk.GetArrayFromImage(brain_mask_of_t1(replace_array(t1, array)))
    np.testing.assert_array_equal(mask, brain)

    with_background = replace_array(t1, sitk.GetArrayFromImage(t1) + 1)
    assert brain_mask_of_t1(with_background) is None
    head = sample(lambda world: np.linalg.norm(world - CENTRE, axis=-1) < 105, (60, 60, 60), (4.0, 4.0, 4.0))
    assert brain_mask_of_t1(head) is None


def test_coverage_is_the_share_within_the_field_of_view(patient, sample):
    low_resolution, t1, _ = patient()
    grid = super_resolved_grid(low_resolution)
    where = padded_array(low_resolution, grid) > 0
    everywhere = np.ones_like(where)
    # The T1 is 160 of the map's 192 mm wide and 190 mm high, and thicker than its slices.
    assert coverage(t1, everywhere, grid) == pytest.approx(160 * 190 / 192**2, abs=0.02)
    assert coverage(t1, where, grid) == 1
    half = sample(gaussian(9.0), (96, 96, 96), (1.0, 2.0, 2.0), shift=(-48.0, 0.0, 0.0))
    assert coverage(half, everywhere, grid) == pytest.approx(0.5, abs=0.02)


def test_result_may_hold_values_only_where_map_and_brain_do(patient, orientation):
    low_resolution, t1, _ = patient(direction=orientation)
    grid = super_resolved_grid(low_resolution)
    array = padded_array(low_resolution, grid)
    array[1, 8, 8] = 0
    t1_brain = brain_mask_of_t1(t1)
    assert low_resolution_brain(t1_brain, grid)[1, 8, 8]
    mask = super_resolved_brain(array, grid, t1_brain)
    assert mask.shape == (3, 64, 64)
    assert not mask[1, 31:34, 31:34].any(), "a hole of the quality filter stays empty"
    assert mask[0, 31:34, 31:34].all()

    image = super_resolved_image(mask, grid)
    t1_there = sitk.GetArrayFromImage(sitk.Resample(t1, image, sitk.Transform(), sitk.sitkNearestNeighbor)) > 0
    inside = t1_there.copy()
    inside[1, 28:37, 28:37] = False
    # Voxels on the brain's surface may go either way; all others agree.
    assert (mask & ~t1_there).sum() < 0.02 * mask.sum()
    assert (inside & ~mask).sum() < 0.03 * mask.sum()


def test_without_a_stripped_t1_the_result_fills_the_maps_own_voxels(patient):
    low_resolution, _, _ = patient()
    grid = super_resolved_grid(low_resolution)
    array = np.zeros((3, 16, 16), np.float32)
    array[1, 4, 9] = 2.0
    mask = super_resolved_brain(array, grid, None)
    expected = np.zeros_like(mask)
    expected[1, 14:18, 34:38] = True
    np.testing.assert_array_equal(mask, expected)
    array[1, 4, 9], array[1, 15, 15] = 0.0, 2.0
    mask = super_resolved_brain(array, grid, None)
    assert np.argwhere(mask).max() == 61, "what lies beyond the map's edge is not measured"


def test_grids_match_but_for_the_rounding_of_headers(patient):
    image = patient(size=(16, 16, 3))[0]
    grid = super_resolved_grid(image)
    rounded = sitk.Image(image)
    rounded.SetOrigin([value + 1e-4 for value in image.GetOrigin()])
    rounded.SetSpacing([value * (1 + 1e-6) for value in image.GetSpacing()])
    assert super_resolved_grid(rounded).matches(grid)
    for change in (
        lambda other: other.SetOrigin([value + 0.5 for value in image.GetOrigin()]),
        lambda other: other.SetSpacing([value * 1.01 for value in image.GetSpacing()]),
        lambda other: other.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1)),
    ):
        other = sitk.Image(image)
        change(other)
        assert not super_resolved_grid(other).matches(grid)
    assert not super_resolved_grid(image[:, :, :2]).matches(grid)
