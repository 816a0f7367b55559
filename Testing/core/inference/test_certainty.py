"""How sure a map is: symmetries that leave voxels where they are, features, and intervals that hold what they say."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from inference_core import InputError, SuperResolver
from inference_core.inference.uncertainty.calibration import (
    FEATURE_KEYS,
    FEATURES,
    Calibration,
    calibration_path,
    load_calibration,
)
from inference_core.inference.uncertainty.features import Features, gather_features, unexplained_part
from inference_core.inference.uncertainty.symmetries import SYMMETRIES
from inference_core.networks import kspace
from inference_core.networks.weights_io import load_weights, save_weights
from inference_core.research.calibration.fit import conform, coverage, fit_coefficients
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
    assert seen == [(done, 8) for done in range(1, 9)]
    # Brighter by up to half to each of the four sides in turn: least in the middle.
    relative = sloped.augmentation_deviation[0] / np.maximum(filled[0], 1)
    assert relative[32, 14] > 3 * relative[32, 32]


def test_what_mri_explains_is_left_out_and_an_occult_spot_is_not():
    rng = np.random.default_rng(0)
    t1, flair = rng.random((2, 64, 64)) + 0.5
    brain = np.hypot(*(np.indices((64, 64)) - 32)) < 25
    explained = 3 + 2 * t1 - flair**2 + 0.01 * np.arange(64)
    assert unexplained_part(explained, t1, flair, brain).max() < 1e-6
    spot = explained + 2.0 * (np.hypot(*(np.indices((64, 64)) - np.array([[[30]], [[40]]]))) < 2)
    found = unexplained_part(spot, t1, flair, brain)
    assert found[30, 40] > 1
    assert np.median(found[brain]) < 1e-3
    assert not found[~brain].any()
    assert not unexplained_part(explained, t1, flair, np.zeros_like(brain)).any()


def synthetic(seed, count=30_000):
    """Errors that follow a t distribution of known width, in every metabolite, region and condition."""
    rng = np.random.default_rng(seed)
    features = np.stack([np.ones(count), *rng.gamma(2, 0.05, (2, count))], axis=1)
    n, sharpness = rng.choice([8, 16, 32], count), rng.choice([0, 0.05, 0.1], count)
    variance = (0.02 * features[:, 0]) ** 2 + (16 / n) * (1.5 * features[:, 1]) ** 2 + (0.5 * features[:, 2]) ** 2
    error = np.sqrt(variance) * rng.standard_t(4, count)
    metabolite, region = rng.integers(len(METABOLITES), size=count), rng.integers(4, size=count)
    return Samples(features, error, metabolite, n, sharpness, region, np.ones(count))


def test_intervals_hold_what_they_say():
    coefficients, factor = conform(synthetic(1), fit_coefficients(synthetic(0)))
    found = coverage(synthetic(2), coefficients, factor)
    for name, group in found.items():
        assert group["68 %"] == pytest.approx(0.68, abs=0.03), name
        assert group["95 %"] == pytest.approx(0.95, abs=0.015), name
    assert factor == pytest.approx(2.4, abs=0.3)


def test_intervals_are_as_far_from_too_narrow_as_from_too_wide():
    def erring(seed):
        samples = synthetic(seed)
        more = np.select([samples.region == 1, samples.region == 3], [1.2, 1.4], 1.0)
        return replace(samples, error=samples.error * more * np.exp(-0.7 * (16 / samples.n - 1)))

    found = coverage(erring(2), *conform(erring(1), fit_coefficients(erring(0))))
    for share, tolerance in ((0.68, 0.03), (0.95, 0.015)):
        of = {name: found[name][f"{100 * share:.0f} %"] - share for name in ("all", "tumour", "raised", "lowered")}
        assert of["lowered"] < 0 < of["raised"]
        assert of["lowered"] < of["tumour"] < of["raised"]
        # The region that errs most deviates as much as the one that errs least.
        assert of["lowered"] == pytest.approx(-of["raised"], abs=tolerance)
        assert abs(of["lowered"]) < 0.1
    shares = [found[f"n = {n}"]["68 %"] for n in (8, 16, 32)]
    assert max(shares) - min(shares) < 0.08


def test_features_make_intervals_narrower_for_the_same_coverage():
    widths = []
    for features in (FEATURES, ("level",)):
        coefficients, factor = conform(synthetic(1), fit_coefficients(synthetic(0), features))
        found = coverage(synthetic(2), coefficients, factor)["all"]
        assert found["95 %"] == pytest.approx(0.95, abs=0.015)
        widths.append(factor * found["width"])
    assert widths[0] < 0.95 * widths[1]


def test_uncertainty_is_in_the_maps_units():
    coefficients = {name: np.tile([-4.0, 0.5, 1.0], (3, 1)) for name in METABOLITES}
    calibration = Calibration(coefficients, 2.0, {})
    features = Features(*np.random.default_rng(0).random((3, 2, 64, 64)).astype(np.float32))
    widths = calibration.uncertainty(features, "NAA", 16, 0.0)
    assert widths.shape == (2, 64, 64)
    expected = np.sqrt(np.exp(-4) * sum(getattr(features, name) ** 2 for name in FEATURES))
    np.testing.assert_allclose(widths, expected, rtol=1e-5)
    tenfold = replace(features, **{name: 10 * getattr(features, name) for name in FEATURES})
    np.testing.assert_allclose(calibration.uncertainty(tenfold, "NAA", 16, 0.0), 10 * widths, rtol=1e-5)
    assert (calibration.uncertainty(features, "NAA", 8, 0.0) > widths).all()
    assert (calibration.uncertainty(features, "NAA", 16, 0.1) > widths).all()


def test_samples_are_of_every_region_and_depend_on_the_seed_alone():
    resolver = SuperResolver(ZeroFilling(), "cpu")
    patient = SimulatedSlices(4_100_003, 1)
    first, again = (sample_patient(resolver, patient, (16,), (0.0, 0.1)) for _ in range(2))
    np.testing.assert_array_equal(first.error, again.error)
    assert set(first.sharpness) == {0.0, 0.1}
    assert np.isfinite(first.features).all()
    assert np.allclose(first.features[:, 0], 1)
    assert len(first.error) > 500


def test_a_calibration_is_of_the_weights_beside_it(tmp_path):
    path = tmp_path / "own.safetensors"
    save_weights(path, load_weights()[0])
    info = load_weights(path)[1]
    with pytest.raises(InputError, match="There is no calibration"):
        load_calibration(info)
    own = {name: [[-4.0, 0.0, 0.0]] * 3 for name in METABOLITES}
    content = {
        "weights_sha256": info.sha256,
        "factor_95": 2.2,
        "coefficients": {name: dict(zip(FEATURE_KEYS, rows, strict=True)) for name, rows in own.items()},
    }
    calibration_path(path).write_text(json.dumps(content))
    assert load_calibration(info).factor_95 == 2.2
    for damage in ({"factor_95": 0.5}, {"coefficients": {}}, {"factor_95": None}):
        calibration_path(path).write_text(json.dumps(content | damage))
        with pytest.raises(InputError, match="is damaged"):
            load_calibration(info)
    calibration_path(path).write_text(json.dumps(content | {"weights_sha256": "0"}))
    with pytest.raises(InputError, match="is of other weights"):
        load_calibration(info)
