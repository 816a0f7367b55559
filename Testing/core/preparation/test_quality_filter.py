"""The quality filter, the selection of slices, and the filling of holes."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.brain_mask import brain_mask_of_t1, low_resolution_brain
from inference_core.imaging.geometry import super_resolved_grid
from inference_core.preparation.holes import fill_holes
from inference_core.preparation.quality_filter import QualityThresholds, brain_voxels, filter_map
from inference_core.preparation.slice_selection import SliceSelection, select_slices
from inference_core.study.map_sources import MetaboliteMap

#: A voxel in the middle of the brain of the tests' patient.
MIDDLE = (1, 8, 8)


@pytest.fixture
def scan(patient, replace_array):
    """(make a map of arrays, mask of the brain, its voxels on the map's grid)."""
    image, t1, _ = patient()
    mask = brain_mask_of_t1(t1)
    brain = low_resolution_brain(mask, super_resolved_grid(image))

    def make(**arrays) -> MetaboliteMap:
        arrays = {"concentration": np.full(brain.shape, 5.0), **arrays}
        images = {role: replace_array(image, array.astype(np.float32)) for role, array in arrays.items()}
        return MetaboliteMap(**({"crlb": None, "snr": None, "fwhm": None} | images), name="NAA", source="NAA.nii.gz")

    return make, mask, brain


def with_voxel(shape, value, background, where=MIDDLE):
    array = np.full(shape, float(background))
    array[where] = value
    return array


def test_a_flawless_map_is_accepted_in_the_brain_and_nowhere_else(scan):
    make, mask, brain = scan
    one = make()
    filtered = filter_map(one, brain_voxels(mask, one.concentration, 0), QualityThresholds())
    np.testing.assert_array_equal(filtered.accepted, brain)
    assert not any(filtered.shares.values())
    assert 0 < brain.sum() < brain.size


@pytest.mark.parametrize(
    ("role", "value", "background", "reason", "thresholds"),
    [
        ("snr", 2.4, 2.5, "SNR", {}),
        ("snr", np.nan, 9, "SNR", {}),
        ("fwhm", 0.16, 0.15, "FWHM", {}),
        ("crlb", 999, 40, "failed fit", {}),
        ("crlb", 60, 50, "CRLB", {"crlb": 50.0}),
        ("concentration", 0, 5, "failed fit", {}),
        ("concentration", -0.1, 5, "negative", {}),
        ("concentration", np.nan, 5, "not finite", {}),
        ("concentration", np.inf, 5, "not finite", {}),
        ("concentration", 101, 5, "outlier", {}),
        ("concentration", 16, 5, "outlier", {"outlier": 3.0}),
    ],
)
def test_each_reason_rejects_its_voxel_alone(scan, role, value, background, reason, thresholds):
    make, mask, brain = scan
    one = make(**{role: with_voxel(brain.shape, value, background)})
    filtered = filter_map(one, brain_voxels(mask, one.concentration, 0), QualityThresholds(**thresholds))
    expected = brain.copy()
    expected[MIDDLE] = False
    np.testing.assert_array_equal(filtered.accepted, expected)
    assert filtered.rejected[reason][MIDDLE]
    assert filtered.shares[reason] == filtered.shares["any"] == 1 / brain.sum()


def test_thresholds_that_are_off_reject_nothing(scan):
    make, mask, brain = scan
    arrays = {"snr": 0.1, "fwhm": 3.0, "crlb": 300.0}
    one = make(**{role: np.full(brain.shape, value) for role, value in arrays.items()})
    off = QualityThresholds(None, None, None, 0.0, None)
    assert filter_map(one, brain_voxels(mask, one.concentration, 0), off).accepted.sum() == brain.sum()


def test_outliers_are_measured_against_the_brain_not_what_is_around_it(scan):
    make, mask, brain = scan
    values = np.where(brain, 5.0, 5000.0)
    values[MIDDLE] = 200
    one = make(concentration=values)
    filtered = filter_map(one, brain_voxels(mask, one.concentration, 0), QualityThresholds())
    assert filtered.rejected["outlier"].sum() == 1


def test_voxels_near_the_skull_go_by_depth_in_millimetres(scan):
    make, mask, brain = scan
    one = make()
    # The tests' brain is an ellipsoid of these half-axes, mm, around this point.
    image = one.concentration
    world = np.stack([np.array(image.TransformIndexToPhysicalPoint(i[::-1])) for i in np.ndindex(brain.shape)]).reshape(
        *brain.shape, 3
    )
    offset = world - np.array([12.0, -25.0, 40.0])
    inside = np.linalg.norm(offset / (np.array([62.0, 75.0, 58.0]) - 10), axis=-1) < 1
    deep = brain_voxels(mask, image, 10.0).deep
    # Voxels of 12 mm: half in, half out cannot differ but at the rim.
    assert (deep != inside).sum() < 0.05 * brain.sum()
    assert deep.sum() < 0.8 * brain.sum()
    assert not (deep & ~brain).any()
    filtered = filter_map(one, brain_voxels(mask, image, 10.0), QualityThresholds(skull_mm=10.0))
    np.testing.assert_array_equal(filtered.accepted, deep)
    assert filtered.shares["near the skull"] == pytest.approx(1 - deep.sum() / brain.sum())
    with pytest.raises(InputError, match="smaller --skull"):
        brain_voxels(mask, image, 80.0)


def test_a_brain_elsewhere_is_refused(scan):
    make, mask, _ = scan
    away = sitk.Image(mask)
    away.SetOrigin([one + 500 for one in mask.GetOrigin()])
    with pytest.raises(InputError, match="lies outside the map"):
        brain_voxels(away, make().concentration, 0)


@pytest.mark.parametrize("name", ["snr", "fwhm", "crlb", "skull_mm", "outlier"])
@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_impossible_thresholds_are_refused(name, value):
    with pytest.raises(InputError, match=f"no threshold: give a number from 0 with --{name.split('_')[0]}"):
        QualityThresholds(**{name: value}).check()


def test_slices_with_enough_voxels_are_selected():
    accepted = np.zeros((2, 4, 10, 10), dtype=bool)
    for index, count in enumerate((10, 29, 30, 100)):
        accepted[index % 2, index].flat[:count] = True
    assert select_slices(accepted, SliceSelection()).tolist() == [False, False, True, True]
    assert select_slices(accepted, SliceSelection(0.0, 29)).tolist() == [False, True, True, True]
    # A voxel counts once, whatever the number of metabolites.
    both = accepted | accepted[::-1]
    np.testing.assert_array_equal(select_slices(both, SliceSelection()), select_slices(accepted, SliceSelection()))
    with pytest.raises(InputError, match="No slice has 101 accepted voxels, the fullest has 100"):
        select_slices(accepted, SliceSelection(0.3, 101))
    with pytest.raises(InputError, match="rejects every voxel"):
        select_slices(np.zeros_like(accepted), SliceSelection())


@pytest.mark.parametrize("selection", [SliceSelection(1.1), SliceSelection(-0.1), SliceSelection(0.5, -1)])
def test_impossible_selections_are_refused(selection):
    with pytest.raises(InputError, match="can't be"):
        selection.check()


def test_holes_are_filled_from_their_slice(scan, replace_array):
    make, mask, brain = scan
    values = np.where(brain, 3.0, 0).astype(np.float32)
    values[MIDDLE] = 0
    holes = np.zeros_like(brain)
    holes[MIDDLE] = True
    filled, count = fill_holes(replace_array(make().concentration, values), holes, mask)
    assert count == 1
    assert filled[MIDDLE] == pytest.approx(3.0)
    values[MIDDLE] = 3
    np.testing.assert_allclose(filled, values)


def test_a_map_of_holes_is_left_as_it_is(scan, replace_array):
    make, mask, brain = scan
    values = np.zeros(brain.shape, dtype=np.float32)
    values[MIDDLE] = 3
    holes = brain & (values == 0)
    with pytest.warns(InputWarning, match="holes were not filled"):
        filled, count = fill_holes(replace_array(make().concentration, values), holes, mask)
    assert count == 0
    np.testing.assert_array_equal(filled, values)
