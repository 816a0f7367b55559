"""Detail as sharp as the data: the factor that held-back k-space gives."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from held_back_patients import fine_images, prepared_of

from inference_core.errors import InputError
from inference_core.inference.detail_match import UNMATCHED, DetailMatch, match_detail
from inference_core.inference.held_back import hold_back
from inference_core.inference.rings import RADIUS
from inference_core.inference.super_resolver import SuperResolver
from inference_core.inference.uncertainty.features import gather_features
from inference_core.networks import create_network, kspace
from inference_core.networks.scaling import slice_scale

SLICES = [0, 1, 2, 3]


def smoothed(images, fall_off):
    spectrum = kspace.to_kspace(torch.from_numpy(images)) * torch.from_numpy(np.exp(-fall_off * RADIUS**2))
    return kspace.to_image(spectrum).real.numpy()


def matched(measured, proposed, n=24):
    brain = fine_images()[1]
    return match_detail(proposed, hold_back(prepared_of(measured, brain, n)), SLICES)


@pytest.mark.parametrize("n", [12, 15, 24, 32])
def test_detail_that_is_there_stays(n):
    images, _ = fine_images()
    match = matched(images, images, n)
    assert match.amplitude > 0.97
    assert match.fall_off == 0
    assert match.borne_out == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("n", [12, 24])
def test_detail_that_is_not_there_goes(n):
    images, _ = fine_images()
    other, _ = fine_images(seed=1)
    assert matched(images, other, n).gain()[n / 2 <= RADIUS].max() < 0.25
    assert matched(images, 20 - images, n).amplitude == 0


def test_detail_too_strong_is_made_weaker():
    images, _ = fine_images()
    match = matched(images, 10 + 2.5 * (images - 10))
    assert match.borne_out == pytest.approx(0.4, abs=0.05)
    assert match.amplitude == pytest.approx(0.64, abs=0.06)


def test_detail_too_sharp_becomes_as_sharp_as_the_data():
    images, _ = fine_images()
    fall_off = 0.012
    match = matched(smoothed(images, fall_off), images)
    truth = DetailMatch(1.0, fall_off, 1.0)
    assert match.point_spread == pytest.approx(truth.point_spread, rel=0.3)
    assert matched(images, images).point_spread == 0
    # A Gaussian of so many voxels, by its definition.
    places = np.linspace(0, 8, 801)
    profile = (truth.gain()[32] * np.cos(2 * np.pi * np.outer(places, np.arange(-32, 32)) / 64)).sum(axis=1)
    width = 2 * places[np.argmax(profile < profile[0] / 2)]
    assert width == pytest.approx(truth.point_spread, rel=0.05)


def test_a_factor_amplifies_nothing():
    images, _ = fine_images()
    for strength in (0.1, 1.0, 5.0):
        gain = matched(images, 10 + strength * (images - 10)).gain()
        assert gain.shape == (64, 64)
        assert 0 <= gain.min() <= gain.max() <= 1


def test_without_any_measured_detail_nothing_is_changed():
    images, _ = fine_images()
    assert matched(np.full_like(images, 5.0), np.full_like(images, 5.0)) == UNMATCHED


@pytest.fixture(scope="module")
def resolver():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return SuperResolver(create_network("multi-conditional"), "cpu")


def test_details_are_chosen_by_name(resolver, patient):
    prepared = resolver.prepare(*patient(size=(16, 16, 2)))
    none = resolver.with_detail("zero-filled").super_resolve(prepared, "NAA")
    filled = kspace.zero_filled(torch.from_numpy(prepared.low_resolution), (64, 64)).numpy()
    np.testing.assert_allclose(none, filled * prepared.brain, atol=1e-4 * filled.max())
    own = resolver.with_detail("network")
    assert own.match(prepared, "NAA") is None
    plain, shown = (resolver.with_detail(name).super_resolve(prepared, "NAA") for name in ("network", "matched"))
    # An untrained network's detail is not there.
    assert np.abs(shown - none).sum() < 0.5 * np.abs(plain - none).sum()
    with pytest.raises(InputError, match="matched, network, zero-filled"):
        resolver.with_detail("best")


def test_measured_k_space_is_kept_whatever_becomes_of_the_detail(resolver, patient):
    low_resolution, t1, flair = patient(size=(15, 15, 1))
    prepared = resolver.prepare(low_resolution, t1, flair)
    # High enough that nothing rings below 0, where the magnitude would turn it.
    raised = prepared.low_resolution + 20 * prepared.low_resolution.max()
    scales = slice_scale(torch.from_numpy(raised)).flatten().numpy()
    changed = {"brain": np.ones_like(prepared.brain), "low_resolution": raised, "scales": scales}
    everywhere = replace(prepared, **changed)
    measured = kspace.measured_kspace(torch.from_numpy(raised), (64, 64))
    for detail in ("matched", "network", "zero-filled"):
        output = resolver.with_detail(detail).super_resolve(everywhere, "NAA")
        kept = kspace.truncate(kspace.to_kspace(torch.from_numpy(output)), (15, 15))
        assert (kept - measured).norm() < 1e-3 * measured.norm()


def test_a_match_is_found_once_for_a_map_and_serves_its_mirror_images(resolver, patient, monkeypatch):
    prepared = resolver.prepare(*patient(size=(16, 16, 3)))
    found = []
    original = SuperResolver._matched
    monkeypatch.setattr(SuperResolver, "_matched", lambda *arguments: found.append(1) or original(*arguments))
    own = resolver.with_detail("matched")
    first = own.super_resolve(prepared, "tCr", 0.0, [1])
    values, _ = gather_features(own, prepared, "tCr", 0.0, [1])
    np.testing.assert_allclose(values, first, atol=1e-4 * first.max())
    own.super_resolve(prepared, "GPC+PCh", 0.1, [0])
    own.super_resolve(prepared, "tCho", 0.0, [0])
    assert len(found) == 2


def test_the_match_tells_how_far_it_is_and_can_be_ended(resolver, patient):
    prepared = resolver.prepare(*patient(size=(16, 16, 3)))
    own, told = resolver.with_detail("matched"), []

    def end(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        own.match(prepared, "NAA", progress=end)
    match = own.match(prepared, "NAA", progress=lambda *counts: told.append(counts))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert own.match(prepared, "NAA", progress=end) is match


def test_detail_is_added_as_far_as_enough_voxels_bear_it_out():
    images, brain = fine_images()
    held_back = hold_back(prepared_of(images, brain, 12))
    noise = np.random.default_rng(0).normal(0, 1, images.shape)
    noisy = replace(held_back, detail=held_back.detail + 0.5 * held_back.detail.std() * noise)
    amplitudes = []
    for side in (64, 16, 1):
        some = replace(noisy, brain=np.zeros_like(held_back.brain))
        some.brain[:, 32 - side // 2 : 32 + (side + 1) // 2, 32 - side // 2 : 32 + (side + 1) // 2] = True
        amplitudes.append(match_detail(images, some, SLICES).amplitude)
    assert amplitudes[0] > 0.95
    assert amplitudes[0] > amplitudes[1] > amplitudes[2]
    faint = replace(some, detail=some.detail + 50 * noise)
    assert match_detail(images, faint, SLICES).amplitude == 0
