import numpy as np
import pytest

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.brain_mask import brain_mask_of_t1, low_resolution_brain
from inference_core.imaging.failed_fits import fill_failed_fits
from inference_core.imaging.geometry import padded_array, super_resolved_grid


@pytest.fixture
def study(patient):
    """(values, grid, brain by the T1 on the map's grid)."""
    low_resolution, t1, _ = patient()
    grid = super_resolved_grid(low_resolution)
    return padded_array(low_resolution, grid), grid, low_resolution_brain(brain_mask_of_t1(t1), grid)


def test_maps_without_failed_fits_pass_untouched(study, recwarn):
    values, grid, t1_brain = study
    values[1, 8, 8] = 0  # a quality filter's hole is no failed fit
    np.testing.assert_array_equal(fill_failed_fits(values, grid, t1_brain), values)
    np.testing.assert_array_equal(fill_failed_fits(values, grid, None), values)
    assert not recwarn.list


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -0.5])
@pytest.mark.parametrize("stripped", [True, False])
def test_a_failed_fit_becomes_the_mean_of_its_valid_neighbours(study, bad, stripped):
    values, grid, t1_brain = study
    values[1, 7, 8] = 0
    values[1, 8, 8] = bad
    neighbours = np.delete(values[1, 7:10, 7:10].ravel(), [1, 4])  # without itself and the filtered one
    with pytest.warns(InputWarning, match=r"1 of the map's \d+ voxels in the brain are missing .* were filled"):
        filled = fill_failed_fits(values, grid, t1_brain if stripped else None)
    assert filled[1, 8, 8] == pytest.approx(neighbours.mean(), rel=1e-6)
    values[1, 8, 8] = filled[1, 8, 8]
    np.testing.assert_array_equal(filled, values)
    assert filled.dtype == np.float32


@pytest.mark.parametrize("stripped", [True, False])
def test_larger_holes_are_filled_from_the_outside_inwards(study, stripped):
    values, grid, t1_brain = study
    values[:] = np.where(values > 0, 3.0, 0)
    values[1, 6:9, 6:9] = np.nan
    values[0, 8, 8] = 100  # another slice is no neighbour
    with pytest.warns(InputWarning, match="9 of the map's"):
        filled = fill_failed_fits(values, grid, t1_brain if stripped else None)
    np.testing.assert_allclose(filled[1, 6:9, 6:9], 3.0)


@pytest.mark.parametrize("bad", [np.nan, -1.0])
@pytest.mark.parametrize("stripped", [True, False])
def test_outside_the_brain_failed_fits_become_zero_silently(study, bad, stripped, recwarn):
    values, grid, t1_brain = study
    outside = ~t1_brain & (values == 0)
    values[outside] = bad
    filled = fill_failed_fits(values, grid, t1_brain if stripped else None)
    assert not recwarn.list
    assert not filled[outside].any()
    np.testing.assert_array_equal(filled[~outside], values[~outside])


def test_background_of_nan_and_failed_fits_within_are_told_apart_without_a_stripped_t1(study):
    values, grid, _ = study
    values[values == 0] = np.nan
    values[1, 8, 7:9] = np.nan
    with pytest.warns(InputWarning, match="2 of the map's"):
        filled = fill_failed_fits(values, grid, None)
    assert (filled[1, 8, 7:9] > 0).all()
    assert filled[1, 0, 0] == 0


def test_without_a_stripped_t1_a_row_of_failed_fits_from_the_edge_is_no_background(study):
    values, grid, _ = study
    values[:] = 2.0
    values[1, 8, :9] = np.nan
    with pytest.warns(InputWarning, match="9 of the map's 768 voxels"):
        filled = fill_failed_fits(values, grid, None)
    np.testing.assert_allclose(filled, 2.0)


@pytest.mark.parametrize("stripped", [True, False])
@pytest.mark.parametrize("bad", [np.nan, -1.0])
def test_half_of_the_brain_missing_is_an_error(study, stripped, bad):
    values, grid, t1_brain = study
    places = np.argwhere(t1_brain & (values > 0))
    t1_brain = t1_brain if stripped else None
    order = np.random.default_rng(5).permutation(len(places))
    few, many = (values.copy() for _ in range(2))
    few[tuple(places[order[: int(0.4 * len(places))]].T)] = bad
    many[tuple(places[order[: int(0.6 * len(places))]].T)] = bad
    with pytest.warns(InputWarning, match="are missing"):
        filled = fill_failed_fits(few, grid, t1_brain)
    assert np.isfinite(filled).all()
    assert (filled >= 0).all()
    with pytest.raises(InputError, match=r"voxels in the brain are missing .* half or more") as error:
        fill_failed_fits(many, grid, t1_brain)
    assert "\n" not in str(error.value)


def test_a_slice_without_any_valid_voxel_stays_zero_and_says_so(study):
    values, grid, t1_brain = study
    values[0] = np.nan
    count = int(t1_brain[0].sum())
    with pytest.warns(InputWarning, match=rf"{count} of the map's .* \({count} of them left at 0"):
        filled = fill_failed_fits(values, grid, t1_brain)
    assert not filled[0].any()


def test_padding_is_not_part_of_the_brain(patient):
    # 16 x 6 voxels within a brain that reaches beyond them: 60 failed fits are more than half of 96.
    low_resolution, t1, _ = patient(size=(16, 6, 1))
    grid = super_resolved_grid(low_resolution)
    values = padded_array(low_resolution, grid)
    t1_brain = low_resolution_brain(brain_mask_of_t1(t1), grid)
    values[0, 5:8] = np.nan
    with pytest.raises(InputError, match="half or more"):
        fill_failed_fits(values, grid, t1_brain)
