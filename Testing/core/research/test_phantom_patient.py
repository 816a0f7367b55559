"""Simulated patients: the same from the same seed, and like a head, a glioma and an examination."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from inference_core.errors import InputError
from inference_core.research.data.simulated import SimulatedSlices
from inference_core.research.phantom import SliceStack, simulate_patient
from inference_core.research.phantom.acquisition import _NOISE, Scanner
from inference_core.research.phantom.metabolism import Mixture
from inference_core.terms.conditions import METABOLITES, MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

SEEDS = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def stacks() -> list[SliceStack]:
    return [simulate_patient(seed).slices(2) for seed in SEEDS]


def _same(one: SliceStack, other: SliceStack) -> list[bool]:
    return [getattr(one, f.name).tobytes() == getattr(other, f.name).tobytes() for f in fields(SliceStack)]


def _parenchyma(patient, count: int):
    """Random points of the patient's slab inside the brain, with their tissue and tumour."""
    index = np.random.default_rng(0).uniform(-0.5, np.array(patient.mrsi.size) - 0.5, (count, 3))
    points = np.asarray(patient.mrsi.origin) + index @ patient.mrsi.to_head.T
    tissue, zones = patient.matter(points)
    return points, tissue, zones, (tissue.brain > 0.99) & (tissue.csf < 0.2)


def test_the_same_seed_makes_the_same_patient_whatever_was_asked_for_before():
    first = simulate_patient(5)
    fresh = first.slices(1)
    first.slices(2)
    assert all(_same(fresh, first.slices(1)))
    assert all(_same(fresh, simulate_patient(5).slices(1)))


def test_seeds_make_different_patients(stacks):
    assert not any(_same(stacks[0], stacks[1]))


def test_a_slice_has_the_same_maps_whatever_the_count(stacks):
    patient = simulate_patient(SEEDS[0])
    # Of S slices, slices(2) takes numbers S // 4 and 3 S // 4.
    part = patient._slice(patient.mrsi.size[2] // 4)
    for name in ("truth", "acquired", "mask", "occult"):
        np.testing.assert_array_equal(part[name], getattr(stacks[0], name)[:, 0])


def test_shapes_types_and_ranges(stacks):
    side, metabolites = SUPER_RESOLVED_MATRIX, len(METABOLITES)
    for stack in stacks:
        for image in (stack.t1, stack.flair):
            assert image.shape == (2, 3 * side, 3 * side, 3)
            assert image.dtype == np.float32
            assert image.min() == 0
            assert image.max() == 1
        for maps, kind in (
            (stack.truth, np.float32),
            (stack.acquired, np.float32),
            (stack.mask, np.bool_),
            (stack.occult, np.int8),
        ):
            assert maps.shape == (metabolites, 2, side, side)
            assert maps.dtype == kind
        assert stack.tumour.shape == (2, side, side)
        assert np.isfinite(stack.truth).all()
        assert stack.truth.min() >= 0
        assert stack.acquired.min() >= 0
        assert set(np.unique(stack.occult)) <= {-1, 0, 1}


def test_nothing_lies_outside_the_brain(stacks):
    side = SUPER_RESOLVED_MATRIX
    for stack in stacks:
        outside = stack.t1.reshape(2, side, 3, side, 3, 3).max(axis=(2, 4, 5)) == 0
        assert outside.mean() > 0.2
        for maps in (stack.truth, stack.acquired, stack.mask, stack.occult):
            assert not maps[:, outside].any()
        assert not stack.tumour[outside].any()
        # The field of view holds the head: its edges are empty.
        edges = stack.truth.copy()
        edges[:, :, 1:-1, 1:-1] = 0
        assert not edges.any()


def test_slices_hold_a_head_of_plausible_size(stacks):
    for seed, stack in zip(SEEDS, stacks, strict=True):
        area = (stack.truth[2] > 0).sum(axis=(1, 2)) * np.prod(simulate_patient(seed).mrsi.spacing[:2]) / 100
        assert (area > 60).all()
        assert (area < 280).all()


def test_grids_vary_and_are_valid():
    grids = [simulate_patient(seed).grid() for seed in range(25)]
    for grid in grids:
        direction = np.array(grid.direction)
        np.testing.assert_allclose(direction @ direction.T, np.eye(3), atol=1e-12)
        assert 2.8 <= grid.spacing[0] == grid.spacing[1] <= 4.2
        assert grid.size[:2] == (SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX)
        assert 11 <= grid.size[2] <= 18
        # Near-axial: the slice axis within 22 degrees of head-foot.
        assert abs(direction[2, 2]) > np.cos(np.deg2rad(22))
    assert len({grid.size[2] for grid in grids}) > 3
    assert sum(grid.spacing[0] == 3.4 for grid in grids) > 5
    assert {np.sign(np.linalg.det(grid.direction)) for grid in grids} == {-1, 1}


def test_mri_grid_has_the_maps_voxel_centres_at_every_third_sub_voxel():
    grid = simulate_patient(3).grid(5)
    fine = grid.refined()
    assert fine.size == tuple(MRI_UPSAMPLING * size for size in grid.size)
    centres = fine.points([1, 4])[:, 1::3, 1::3]
    np.testing.assert_allclose(centres, grid.points([0, 1]), atol=1e-9)


def test_tissue_fractions_add_up_and_ventricles_hold_csf():
    filled = []
    for seed in range(12):
        patient = simulate_patient(seed)
        _, tissue, _, inside = _parenchyma(patient, 2000)
        np.testing.assert_allclose(tissue.csf + tissue.gm + tissue.wm, 1, atol=1e-5)
        assert min(tissue.gm[inside].mean(), tissue.wm[inside].mean()) > 0.2
        # Around both lateral ventricles of the template (RAS), room for the warps included.
        box = np.stack(np.meshgrid((-14, -10, 10, 14), (-14, -6, 2), (16, 20, 24)), axis=-1).reshape(-1, 3)
        head = np.array([replace(patient.anatomy, pushes=()).to_head(point) for point in box])
        filled.append(replace(patient.anatomy, pushes=()).tissue(head).csf.max() > 0.8)
    assert np.mean(filled) > 0.8


def test_tumours_change_metabolites_in_the_known_direction():
    ratios = []
    for seed in range(25):
        patient = simulate_patient(seed)
        points, tissue, zones, inside = _parenchyma(patient, 3000)
        rim = inside & (zones.rim > 0.7)
        if rim.sum() < 5:
            continue
        # MRI-occult spots would blur the comparison.
        metabolism = replace(patient.metabolism, spots=((),) * len(METABOLITES))
        values = metabolism.concentration(points, Mixture.of(tissue, zones))
        normal = inside & (zones.rim + zones.necrosis + zones.infiltration < 0.02)
        ratios.append(values[:, rim].mean(axis=1) / values[:, normal].mean(axis=1))
    assert len(ratios) >= 8
    mean = dict(zip(METABOLITES, np.mean(ratios, axis=0), strict=True))
    assert mean["NAA"] < 0.5
    assert 0.5 < mean["tCr"] < 0.95
    assert mean["Glu"] < 0.85
    assert mean["tCho"] > 1.6
    assert mean["Gln"] > 1.4
    assert mean["Gly"] > 2


def test_tumours_show_on_mri_and_some_patients_have_none():
    patients = [simulate_patient(seed) for seed in range(25)]
    counts = [len(patient.tumours) for patient in patients]
    assert {0, 1, 2} == set(counts)
    assert counts.count(1) > 12
    contrasts = []
    for patient in patients[:15]:
        points, tissue, zones, inside = _parenchyma(patient, 3000)
        wet = inside & (zones.oedema > 0.8) & (zones.rim + zones.necrosis < 0.02)
        if wet.sum() > 5:
            flair = patient.flair.signal(points, tissue, zones)
            contrasts.append(flair[wet].mean() / flair[inside & (zones.oedema < 0.02)].mean())
    assert len(contrasts) > 4
    assert min(contrasts) > 1.1


def test_occult_spots_change_their_metabolite_and_nothing_on_mri(stacks):
    raised, lowered = [], []
    for seed, stack in zip(SEEDS[:2], stacks, strict=False):
        patient = simulate_patient(seed)
        none = replace(patient.metabolism, spots=((),) * len(METABOLITES))
        without = replace(patient, metabolism=none).slices(2)
        np.testing.assert_array_equal(stack.t1, without.t1)
        np.testing.assert_array_equal(stack.flair, without.flair)
        assert not without.occult.any()
        ratio = stack.truth / np.maximum(without.truth, 1e-6)
        raised.extend(ratio[stack.occult == 1])
        lowered.extend(ratio[stack.occult == -1])
    assert len(raised) > 20
    assert len(lowered) > 20
    assert np.median(raised) > 1.3
    assert np.median(lowered) < 0.8


def test_small_spots_are_the_same_spots_of_at_most_6_mm(stacks):
    patient = simulate_patient(SEEDS[0])
    small = patient.with_small_spots()
    spots, others = ([spot for group in each.metabolism.spots for spot in group] for each in (patient, small))
    assert len(spots) > 10
    for spot, other in zip(spots, others, strict=True):
        assert 3 <= other.radius <= min(6, spot.radius)
        assert (other.amount, *other.centre) == (spot.amount, *spot.centre)
    stack, shown = stacks[0], SimulatedSlices(SEEDS[0], 2, small_spots=True)
    np.testing.assert_array_equal(shown.slices().flair, stack.flair.astype(np.float16))
    assert 0 < np.count_nonzero(shown.lesions().occult) < 0.7 * np.count_nonzero(stack.occult)
    usual = SimulatedSlices(SEEDS[0], 2)
    assert shown.origin() != usual.origin()
    assert shown.name != usual.name


def test_points_that_hold_no_brain_are_left_out_but_for_those_asked_for():
    patient = simulate_patient(SEEDS[0])
    points = patient.mrsi.points([patient.mrsi.size[2] // 2]).reshape(-1, 3).astype(np.float32)
    all_of_them = patient.anatomy.tissue(points)
    inside, place = patient.anatomy.brain_points(points)
    np.testing.assert_array_equal(inside, np.flatnonzero(all_of_them.brain > 0))
    some = patient.anatomy.tissue(points[inside], place)
    for name in ("brain", "csf", "gm", "wm", "depth", "height"):
        np.testing.assert_array_equal(getattr(some, name), getattr(all_of_them, name)[inside])
    near, _ = patient.anatomy.brain_points(points, np.ones(len(points), bool))
    np.testing.assert_array_equal(near, np.flatnonzero(patient.anatomy.maybe_brain(points)))
    assert len(near) > len(inside)


def test_every_metabolite_gets_raised_and_lowered_occult_spots():
    seen = set()
    for seed in range(20):
        for metabolite, spots in enumerate(simulate_patient(seed).metabolism.spots):
            seen |= {(metabolite, spot.amount > 0) for spot in spots}
    assert len(seen) == 2 * len(METABOLITES)


def test_some_lesions_show_on_mri_alone():
    patient = next(p for p in map(simulate_patient, range(20)) if len(p.flair.spots) > 3)
    centres = np.array([spot.centre for spot in patient.flair.spots])
    tissue, zones = patient.matter(centres)
    with_spots = patient.flair.signal(centres, tissue, zones)
    without = replace(patient.flair, spots=()).signal(centres, tissue, zones)
    free = zones.rim + zones.necrosis + tissue.csf < 0.1
    assert free.any()
    assert (with_spots[free] > without[free] * 1.1).all()


def test_noise_and_quality_filter_follow_each_metabolites_difficulty(stacks):
    noise, kept = [], []
    for seed, stack in zip(SEEDS, stacks, strict=True):
        level = simulate_patient(seed).metabolism.level
        # Where values are far from 0, where clipping would hide noise.
        high = stack.truth > 0.6 * level[:, None, None, None]
        error = stack.acquired - stack.truth
        noise.append([error[m][high[m]].std() / level[m] for m in range(len(METABOLITES))])
        brain = stack.truth[2] > 0.5 * level[2]
        kept.append(stack.mask[:, brain].mean(axis=1))
    noise = dict(zip(METABOLITES, np.mean(noise, axis=0), strict=True))
    kept = dict(zip(METABOLITES, np.mean(kept, axis=0), strict=True))
    for name, (low, high) in _NOISE.items():
        assert 0.6 * low < noise[name] < 1.6 * high
    assert 0.5 < kept["Gly"] < kept["NAA"] <= 1
    assert kept["Gln"] < kept["tCr"]


def test_zero_filled_maps_miss_as_much_as_real_ones_do(stacks):
    import torch

    from inference_core.networks.kspace import low_resolution, zero_filled

    means = {}
    for n in (16, 32):
        ratios = []
        for stack in stacks:
            maps = zero_filled(low_resolution(torch.from_numpy(stack.acquired), (n, n)), stack.truth.shape[2:]).numpy()
            for found, truth, mask in zip(
                maps.reshape(-1, 64, 64), stack.truth.reshape(-1, 64, 64), stack.mask.reshape(-1, 64, 64), strict=True
            ):
                error = ((found - truth)[mask] ** 2).mean()
                ratios.append(10 * np.log10(np.ptp(truth[mask]) ** 2 / error))
        means[n] = np.mean(ratios)
    assert 16 < means[16] < means[32] < 28


@pytest.mark.parametrize("seed", [-1, 1.5, "7", None])
def test_seeds_that_are_no_natural_numbers_are_refused(seed):
    with pytest.raises(InputError, match="seed"):
        simulate_patient(seed)


@pytest.mark.parametrize("count", [0, 99])
def test_more_slices_than_there_are_can_not_be_taken(count):
    patient = simulate_patient(0)
    for ask in (patient.slices, patient.middle_slices, patient.grid):
        with pytest.raises(InputError, match="MRSI slices"):
            ask(count)


def test_varied_patients_reach_beyond_the_papers_data():
    usual, varied = ([simulate_patient(seed, varied=v) for seed in range(40)] for v in (False, True))
    spacing = np.array([patient.mrsi.spacing[0] for patient in varied])
    assert spacing.min() < 2.6
    assert 4.2 < spacing.max() <= 5
    assert spacing.min() >= 2
    noise = np.array([v.measurement.noise / u.measurement.noise for u, v in zip(usual, varied, strict=True)])
    assert noise.max() > 1.5
    contrasts = [
        np.std([np.log(p.metabolism.gm / p.metabolism.wm) for p in group], axis=0) for group in (usual, varied)
    ]
    assert np.all(contrasts[1] > 1.5 * contrasts[0])


def test_another_scanner_shows_the_same_patient_less_sharply_and_with_more_noise():
    patient = simulate_patient(5)
    usual, clinic = (found.slices(1) for found in (patient, patient.on(Scanner(2.0, 3.0))))
    np.testing.assert_array_equal(usual.t1, clinic.t1)
    sigma = 2 / (2 * np.sqrt(2 * np.log(2)))
    np.testing.assert_allclose(clinic.truth, gaussian_filter(usual.truth, (0, 0, sigma, sigma)), atol=1e-4)
    noise = [(stack.acquired - stack.truth)[stack.mask].std() for stack in (usual, clinic)]
    assert noise[1] == pytest.approx(3 * noise[0], rel=0.1)
    assert SimulatedSlices(5, 1, scanner=Scanner(2.0)).origin() != SimulatedSlices(5, 1).origin()
    np.testing.assert_array_equal(SimulatedSlices(5, 1, scanner=Scanner(2.0, 3.0)).slices().target, clinic.truth)


def test_scanners_are_drawn_from_many_and_checked():
    drawn = [Scanner.draw(seed) for seed in range(200)]
    assert Scanner.draw(3) == drawn[3]
    spreads, factors = np.array([(one.point_spread, one.noise_factor) for one in drawn]).T
    assert 0.15 < (spreads == 0).mean() < 0.35
    assert spreads.max() > 2.7
    assert factors.min() < 1.1
    assert factors.max() > 7
    for wrong in ({"point_spread": -1.0}, {"noise_factor": float("nan")}):
        with pytest.raises(InputError, match="is not from 0"):
            Scanner(**wrong)
