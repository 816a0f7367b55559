"""What is done to training examples, held against the same done one by one with NumPy."""

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, kstest
from training_samples import random_slices

from inference_core import InputError
from inference_core.networks import kspace
from inference_core.networks.scaling import slice_scale
from inference_core.research.data import augmentation, domain_randomisation
from inference_core.research.data.acquisition import Acquisition, consistent
from inference_core.research.data.batch_options import POINT_SPREADS, BatchOptions, MriOptions, PointSpreadOptions
from inference_core.research.data.point_spread import PointSpreads
from inference_core.research.data.random_words import RandomWords
from inference_core.research.data.training_batches import TrainingBatches


class _Chosen:
    """Random numbers that a test chooses, in the order in which they are drawn."""

    def __init__(self, *numbers):
        self._numbers = [torch.tensor(number) for number in numbers]

    def below(self, count):
        return self._numbers.pop(0)

    def uniform(self, count):
        return self._numbers.pop(0)


def _shifted(image, rows, columns):
    moved = np.zeros_like(image)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            if 0 <= row - rows < image.shape[0] and 0 <= column - columns < image.shape[1]:
                moved[row, column] = image[row - rows, column - columns]
    return moved


@pytest.mark.parametrize(
    ("turns", "flip", "flip_depth", "rows", "columns"),
    [(0, 0, 0, 0, 0), (1, 0, 0, 0, 0), (2, 1, 0, -3, 2), (3, 1, 1, 3, -1), (1, 1, 1, 0, 3), (3, 0, 0, -2, -3)],
)
def test_examples_are_turned_flipped_and_shifted_as_one(turns, flip, flip_depth, rows, columns):
    rng = np.random.default_rng(0)
    maps, mri = rng.random((1, 3, 64, 64), np.float32), rng.random((1, 2, 192, 192, 3)).astype(np.float16)
    exponents = torch.tensor([[0.25, 0.75]])
    chosen = _Chosen(
        [turns], [[0.9 - 0.8 * flip]], [[0.9 - 0.8 * flip_depth]], [rows + 3], [columns + 3], exponents.tolist()
    )
    moved, seen = augmentation.Augmentation()(chosen, torch.from_numpy(maps), torch.from_numpy(mri))

    def move(image, factor):
        image = np.rot90(image, turns, axes=(0, 1))
        return _shifted(image[::-1] if flip else image, rows * factor, columns * factor)

    for own, image in zip(moved[0], maps[0], strict=True):
        np.testing.assert_array_equal(own, move(image, 1))
    for own, image, share in zip(seen[0], mri[0], (0.25, 0.75), strict=True):
        expected = move(image[..., ::-1] if flip_depth else image, 3).astype(np.float32)
        gamma = np.exp(np.log(0.5) + share * (np.log(2.2) - np.log(0.5)))
        np.testing.assert_allclose(own, expected**gamma, rtol=1e-5)


@pytest.mark.parametrize("n", [8, 17, 24, 32, 42, 64])
def test_what_is_measured_is_what_k_space_says(n):
    maps = torch.rand((2, 1, 64, 64), generator=torch.Generator().manual_seed(n))
    acquisition, index = Acquisition((8, n, 64)), torch.tensor([1])
    measured = acquisition(maps, index)
    expected = kspace.low_resolution(maps, (n, n))
    torch.testing.assert_close(measured.low_resolution[..., :n, :n], expected, rtol=1e-5, atol=1e-6)
    assert not measured.low_resolution[..., n:, :].any()
    assert not measured.low_resolution[..., :, n:].any()
    torch.testing.assert_close(measured.zero_filled.abs(), kspace.zero_filled(expected, (64, 64)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(measured.scale, slice_scale(expected), rtol=1e-5, atol=1e-6)
    proposed = torch.rand((2, 1, 64, 64), generator=torch.Generator().manual_seed(9))
    own = consistent(proposed, measured.zero_filled, acquisition.central(index))
    kept = kspace.enforce_data_consistency(proposed, kspace.measured_kspace(expected, (64, 64))).abs()
    torch.testing.assert_close(own, kept, rtol=1e-4, atol=1e-5)


def test_a_map_of_zeros_is_scaled_by_one():
    assert Acquisition((16,))(torch.zeros(1, 1, 64, 64), torch.tensor([0])).scale.item() == 1


@pytest.mark.parametrize("width", [0.0, 1.5, 4.0])
def test_a_point_is_seen_as_wide_as_the_point_spread(width):
    point = torch.zeros(1, 1, 64, 64)
    point[0, 0, 30, 33] = 1
    spreads, gaussian = PointSpreads(PointSpreadOptions()), torch.tensor([POINT_SPREADS.index("gaussian")])
    factors = spreads.factors(gaussian, torch.tensor([[width, width]]), torch.zeros(1))
    seen = spreads(point, factors)[0, 0].numpy()
    assert seen.sum() == pytest.approx(1, abs=1e-5)
    sigma = max(width, 1e-6) / 2.35482
    place = np.arange(64)
    expected = np.exp(-((place[:, None] - 30) ** 2 + (place - 33) ** 2) / (2 * sigma**2))
    # Narrower than a voxel, the band limit shows.
    np.testing.assert_allclose(seen, expected / expected.sum(), atol=0.2 if 0 < width < 2 else 2e-5)


def test_noise_in_a_low_resolution_voxel_does_not_depend_on_n():
    slices = random_slices(2)
    slices.acquired[:] = 1 + 1e-6 * slices.acquired
    slices.target[:] = slices.acquired
    slices.valid[:] = True
    for n in (8, 16, 32):
        batch = TrainingBatches(slices, 8, 5, BatchOptions(noise=(0.05, 0.05 + 1e-9)), (n,)).batch(0)
        inner = batch.low_resolution[:, 0, n // 4 : -n // 4, n // 4 : -n // 4]
        assert (inner.std(dim=(1, 2)) / inner.mean(dim=(1, 2))).mean().item() == pytest.approx(0.05, rel=0.2)


def _brain(seed=0):
    """T1 and FLAIR of an ellipse with three tissues in it."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[-1:1:192j, -1:1:192j]
    radius = np.sqrt((row / 0.8) ** 2 + (column / 0.7) ** 2)
    level = np.select([radius < 0.3, radius < 0.6, radius < 0.9], [0.9, 0.5, 0.15], 0.0)[..., None]
    t1, flair = (level * (1 + 0.1 * rng.standard_normal((192, 192, 3))) for _ in range(2))
    return torch.from_numpy(np.stack([t1, flair])).clamp(0, 1).float()[None]


def _redrawn(count, mri=None, seed=0):
    mri = (_brain() if mri is None else mri).expand(count, -1, -1, -1, -1)
    random = RandomWords(seed, torch.tensor([3]), torch.arange(count), domain_randomisation.WORDS)
    return domain_randomisation.DomainRandomisation()(random, mri)


def test_redrawn_maps_follow_the_tissues_each_in_its_own_way():
    acquired, truth, drawn = _redrawn(24)
    assert drawn.all()
    assert not truth[:, 0, 0].any()
    assert not acquired[:, 0, 0].any()
    # Grey and white matter are drawn evenly from 0.5 to 1.5, so their ratio goes either way.
    white, grey = truth[:, 32, 32], truth[:, 32, 42]
    ratios = (white / grey).numpy()
    assert (ratios > 1.1).sum() > 3
    assert (ratios < 0.9).sum() > 3
    assert len(np.unique(ratios)) == 24
    noise = (acquired - truth)[:, 20:44, 22:42].std(dim=(1, 2)) / truth[:, 20:44, 22:42].mean(dim=(1, 2))
    assert 0.01 < noise.min() < noise.max() < 0.15


def test_levels_are_distributed_as_they_are_drawn_one_by_one():
    # One example after the other with NumPy: levels between random quantiles of T1, another one where FLAIR is bright.
    rng, mri, count = np.random.default_rng(1), _brain(), 200
    t1, flair = mri[0].numpy()
    inside, middle, expected = t1 > 0, np.s_[94:97, 94:97], []

    def step(image, threshold, width):
        return 1 / (1 + np.exp(np.clip((threshold - image[middle]) / width, -30, 30)))

    for _ in range(count):
        low, high = np.quantile(t1[inside], [rng.uniform(0.08, 0.35), rng.uniform(0.4, 0.8)])
        width = rng.uniform(0.01, 0.08) * np.quantile(t1[inside], 0.95)
        fluid, grey, white = rng.uniform(0, 0.3), *rng.uniform(0.5, 1.5, 2)
        level = fluid + (grey - fluid) * step(t1, low, width) + (white - grey) * step(t1, high, width)
        if rng.random() < 0.6:
            bright = np.quantile(flair[inside], rng.uniform(0.85, 0.98))
            level *= 1 + (np.exp(rng.uniform(np.log(0.3), np.log(3))) - 1) * step(flair, bright, width)
        expected.append(level.mean())
    random = RandomWords(0, torch.tensor([3]), torch.arange(count), domain_randomisation.WORDS)
    flat = mri.flatten(2).expand(count, -1, -1)
    levels = domain_randomisation.DomainRandomisation._levels(random, flat[:, 0], flat[:, 1], flat[:, 0] > 0)
    drawn = levels.view(count, 192, 192, 3)[:, 94:97, 94:97].mean(dim=(1, 2, 3))
    assert ks_2samp(expected, drawn.numpy()).pvalue > 0.01


def test_nothing_is_drawn_without_a_brain():
    mri = _brain()
    assert not _redrawn(1, torch.zeros_like(mri))[2].any()
    slices = random_slices(2)
    slices.t1[:] = 0
    plain, redrawn = (TrainingBatches(slices, 2, 1, BatchOptions(redrawn=share)).batch(4) for share in (0.0, 1.0))
    torch.testing.assert_close(plain.target, redrawn.target)


def test_the_share_that_is_redrawn_is_the_one_asked_for():
    slices = random_slices(4)
    slices.t1[:], slices.flair[:] = _brain()[0].numpy()
    slices.target[:] = 7.0
    slices.acquired[:] = 7.0
    slices.valid[:] = True
    batches = TrainingBatches(slices, 8, 1, BatchOptions(redrawn=0.3))
    # Maps that are not drawn anew stay flat but for what a shift brings in.
    flat = [batches.batch(step).target[:, 0, 28:36, 28:36].std(dim=(1, 2)) < 1e-3 for step in range(25)]
    assert 0.6 < torch.cat(flat).float().mean() < 0.8


def test_slices_are_chosen_without_repeats_and_all_alike():
    slices = random_slices(6)
    slices.valid[2, :4] = False
    batches = TrainingBatches(slices, 4, 0)
    seen = np.zeros((7, 6))
    for step in range(300):
        choice = batches.choose(torch.tensor([step]))
        chosen, metabolite = choice.slices.tolist(), int(choice.metabolite)
        assert len(set(chosen)) == (2 if metabolite == 2 else 4)
        seen[metabolite, chosen] += 1
    assert not seen[2, :4].any()
    assert (seen[2, 4:] > 20).all()
    others = np.delete(seen, 2, axis=0) / np.delete(seen, 2, axis=0).sum(axis=1, keepdims=True)
    assert 0.09 < others.min() < others.max() < 0.25


def test_lambda_is_drawn_evenly_but_for_a_tenth():
    batches = TrainingBatches(random_slices(2), 1, 0)
    drawn = np.array([float(batches.choose(torch.tensor([step])).sharpness) for step in range(1500)])
    assert 0.08 < (drawn == 0).mean() < 0.12
    assert kstest(drawn[drawn > 0] / 0.1, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (BatchOptions, {"redrawn": 2.0}),
        (BatchOptions, {"noise": (0.2, 0.1)}),
        (BatchOptions, {"noise": (-0.1, 0.1)}),
        (BatchOptions, {"noise": (0.0, 0.1)}),
        (BatchOptions, {"baseline": (-0.1, 0.1)}),
        (PointSpreadOptions, {"share": -0.5}),
        (PointSpreadOptions, {"width": (3.0, 1.0)}),
        (PointSpreadOptions, {"width": (0.0, 1.0)}),
        (PointSpreadOptions, {"kinds": ()}),
        (PointSpreadOptions, {"kinds": ("gaussian", "box")}),
        (MriOptions, {"changed": 1.5}),
        (MriOptions, {"ghost": -1.0}),
    ],
)
def test_options_that_cannot_be_drawn_from_are_refused(kind, wrong):
    with pytest.raises(InputError, match=f"Setting .*{next(iter(wrong))}"):
        kind(**wrong)
