"""Statistics of maps in regions, on grids of any resolution and orientation."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.imaging.brain_mask import share_in_low_resolution
from inference_core.imaging.geometry import super_resolved_grid
from inference_core.regions.statistics import region_statistics


def image_of(array, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=None):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.ravel(direction).tolist())
    return image


def ball(radius=12.0):
    """A ball around the origin on a grid of 1 mm."""
    z, y, x = np.indices((41, 41, 41)) - 20
    return image_of((x**2 + y**2 + z**2 <= radius**2).astype(np.uint8), origin=(-20.0, -20.0, -20.0))


def oblique():
    angle = np.deg2rad(20)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


@pytest.mark.parametrize("voxel", [(3.0, 3.0, 4.0), (8.0, 8.0, 10.0)])
@pytest.mark.parametrize("direction", [np.eye(3), oblique(), np.diag([-1.0, 1.0, -1.0])])
def test_a_regions_volume_does_not_depend_on_the_maps_grid(voxel, direction):
    counts = [int(60 // step) + 1 for step in voxel]
    origin = -direction @ ((np.array(counts) - 1) / 2 * voxel)
    reference = image_of(np.zeros(counts[::-1], np.float32), voxel, origin.tolist(), direction)
    share = share_in_low_resolution(ball(), super_resolved_grid(reference))
    assert share.min() >= 0
    assert share.max() <= 1
    true = sitk.GetArrayFromImage(ball()).sum()
    assert share.sum() * np.prod(voxel) == pytest.approx(true, rel=0.02)
    found = region_statistics(np.full(share.shape, 3.0), share, np.ones(share.shape, bool), float(np.prod(voxel)))
    assert found.volume == pytest.approx(true / 1000, rel=0.02)
    assert (found.mean, found.median, found.low, found.high) == pytest.approx((3, 3, 3, 3))


def test_statistics_are_numpys_where_voxels_count_alike():
    values = np.random.default_rng(0).normal(5, 2, (3, 20, 20))
    found = region_statistics(values, np.ones(values.shape), np.ones(values.shape, bool), 27.0)
    assert found.volume == pytest.approx(values.size * 0.027)
    assert found.mean == pytest.approx(values.mean())
    expected = np.quantile(values, (0.1, 0.5, 0.9))
    assert (found.low, found.median, found.high) == pytest.approx(expected, rel=0.02)


def test_voxels_count_by_their_share_and_only_where_the_map_means_something():
    values = np.array([[[1.0, 5.0, 100.0]]])
    share, valid = np.array([[[1.0, 0.25, 1.0]]]), np.array([[[True, True, False]]])
    assert region_statistics(values, share, valid, 1000.0).mean == pytest.approx((1 + 5 * 0.25) / 1.25)
    assert region_statistics(values, share, np.zeros_like(valid), 1000.0) is None
