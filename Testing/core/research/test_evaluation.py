"""Metrics, baselines and comparisons."""

import numpy as np
import pytest
import torch

from inference_core.research.data.batches import make_batch
from inference_core.research.data.slice_set import SliceSet
from inference_core.research.evaluation.comparison import compare, mean_by
from inference_core.research.evaluation.methods import bicubic, zero_filling
from inference_core.research.evaluation.metrics import high_frequency_energy, psnr, ssim


@pytest.fixture
def truth():
    rows, columns = np.indices((64, 64))
    image = np.exp(-((rows - 30.0) ** 2 + (columns - 36.0) ** 2) / 150)
    return (image + np.random.default_rng(0).random((64, 64)) * 0.2).astype(np.float32)


def _slices(truth):
    maps = np.broadcast_to(truth, (7, 3, 64, 64)).copy()
    valid = np.ones_like(maps, dtype=bool)
    valid[4] = False
    mri = np.zeros((3, 192, 192, 3), dtype=np.float16)
    return SliceSet(mri, mri, maps, maps, valid, np.arange(3))


def test_psnr_is_that_of_the_definition(truth):
    error = np.random.default_rng(1).normal(0, 0.05, truth.shape).astype(np.float32)
    expected = 20 * np.log10(np.ptp(truth)) - 10 * np.log10(np.mean(error.astype(float) ** 2))
    assert psnr(truth + error, truth) == pytest.approx(expected, abs=1e-3)


def test_ssim_is_one_for_the_truth_and_falls_with_noise(truth):
    noisy = truth + np.random.default_rng(1).normal(0, 0.05, truth.shape).astype(np.float32)
    assert ssim(truth, truth) == pytest.approx(1)
    assert ssim(truth + 2 * (noisy - truth), truth) < ssim(noisy, truth) < 1


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_metrics_refuse_what_cannot_be_compared(metric, truth):
    with pytest.raises(ValueError, match="constant"):
        metric(truth, np.ones_like(truth))
    with pytest.raises(ValueError, match="shapes"):
        metric(truth[:32], truth)


def test_detail_is_the_truths_for_the_truth_less_when_blurred_more_when_sharpened(truth):
    from scipy.ndimage import gaussian_filter

    mask = np.zeros_like(truth, dtype=bool)
    mask[10:50, 10:50] = True
    blurred = gaussian_filter(truth, 1)
    assert high_frequency_energy(truth, truth, mask) == pytest.approx(1)
    assert high_frequency_energy(blurred, truth, mask) < 0.2
    assert high_frequency_energy(2 * truth - blurred, truth, mask) > 2
    # A map that ends at the mask is no sharper for it.
    assert high_frequency_energy(truth * mask, truth, mask) == pytest.approx(1)


@pytest.mark.parametrize("method", [zero_filling, bicubic])
@pytest.mark.parametrize("n", [16, 22, 32])
def test_baselines_keep_a_smooth_map_in_its_place(method, n):
    rows, columns = np.indices((64, 64))
    smooth = np.exp(-((rows - 27.3) ** 2 + (columns - 38.6) ** 2) / (2 * 7.0**2)).astype(np.float32)
    mri = np.zeros((1, 192, 192, 3), dtype=np.float32)
    batch = make_batch(smooth[None], smooth[None], np.ones((1, 64, 64)), mri, mri, n, 0, 0.0)
    output, target = method(batch)[0, 0], batch.target[0, 0]
    assert (output - target).abs().max() < 0.05 * target.max()
    for axis, centre in ((1, 27.3), (0, 38.6)):
        profile = output.sum(dim=axis)
        assert ((profile * torch.arange(64.0)).sum() / profile.sum()).item() == pytest.approx(centre, abs=0.1)


def test_comparison_covers_all_usable_maps_once(truth):
    methods = {"zero-filling": zero_filling, "truth": lambda batch: batch.target + 1e-4}
    scores = compare(methods, _slices(truth), (16, 32), batch_size=2)
    assert len(scores) == 2 * 2 * 6 * 3
    assert len({(s.method, s.n, s.metabolite, s.slice) for s in scores}) == len(scores)
    assert "Gln" not in {s.metabolite for s in scores}
    means = mean_by(scores, "method", "n")
    assert means["zero-filling", 16][0] < means["zero-filling", 32][0] < means["truth", 32][0]
