"""The network's detail against the map's own held-back k-space."""

import json
from itertools import pairwise

import numpy as np
import pytest
import SimpleITK as sitk
from held_back_patients import KnownProposals, fine_images, prepared_of

from inference_core.errors import InputError
from inference_core.inference.map_noise import noise_beside, noise_from_bounds, noise_from_map, noise_from_repetition
from inference_core.inference.self_check import CONFIRMED, CONTRADICTED, NOISE, UNDECIDED, self_check

N = 24


@pytest.fixture
def images():
    return fine_images(6)[0]


@pytest.fixture
def brain():
    return fine_images(6)[1]


@pytest.fixture
def prepared(images, brain):
    return prepared_of(images, brain, N)


def bounds_of(prepared, percent):
    return sitk.GetImageFromArray(np.full(prepared.low_resolution.shape, percent, np.float32))


def test_the_truth_explains_all_and_zero_filling_nothing(images, prepared):
    check = self_check(KnownProposals(images), prepared, "NAA")
    assert check.explained == pytest.approx(1, abs=0.02)
    assert check.verdict == CONFIRMED
    assert check.warning is None
    assert (check.n, check.kept, check.metabolite) == (24, 16, "NAA")
    nothing = self_check(KnownProposals(np.ones_like(images)), prepared, "NAA")
    assert nothing.explained == 0
    assert nothing.verdict in (UNDECIDED, NOISE)
    assert "zero-filling: 0%" in nothing.sentence


def test_of_a_zero_filled_map_it_tells_what_is_left_out(images, prepared):
    check = self_check(KnownProposals(20 - images, "zero-filled"), prepared, "NAA", 0.02)
    assert check.explained == 0
    assert check.warning is None
    assert "lambda = 0.02): none of the network's detail is shown" in check.sentence
    assert "as the network proposes it, it would explain -3" in check.sentence


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_the_share_is_what_it_says(images, prepared, share):
    # Of detail in proportion to the measured one, 1 - (1 - p)^2 is explained.
    check = self_check(KnownProposals(10 + share * (images - 10)), prepared, "NAA")
    assert check.explained == pytest.approx(1 - (1 - share) ** 2, abs=0.02)


def test_detail_that_the_map_contradicts_is_warned_of(images, prepared):
    check = self_check(KnownProposals(20 - images), prepared, "Cr+PCr")
    assert check.explained == pytest.approx(-3, abs=0.1)
    assert check.verdict == CONTRADICTED
    assert check.contradicted
    assert "match the detail to the data, or use lambda = 0 and zero-filled detail" in check.warning
    assert "tCr" in check.warning
    matched = self_check(KnownProposals(20 - images, "matched"), prepared, "tCr")
    assert matched.explained == pytest.approx(0, abs=0.01)
    assert matched.unscaled == pytest.approx(-3, abs=0.1)
    assert not matched.contradicted


def test_what_the_proposal_holds_inside_the_kept_k_space_plays_no_part(images, prepared):
    check = self_check(KnownProposals(images), prepared, "NAA")
    wave = 40 + 30 * np.cos(2 * np.pi * 3 * np.arange(64) / 64)
    assert self_check(KnownProposals(images + wave), prepared, "NAA").explained == pytest.approx(check.explained)


def test_rings_add_up_from_low_to_high_frequency(images, prepared):
    rings = self_check(KnownProposals(images), prepared, "NAA").rings
    assert [ring.from_resolution for ring in rings] == sorted(ring.from_resolution for ring in rings)
    assert rings[0].from_resolution == pytest.approx(18, abs=2)
    assert rings[1].to_resolution == N
    for one, next_one in pairwise(rings):
        assert one.to_resolution == next_one.from_resolution
    assert all(ring.explained > 0.95 for ring in rings)


def test_the_share_of_noise_is_that_of_the_bounds(brain):
    flat, rng = np.full((6, 64, 64), 10.0), np.random.default_rng(5)
    prepared = prepared_of(flat, brain, N)
    noise = rng.standard_normal(prepared.low_resolution.shape) * 0.5
    noisy = type(prepared)(**{**vars(prepared), "low_resolution": (prepared.low_resolution + noise).astype(np.float32)})
    check = self_check(KnownProposals(flat), noisy, "NAA", noise=noise_from_bounds(noisy, bounds_of(noisy, 5.0)))
    assert check.noise == pytest.approx(1, abs=0.1)
    assert check.verdict == NOISE
    assert "At least" in check.sentence
    assert "Cramér-Rao" in check.sentence
    half = self_check(KnownProposals(flat), noisy, "NAA", noise=noise_from_bounds(noisy, bounds_of(noisy, 2.5)))
    assert half.noise == pytest.approx(0.25, abs=0.05)


def test_failed_fits_have_no_bound(prepared):
    bounds = sitk.GetArrayFromImage(bounds_of(prepared, 4.0))
    bounds[:, :12] = 999
    draws = noise_from_bounds(prepared, sitk.GetImageFromArray(bounds)).draws
    assert not draws[:, :, :12].any()
    assert draws[:, :, 12:].std() == pytest.approx(0.4, rel=0.1)


def test_noise_by_a_repetition_and_by_the_map_itself_is_the_noise(brain):
    rng = np.random.default_rng(2)
    smooth = np.broadcast_to(10 + np.cos(np.arange(64) / 15), (6, 64, 64))
    one, other = (prepared_of(smooth + rng.standard_normal((6, 64, 64)) * 64 / N * 0.3, brain, N) for _ in range(2))
    check = self_check(KnownProposals(smooth), one, "NAA", noise=noise_from_repetition(one, other))
    assert check.noise == pytest.approx(1, abs=0.15)
    assert noise_from_repetition(one, other).draws.std() == pytest.approx(0.3, rel=0.1)
    own = noise_from_map(one, list(range(6)), np.asarray(smooth))
    assert own.draws.std() == pytest.approx(0.3, rel=0.15)
    assert own.certainty == "at most"


def test_bounds_and_repetitions_on_other_grids_are_refused(prepared, images, brain):
    with pytest.raises(InputError, match="grid"):
        noise_from_bounds(prepared, sitk.Image(16, 16, 6, sitk.sitkFloat32))
    with pytest.raises(InputError, match="grid"):
        noise_from_repetition(prepared, prepared_of(images, brain, 16))


def test_bounds_beside_a_prepared_map_are_found(prepared, tmp_path):
    path = tmp_path / "sub-01_desc-filtered_NAA.nii.gz"
    assert noise_beside(prepared, path) is None
    sitk.WriteImage(bounds_of(prepared, 5.0), str(tmp_path / "sub-01_desc-crlb_NAA.nii.gz"))
    assert noise_beside(prepared, path).certainty == "at least"
    assert noise_beside(prepared, tmp_path / "NAA.nii.gz") is None


def test_a_coarse_map_says_why_it_is_not_checked(images, brain):
    with pytest.raises(InputError, match="n = 10 can't be checked"):
        self_check(KnownProposals(images), prepared_of(images, brain, 10), "NAA")


def test_a_description_can_be_written_and_holds_no_nan(images, prepared):
    described = self_check(KnownProposals(images), prepared, "NAA").describe()
    assert json.loads(json.dumps(described, allow_nan=False))["Verdict"] == CONFIRMED


def test_a_user_can_end_it(images, prepared):
    class EndedError(Exception):
        pass

    def check(done, total):
        raise EndedError

    class Slow(KnownProposals):
        def propose(self, prepared, metabolite, sharpness=0.0, slices=None, progress=None):
            progress(1, len(slices))

    with pytest.raises(EndedError):
        self_check(Slow(images), prepared, "NAA", check=check)
