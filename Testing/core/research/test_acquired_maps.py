"""Where acquired maps have values, noise in them, and the pedestal below them."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from training_samples import random_slices

from inference_core.research.data import acquired_masks, baseline
from inference_core.research.data.acquired_masks import AcquiredMasks
from inference_core.research.data.acquisition import Acquisition
from inference_core.research.data.baseline import Baseline
from inference_core.research.data.batch_options import BatchOptions
from inference_core.research.data.random_words import RandomWords
from inference_core.research.data.training_batches import TrainingBatches


def _disc(radius=20.0, centre=(0.0, 0.0)):
    row, column = np.mgrid[-31.5:32.5, -31.5:32.5]
    return torch.from_numpy(np.hypot(row - centre[0], column - centre[1]) < radius).float()[None, None]


def _shown(varied, count=60, n=16, mask=None, brain=None):
    resolutions = (n, 42)
    mask = (_disc() if mask is None else mask).expand(count, -1, -1, -1)
    brain = mask if brain is None else brain.expand(count, -1, -1, -1)
    words = acquired_masks.VARIED_WORDS if varied else acquired_masks.WORDS
    random = RandomWords(3, torch.tensor([1]), torch.arange(count), words)
    return AcquiredMasks(varied, Acquisition(resolutions))(random, mask, brain, torch.tensor([0]))


@pytest.mark.parametrize("n", [7, 16, 30, 42])
def test_low_resolution_voxels_cover_the_map(n):
    acquisition, index = Acquisition((n, 42)), torch.tensor([0])
    ones = torch.ones(1, 1, 64, 64)
    own = acquisition.own(index)
    torch.testing.assert_close(acquisition.coverage(ones, index)[0, 0], own)
    assert own.sum() == n**2
    torch.testing.assert_close(acquisition.repeated(own[None, None], index), ones)
    # The area of a disc is the same on both grids.
    assert acquisition.coverage(_disc(), index).sum() / n**2 == pytest.approx(_disc().mean().item(), rel=1e-4)


def test_half_of_the_maps_come_whole_unless_masks_vary():
    shown = _shown(False, 400)
    whole = (shown.fine == 1).all(dim=(1, 2, 3))
    assert 0.42 < whole.float().mean() < 0.58
    assert torch.equal(shown.fine[~whole], _disc().expand((~whole).sum(), -1, -1, -1))
    assert shown.noise[whole].sum(dim=(1, 2, 3)).unique().tolist() == [16**2]
    assert (shown.noise[~whole].sum(dim=(1, 2, 3)) < 110).all()
    assert (shown.valid == 1).all()


def test_varied_masks_are_whole_finer_or_coarser_and_larger_or_smaller():
    # Beside the middle, so that low-resolution voxels hold many shares of it.
    n, disc = 11, _disc(centre=(1.3, 0.6))
    shown = _shown(True, 300, n, disc)
    fine, coarse = (shown.fine == 0).any(dim=(1, 2, 3)), (shown.signal.sum(dim=(1, 2, 3)) < n**2)
    assert not (fine & coarse).any()
    for share in (fine, coarse, ~fine & ~coarse):
        assert 0.25 < share.float().mean() < 0.42
    areas = {
        "fine": shown.fine[fine].mean(dim=(1, 2, 3)) / disc.mean(),
        "coarse": shown.signal[coarse].sum(dim=(1, 2, 3)) / n**2 / disc.mean(),
    }
    for area in areas.values():
        # The edge of a disc of 20 voxels moves by up to 1.2 and 1.5 of them.
        assert 0.7 < area.min() < 0.95
        assert 1.05 < area.max() < 1.3
    assert torch.equal(shown.valid[fine], shown.fine[fine])
    assert ((shown.valid[coarse].mean(dim=(1, 2, 3)) / disc.mean() / areas["coarse"]) - 1).abs().max() < 0.02
    # Noise ends where a map ends.
    assert not (shown.noise * (1 - shown.signal)).any()
    assert (shown.noise[coarse] == shown.signal[coarse]).all()


def test_masks_may_hold_what_a_quality_filter_rejects():
    holes = _disc().clone()
    holes[..., 28:36, 28:36] = 0
    shown = _shown(True, 200, mask=holes, brain=_disc())
    fine = (shown.fine == 0).any(dim=(1, 2, 3))
    filled = shown.fine[fine][:, 0, 32, 32]
    assert 0.3 < filled.mean() < 0.7


def test_nothing_is_asked_for_where_the_map_has_no_values():
    slices = random_slices(8)
    batches = TrainingBatches(slices, 8, 2, BatchOptions(varied_masks=True, noise=(0.05, 0.05 + 1e-9)), (8, 20))
    plain = TrainingBatches(slices, 8, 2, BatchOptions(), (8, 20))
    less = 0
    for step in range(4):
        batch, whole = batches.batch(step), plain.batch(step)
        assert not (batch.mask * (1 - whole.mask)).any()
        assert not (batch.target * (1 - batch.mask)).any()
        less += ((batch.mask < whole.mask).any(dim=(1, 2, 3))).sum()
        n = batch.n
        empty = batch.low_resolution == 0
        repeated = batch.mask.reshape(8, 1, 64, 64)[..., :: 64 // n, :: 64 // n] if 64 % n == 0 else None
        if repeated is not None:
            assert not (empty & (repeated > 0)).any()
    assert less > 4


def test_noise_is_complex_before_the_magnitude():
    slices = random_slices(2)
    row, column = np.mgrid[-31.5:32.5, -31.5:32.5]
    # Nothing is left of it at the corners, and none of its k-space is cut.
    slices.acquired[:], slices.valid[:] = np.exp(-(row**2 + column**2) / (2 * 4.0**2)), True
    slices.target[:] = slices.acquired
    batches = TrainingBatches(slices, 8, 5, BatchOptions(noise=(0.1, 0.1 + 1e-9)), (32,))
    values = []
    for step in range(4):
        batch = batches.batch(step)
        mean = batch.target.sum(dim=(1, 2, 3), keepdim=True) / batch.mask.sum(dim=(1, 2, 3), keepdim=True)
        corners = batch.low_resolution[:, :, [3, 4, 5, 6, 25, 26, 27, 28]][..., [3, 4, 5, 6, 25, 26, 27, 28]]
        values.append((corners / (0.1 * mean)).flatten())
    # Rayleigh's distribution is that of noise alone; the half that is not masked reaches there whole.
    assert kstest(torch.cat(values).numpy(), "rayleigh").pvalue > 0.01


def test_a_pedestal_is_smooth_positive_and_as_high_as_it_says():
    count, disc = 300, _disc().expand(300, -1, -1, -1)
    random = RandomWords(3, torch.tensor([1]), torch.arange(count), baseline.WORDS)
    added = Baseline((0.0, 0.3))(random, 5 * disc, disc, disc)
    assert not (added * (1 - disc)).any()
    assert added.min() >= 0
    level = added.sum(dim=(1, 2, 3)) / disc.sum(dim=(1, 2, 3)) / 5
    assert level.min() < 0.02
    assert 0.27 < level.max() < 0.42
    assert level.mean().item() == pytest.approx(0.15, abs=0.02)
    inner = added[:, 0, 22:42, 22:42] / added[:, 0, 22:42, 22:42].amax(dim=(1, 2), keepdim=True)
    assert inner.diff(dim=1).abs().max() < 0.12
    assert inner.min() < 0.8


def test_the_pedestal_is_below_what_is_acquired_and_the_truth():
    slices = random_slices(4)
    slices.t1[:] = 1
    slices.target[:] = slices.acquired
    slices.valid[:] = True
    plain, raised = (
        TrainingBatches(slices, 4, 1, BatchOptions(baseline=bounds), (64,)).batch(0)
        for bounds in ((0.0, 0.0), (0.3, 0.3))
    )
    for batch in (plain, raised):
        shown = batch.mask > 0
        torch.testing.assert_close(batch.low_resolution[shown], batch.target[shown], rtol=1e-4, atol=1e-4)
    inner = (..., slice(8, 56), slice(8, 56))
    contrast = [batch.target[inner].std(dim=(2, 3)) / batch.target[inner].mean(dim=(2, 3)) for batch in (plain, raised)]
    assert (contrast[1] < 0.95 * contrast[0]).all()
