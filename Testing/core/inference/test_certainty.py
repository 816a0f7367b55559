"""How sure a map is: symmetries that leave voxels where they are, features, and intervals that hold what they say."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from inference_core import InputError, SuperResolver
from inference_core.inference.uncertainty.calibration import (
    FEATURES,
    Calibration,
    IntervalModel,
    calibration_path,
    load_calibration,
)
from inference_core.inference.uncertainty.features import (
    Features,
    gather_features,
    local_mean,
    local_rms,
    unexplained_part,
)
from inference_core.inference.uncertainty.symmetries import SYMMETRIES
from inference_core.networks import kspace
from inference_core.networks.weights_io import load_weights, save_weights
from inference_core.research.calibration.fit import conformed_intervals, coverage, half_widths
from inference_core.research.calibration.samples import Samples, prepare_slices, sample_patient
from inference_core.research.data.simulated import SimulatedSlices
from inference_core.terms.conditions import METABOLITES


class ZeroFilling(nn.Module):
    """A network that is the same for mirrored and turned slices."""

    def forward(self, low_resolution, t1, flair, n, metabolite, sharpness):
        return kspace.zero_filled(low_resolution, (64, 64))


class Sloped(ZeroFilling):
    """One that is not: brighter to one side."""

    def forward(self, low_resolution, *rest):
        return super().forward(low_resolution, *rest) * torch.linspace(0.5, 1.5, 64)


@pytest.fixture(scope="module")
def slices():
    return SimulatedSlices(4_100_000, 1).slices()


@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("n", [15, 16])
def test_symmetries_keep_voxels_where_they_are(slices, symmetry, n):
    prepared = prepare_slices(slices, 2, n)
    seen = symmetry.of(prepared)
    filled = kspace.zero_filled(torch.from_numpy(prepared.low_resolution), (64, 64)).numpy()
    of_seen = kspace.zero_filled(torch.from_numpy(seen.low_resolution), (64, 64)).numpy()
    # The highest frequency of an even size has no counterpart of opposite sign.
    np.testing.assert_allclose(symmetry.undone(of_seen), filled, atol=(1e-5 if n % 2 else 0.03) * filled.max())
    np.testing.assert_array_equal(symmetry.undone(seen.brain), prepared.brain)

    def on_maps_grid(t1):
        return t1.reshape(-1, 64, 3, 64, 3, 3).mean(axis=(2, 4, 5))

    np.testing.assert_allclose(symmetry.undone(on_maps_grid(seen.t1)), on_maps_grid(prepared.t1), atol=1e-6)


def test_symmetries_are_eight_and_the_first_changes_nothing(slices):
    prepared = prepare_slices(slices, 2, 16)
    seen = [symmetry.of(prepared).low_resolution.tobytes() for symmetry in SYMMETRIES]
    assert len(set(seen)) == 8
    assert seen[0] == prepared.low_resolution.tobytes()


def test_the_augmentation_deviation_is_what_mirroring_changes(slices):
    prepared = prepare_slices(slices, 2, 16)
    maps, features = gather_features(SuperResolver(ZeroFilling(), "cpu"), prepared, "NAA", 0.0, [0])
    filled = kspace.zero_filled(torch.from_numpy(prepared.low_resolution), (64, 64)).numpy() * prepared.brain
    np.testing.assert_allclose(maps, filled, rtol=1e-5, atol=1e-4 * filled.max())
    assert features.augmentation_deviation.max() < 0.005 * filled.max()
    seen = []
    _, sloped = gather_features(
        SuperResolver(Sloped(), "cpu"), prepared, "NAA", 0.0, [0], lambda *counts: seen.append(counts)
    )
    assert seen == [(done, 9) for done in range(1, 10)]
    # Brighter by up to half to each of the four sides in turn: least in the middle.
    relative = sloped.augmentation_deviation[0] / np.maximum(filled[0], 1)
    assert relative[32, 14] > 3 * relative[32, 32]


def test_what_mri_explains_is_left_out_and_an_occult_spot_is_not():
    rng = np.random.default_rng(0)
    t1, flair = rng.random((2, 64, 64)) + 0.5
    brain = np.hypot(*(np.indices((64, 64)) - 32)) < 25
    explained = 3 + 2 * t1 - flair**2 + 0.01 * np.arange(64)
    assert np.abs(unexplained_part(explained, t1, flair, brain)).max() < 1e-6
    spot = explained + 2.0 * (np.hypot(*(np.indices((64, 64)) - np.array([[[30]], [[40]]]))) < 2)
    found = unexplained_part(spot, t1, flair, brain)
    assert found[30, 40] > 1
    assert np.median(np.abs(found[brain])) < 1e-3
    assert not found[~brain].any()
    assert not unexplained_part(explained, t1, flair, np.zeros_like(brain)).any()


def test_local_means_keep_to_the_brain():
    rng = np.random.default_rng(1)
    brain = np.hypot(*(np.indices((64, 64)) - 32)) < 25
    constant = np.where(brain, 3.0, 1000.0)
    np.testing.assert_allclose(local_mean(constant, brain)[brain], 3.0)
    np.testing.assert_allclose(local_rms(-constant, brain)[brain], 3.0)
    noise = rng.standard_normal((64, 64))
    # Noise has a magnitude but next to no mean; a lesion has both.
    assert np.median(np.abs(local_mean(noise, brain))[brain]) < 0.3 * np.median(local_rms(noise, brain)[brain])
    assert not local_mean(noise, brain)[~brain].any()
    assert not local_rms(noise, brain)[~brain].any()


class Adding(nn.Module):
    """A network whose detail has as many voxels as the map: what it shows depends on how much was measured."""

    def forward(self, low_resolution, t1, flair, n, metabolite, sharpness):
        filled = kspace.zero_filled(low_resolution, (64, 64))
        return filled * (1 + (torch.arange(64) > 40) * low_resolution.shape[-1] / 64)


def test_the_kspace_dependence_is_what_less_kspace_changes(slices):
    prepared = prepare_slices(slices, 2, 16)
    _, features = gather_features(SuperResolver(Adding(), "cpu"), prepared, "NAA", 0.0, [0])
    relative = features.relative(("kspace_dependence",))[0, ..., 0]
    brain = prepared.brain[0]
    left, right = brain & (np.arange(64) < 35), brain & (np.arange(64) > 46)
    # Of 16 x 16 samples 8 x 8 are kept: on the right, an eighth of the map goes with the others.
    assert np.median(relative[right]) > 0.1
    assert np.median(relative[right]) > 1.3 * np.median(relative[left])
    assert not relative[~brain].any()


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (8, 8), (16, 12), (42, 42)])
def test_maps_of_any_matrix_have_features(slices, size):
    prepared = prepare_slices(slices, 2, 16)
    low_resolution = kspace.low_resolution(torch.from_numpy(slices.acquired[2]), size).numpy()
    grid = replace(prepared.grid, rows=size[0], columns=size[1])
    prepared = replace(prepared, low_resolution=low_resolution, grid=grid, n=8)
    _, features = gather_features(SuperResolver(ZeroFilling(), "cpu"), prepared, "NAA", 0.0, [0])
    assert np.isfinite(features.relative(tuple(FEATURES))).all()
    assert features.kspace_dependence.any()


def test_a_map_of_other_rows_than_columns_may_move_its_measured_data(slices):
    prepared = prepare_slices(slices, 2, 16)
    low_resolution = kspace.low_resolution(torch.from_numpy(slices.acquired[2]), (12, 20))
    grid = replace(prepared.grid, rows=12, columns=20)
    prepared = replace(prepared, low_resolution=low_resolution.numpy(), grid=grid, n=15)
    resolver = SuperResolver.load(device="cpu", consistency="noise")
    maps, features = gather_features(resolver, prepared, "NAA", 0.0, [0])
    np.testing.assert_array_equal(maps, resolver.super_resolve(prepared, "NAA", 0.0, [0]))
    assert features.augmentation_deviation.any()


#: Half-widths that follow the features, n and lambda.
KNOWN = IntervalModel(
    np.linspace(1.5, 2.5, len(METABOLITES)),
    np.array([0.3, 0.2, 0.7, 0.0, 0.8, 0.3, 0.0, 0.1, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0]),
    np.tile([-5.0, 1.0], (len(FEATURES), 1)),
)


def synthetic(seed, count=30_000):
    """Errors that follow a t distribution of known width, in every metabolite, region and condition."""
    rng = np.random.default_rng(seed)
    features = rng.gamma(2, 0.05, (count, len(FEATURES)))
    n, sharpness = rng.choice([8, 16, 32], count), rng.choice([0, 0.05, 0.1], count)
    metabolite, region = rng.integers(len(METABOLITES), size=count), rng.integers(4, size=count)
    error = KNOWN.half_width(features, metabolite, n, sharpness) * rng.standard_t(4, count)
    return Samples(features, error, metabolite, n, sharpness, region, np.ones(count), rng.integers(20, size=count))


def measured(make):
    """Coverage of intervals on samples that they were not made from."""
    intervals, factor = conformed_intervals(make(0))
    samples = make(2)
    return coverage(samples, half_widths(samples, intervals), factor), factor


def test_intervals_hold_what_they_say():
    found, factor = measured(synthetic)
    for name, group in found.items():
        assert group["68 %"] == pytest.approx(0.68, abs=0.03), name
        assert group["95 %"] == pytest.approx(0.95, abs=0.015), name
    assert factor == pytest.approx(2.4, abs=0.3)


def test_intervals_are_wider_where_features_tell_of_lesions():
    def with_lesions(seed):
        samples = synthetic(seed)
        ill = samples.region == 2
        # Lesions err three times as much, are one of a hundred voxels, and stand out.
        features = samples.features.copy()
        features[ill, 2] += 0.4
        error = np.where(ill, 3.0, 1.0) * samples.error
        return replace(samples, features=features, error=error, weight=np.where(ill, 0.03, 1.0))

    found, _ = measured(with_lesions)
    assert found["all"]["68 %"] == pytest.approx(0.68, abs=0.03)
    assert found["raised"]["68 %"] == pytest.approx(0.68, abs=0.05)
    assert found["raised"]["width"] > 2 * found["all"]["width"]


def test_intervals_are_as_far_from_too_narrow_as_from_too_wide():
    def erring(seed):
        samples = synthetic(seed)
        more = np.select([samples.region == 1, samples.region == 3], [1.2, 1.4], 1.0)
        return replace(samples, error=samples.error * more)

    found, _ = measured(erring)
    for share, tolerance in ((0.68, 0.03), (0.95, 0.015)):
        of = {name: found[name][f"{100 * share:.0f} %"] - share for name in ("all", "tumour", "raised", "lowered")}
        assert of["lowered"] < 0 < of["raised"]
        assert of["lowered"] < of["tumour"] < of["raised"]
        # The region that errs most deviates as much as the one that errs least.
        assert of["lowered"] == pytest.approx(-of["raised"], abs=tolerance)
        assert abs(of["lowered"]) < 0.1


def test_features_make_intervals_narrower_for_the_same_coverage():
    def without_features(seed):
        samples = synthetic(seed)
        return replace(samples, features=np.ones_like(samples.features))

    widths = []
    for make in (synthetic, without_features):
        found, factor = measured(make)
        assert found["all"]["95 %"] == pytest.approx(0.95, abs=0.015)
        widths.append(factor * found["all"]["width"])
    assert widths[0] < 0.95 * widths[1]


def test_uncertainty_is_in_the_maps_units():
    calibration = Calibration(KNOWN, 2.0, {})
    rng = np.random.default_rng(0)
    level = np.broadcast_to(np.array([2.0, 0.0], np.float32)[:, None, None], (2, 64, 64))
    features = Features(level, *rng.random((4, 2, 64, 64)).astype(np.float32))
    widths = calibration.uncertainty(features, "NAA", 16, 0.0)
    assert widths.shape == (2, 64, 64)
    assert (widths[0] > 0).all()
    assert not widths[1].any()
    names = ("level", *FEATURES)
    tenfold = replace(features, **{name: 10 * getattr(features, name) for name in names})
    np.testing.assert_allclose(calibration.uncertainty(tenfold, "NAA", 16, 0.0), 10 * widths, rtol=1e-5)
    assert (calibration.uncertainty(features, "NAA", 16, 0.1)[0] > widths[0]).all()
    # Features and n beyond the range that it was fitted on tell no more than its ends.
    for outside, at_its_end in ((4, 8), (42, 32)):
        np.testing.assert_array_equal(
            *(calibration.uncertainty(features, "NAA", n, 0.0) for n in (outside, at_its_end))
        )
    narrow = Calibration(replace(KNOWN, ranges=np.tile([-2.0, -1.0], (len(FEATURES), 1))), 2.0, {})
    beyond, at_the_end = (
        replace(features, **{name: np.float32(share) * level for name in FEATURES}) for share in (9, np.exp(-1))
    )
    np.testing.assert_allclose(*(narrow.uncertainty(each, "NAA", 16, 0.0) for each in (beyond, at_the_end)), rtol=0.05)


def test_samples_are_of_every_region_and_depend_on_the_seed_alone():
    resolver = SuperResolver(ZeroFilling(), "cpu")
    patient = SimulatedSlices(4_100_003, 1)
    first, again = (sample_patient(resolver, patient, (16,), (0.0, 0.1)) for _ in range(2))
    np.testing.assert_array_equal(first.error, again.error)
    assert set(first.sharpness) == {0.0, 0.1}
    assert np.isfinite(first.features).all()
    assert first.features.shape[1] == len(FEATURES)
    assert len(first.error) > 500


def test_a_calibration_is_of_the_weights_beside_it(tmp_path):
    path = tmp_path / "own.safetensors"
    save_weights(path, load_weights()[0])
    info = load_weights(path)[1]
    with pytest.raises(InputError, match="There is no calibration"):
        load_calibration(info)
    content = {"weights_sha256": info.sha256, "factor_95": 2.2, "intervals": KNOWN.as_json()}
    calibration_path(path).write_text(json.dumps(content))
    loaded = load_calibration(info)
    assert loaded.factor_95 == 2.2
    relative = np.random.default_rng(0).random((9, len(FEATURES)))
    widths, expected = (intervals.half_width(relative, 3, 12, 0.03) for intervals in (loaded.intervals, KNOWN))
    np.testing.assert_allclose(widths, expected, rtol=1e-3)
    short = KNOWN.as_json()
    short["features"]["spread"]["d, e, f"] = [0.1]
    swapped = KNOWN.as_json()
    swapped["features"]["unexplained"]["range"] = [1.0, -5.0]
    pairs, longer = KNOWN.as_json(), KNOWN.as_json()
    pairs["offsets"] = {name: [1.0, 2.0] for name in METABOLITES}
    longer["features"]["spread"]["d, e, f"] = [0.1] * 4
    enormous = KNOWN.as_json() | {"offsets": dict.fromkeys(METABOLITES, 1e4)}
    damages = [{"factor_95": factor} for factor in (0.5, None, float("nan"), float("inf"), 10**400)]
    wrong = ({}, None, short, swapped, pairs, longer, enormous)
    for damage in (*damages, *({"intervals": intervals} for intervals in wrong)):
        calibration_path(path).write_text(json.dumps(content | damage))
        with pytest.raises(InputError, match="is damaged"):
            load_calibration(info)
    calibration_path(path).write_text(json.dumps({"weights_sha256": info.sha256, "factor_95": 2.2, "coefficients": {}}))
    with pytest.raises(InputError, match="by an earlier version"):
        load_calibration(info)
    calibration_path(path).write_text(json.dumps(content | {"weights_sha256": "0"}))
    with pytest.raises(InputError, match="is of other weights"):
        load_calibration(info)
