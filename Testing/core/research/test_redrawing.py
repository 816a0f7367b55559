"""Maps drawn anew on an example's MRI."""

import numpy as np
import pytest

from inference_core.research.data.redrawing import redraw_maps


@pytest.fixture
def mri():
    rows, columns = np.indices((192, 192))
    radius = np.hypot(rows - 95, columns - 95)[..., None]
    inside = np.broadcast_to(radius < 70, (192, 192, 3))
    texture = np.random.default_rng(0).random((192, 192, 3)) * 0.05
    t1 = np.where(radius < 40, 0.9, np.where(radius < 60, 0.6, 0.2))
    flair = np.where(columns[..., None] < 60, 0.9, 0.5)
    return ((image + texture) * inside for image in (t1, flair))


def test_maps_follow_the_mri_and_end_with_the_brain(mri):
    t1, flair = mri
    share = (t1 > 0).reshape(64, 3, 64, 3, 3).mean(axis=(1, 3, 4))
    for seed in range(10):
        acquired, truth = redraw_maps(np.random.default_rng(seed), t1, flair)
        assert acquired.shape == truth.shape == (64, 64)
        assert (acquired >= 0).all()
        assert not acquired[share == 0].any()
        assert not truth[share == 0].any()
        deviation = (acquired - truth)[share == 1].std() / truth[share > 0.5].mean()
        assert 0.01 < deviation < 0.1


def test_each_draw_relates_differently_to_the_mri(mri):
    t1, flair = mri
    ratios = []
    for seed in range(20):
        truth = redraw_maps(np.random.default_rng(seed), t1, flair)[1]
        ratios.append(np.median(truth[28:36, 28:36]) / np.median(truth[31:33, 13:15]))
    assert min(ratios) < 0.8
    assert max(ratios) > 1.25


def test_a_seed_gives_the_same_maps_and_no_brain_gives_none(mri):
    t1, flair = mri
    one, two = (redraw_maps(np.random.default_rng(5), t1, flair) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert redraw_maps(np.random.default_rng(5), np.zeros_like(t1), flair) is None
