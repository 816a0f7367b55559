"""Measured k-space that moves within its noise."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from held_back_patients import fine_images, prepared_of

from inference_core.errors import InputError
from inference_core.inference.held_back import hold_back, in_image
from inference_core.inference.map_noise import noise_from_bounds
from inference_core.inference.noise_consistency import moved, movement, noise_weights
from inference_core.inference.super_resolver import SuperResolver
from inference_core.networks import create_network, kspace

N, DEVIATION = 24, 0.6
SLICES = [0, 1, 2, 3]
GAIN = np.ones((64, 64))


@pytest.fixture
def noisy():
    """A noisy map of images that are known, its true images, and its noise by bounds."""
    images, brain = fine_images()
    prepared = prepared_of(images, brain, N)
    noise = np.random.default_rng(4).standard_normal(prepared.low_resolution.shape) * DEVIATION
    prepared = replace(prepared, low_resolution=(prepared.low_resolution + noise).astype(np.float32))
    percent = 100 * DEVIATION / prepared.low_resolution
    return prepared, images, noise_from_bounds(prepared, sitk.GetImageFromArray(percent))


def zero_filled(prepared):
    return kspace.zero_filled(torch.from_numpy(prepared.low_resolution), (64, 64)).numpy()


def both(prepared, proposed, noise):
    held_back = hold_back(prepared)
    weights = noise_weights(proposed, GAIN, held_back, SLICES, noise)
    before = zero_filled(prepared)
    return before, moved(before, proposed, GAIN, held_back, SLICES, weights), weights, held_back


def rms(difference, brain):
    return np.sqrt(np.square(difference)[brain].mean())


def test_a_true_proposal_takes_noise_away(noisy):
    prepared, images, noise = noisy
    before, after, _, held_back = both(prepared, images, noise)
    truth = kspace.zero_filled(
        torch.from_numpy(prepared_of(images, prepared.brain, N).low_resolution), (64, 64)
    ).numpy()
    assert rms(after - truth, prepared.brain) < 0.93 * rms(before - truth, prepared.brain)
    # What was not held back is kept.
    inner = in_image(after - before, ~held_back.region & (np.hypot(*np.indices((64, 64)) - 32) < 7))
    assert rms(inner, prepared.brain) < 0.02 * rms(after - before, prepared.brain) + 0.02


def test_nothing_moves_by_more_than_its_noise(noisy):
    prepared, images, noise = noisy
    other, _ = fine_images(seed=9)
    for proposed in (images, 20 - images, other):
        before, after, weights, _ = both(prepared, proposed, noise)
        spectrum = kspace.to_kspace(torch.from_numpy(np.asarray(after - before, np.float64))).abs().numpy()
        # Spots that stay couple coefficients with one another.
        assert np.sqrt(np.square(spectrum).sum() / (weights.share > 0).sum() / len(SLICES)) <= weights.limit
        assert 0 <= weights.share.min() <= weights.share.max() <= 1


def test_how_far_the_data_moved_is_told_in_units_of_their_noise(noisy):
    prepared, images, noise = noisy
    before, after, weights, held_back = both(prepared, images, noise)
    told = movement(after - before, held_back, SLICES, weights)
    assert 0.1 < told.mean <= 1
    assert told.sentence.startswith(f"The outer part of the measured data was moved by {told.mean:.2f} standard dev")
    assert noise.source in told.sentence
    # A map of nothing but that noise, in the brain, is one standard deviation of it.
    draws = noise.images(SLICES, held_back.region)
    means = [movement(draw, held_back, SLICES, weights).mean for draw in draws]
    assert np.sqrt(np.mean(np.square(means))) == pytest.approx(1, abs=0.05)


def test_without_noise_nothing_moves(noisy):
    prepared, images, noise = noisy
    before, after, weights, _ = both(prepared, 20 - images, replace(noise, draws=noise.draws * 1e-6))
    assert weights.share.max() < 1e-6
    np.testing.assert_allclose(after, before, atol=1e-3)


def test_a_spot_that_the_proposal_lacks_stays(noisy):
    prepared, images, noise = noisy
    rows, columns = np.indices((64, 64)) - 32
    spot = 8 * np.exp(-((rows - 5) ** 2 + (columns + 4) ** 2) / (2 * 1.5**2))
    added = (
        prepared_of(images + spot, prepared.brain, N).low_resolution
        - prepared_of(images, prepared.brain, N).low_resolution
    )
    spotted = replace(prepared, low_resolution=prepared.low_resolution + added)
    before, after, _, _ = both(spotted, images, noise)
    there = (rows - 5) ** 2 + (columns + 4) ** 2 <= 2
    lost = (before - after)[:, there].mean() / (before - zero_filled(prepared))[:, there].mean()
    assert lost < 0.05


def test_a_resolver_moves_the_maps_that_are_fine_enough_and_others_not(patient):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        hard = SuperResolver(create_network("multi-conditional"), "cpu")
    noise = hard.with_consistency("noise")
    for n, moves in ((16, True), (10, False)):
        prepared = hard.prepare(*patient(size=(n, n, 2), spacing=(190 / n, 190 / n, 10.0)))
        assert (noise.match(prepared, "NAA").noise is not None) == moves
        same = np.array_equal(hard.super_resolve(prepared, "NAA"), noise.super_resolve(prepared, "NAA"))
        assert same != moves
        output = noise.super_resolve(prepared, "NAA", 0.0, [1])
        assert np.isfinite(output).all()
        assert not output[~prepared.brain[[1]]].any()
        told = noise.movement(prepared, "NAA", 0.0, noise.super_resolve(prepared, "NAA"), [0, 1])
        assert (0 < told.mean <= 1) == moves
        assert ("at least n = 12" in told.sentence) != moves
        kept = hard.movement(prepared, "NAA", 0.0, hard.super_resolve(prepared, "NAA"), [0, 1])
        assert kept.sentence == "The measured data were kept exactly."
    with pytest.raises(InputError, match="hard, noise"):
        hard.with_consistency("soft")
