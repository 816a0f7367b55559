"""Figures of true and invented details, on maps made by hand; statistics, on samples made by hand."""

import numpy as np
import pytest

from inference_core.research.evaluation.statistics import holm, paired_tests
from inference_core.research.evaluation.true_details import invented_spots, region_contrasts, share_recovered

_ROWS, _COLUMNS = np.indices((64, 64))
_BRAIN = (_ROWS - 32) ** 2 + (_COLUMNS - 32) ** 2 < 26**2
_NOTHING = np.zeros((64, 64), dtype=bool)


def disc(row, column, radius=3.0):
    return (_ROWS - row) ** 2 + (_COLUMNS - column) ** 2 <= radius**2


def test_a_contrast_is_measured_against_what_surrounds_it():
    spot = disc(30, 20)
    truth, output = _BRAIN * 8.0 + 4 * spot, _BRAIN * 8.0 + 3 * spot
    (contrast,) = region_contrasts(output, truth, spot, _BRAIN, _NOTHING)
    assert (contrast.truth, contrast.output) == (4, 3)
    assert contrast.recovered == 0.75
    assert contrast.kept
    (lost,) = region_contrasts(_BRAIN * 8.0 + 1.9 * spot, truth, spot, _BRAIN, _NOTHING)
    assert not lost.kept


def test_lowered_spots_count_like_raised_ones():
    raised, lowered = disc(30, 20), disc(30, 44)
    truth = _BRAIN * 8.0 + 4 * raised - 4 * lowered
    output = _BRAIN * 8.0 + 4 * raised - 2 * lowered
    contrasts = region_contrasts(output, truth, raised | lowered, _BRAIN, _NOTHING)
    assert [c.recovered for c in contrasts] == [1, 0.5]
    assert share_recovered(contrasts) == 0.75
    # A spot of the wrong sign takes away from what the others recover.
    inverted = region_contrasts(_BRAIN * 8.0 + 4 * raised + 4 * lowered, truth, raised | lowered, _BRAIN, _NOTHING)
    assert share_recovered(inverted) == 0
    assert [c.kept for c in inverted] == [True, False]


def test_surroundings_keep_clear_of_other_lesions_and_of_what_is_not_valid():
    spot, lesion = disc(30, 20), disc(30, 26, 2)
    truth = _BRAIN * 8.0 + 4 * spot
    shown = truth + 50 * lesion
    (contrast,) = region_contrasts(shown, truth, spot, _BRAIN, lesion)
    assert contrast.recovered == 1
    (contrast,) = region_contrasts(shown, truth, spot, _BRAIN & ~lesion, _NOTHING)
    assert contrast.recovered == 1


def test_regions_too_small_too_faint_or_without_surroundings_are_none():
    truth = _BRAIN * 8.0 + 4 * disc(30, 20)
    assert not region_contrasts(truth, truth, disc(30, 20, 1) & (_ROWS > 30), _BRAIN, _NOTHING)
    assert not region_contrasts(truth, truth, disc(40, 40), _BRAIN, _NOTHING)
    assert not region_contrasts(truth, truth, disc(30, 20), disc(30, 20), _NOTHING)
    assert np.isnan(share_recovered([]))


def test_invented_spots_are_those_that_truth_does_not_show():
    truth = _BRAIN * 8.0 + 4 * disc(30, 20)
    assert invented_spots(truth, truth, _BRAIN, disc(30, 20)) == 0
    output = truth + 4 * disc(44, 40) - 4 * disc(20, 40)
    assert invented_spots(output, truth, _BRAIN, disc(30, 20)) == 2
    # Faint ones, tiny ones and those outside the brain are none, nor is a true spot that is shown too bright.
    assert invented_spots(truth + 1.9 * disc(44, 40), truth, _BRAIN, disc(30, 20)) == 0
    assert invented_spots(truth + 4 * disc(44, 40, 0), truth, _BRAIN, disc(30, 20)) == 0
    assert invented_spots(truth + 4 * ~_BRAIN, truth, _BRAIN, disc(30, 20)) == 0
    assert invented_spots(truth + 4 * disc(30, 20), truth, _BRAIN, disc(30, 20)) == 0
    assert invented_spots(output, truth, _NOTHING, _NOTHING) == 0


def test_holms_correction_is_the_books():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.6, 0.9])), [1, 1])


def test_pairs_of_methods_are_told_apart_only_where_they_differ():
    rng = np.random.default_rng(0)
    figures = {"a": rng.normal(30, 2, 60)}
    figures["b"] = figures["a"] + 0.3 + rng.normal(0, 0.1, 60)
    figures["c"] = figures["a"] + rng.normal(0, 0.1, 60)
    figures["d"] = figures["a"].copy()
    tests = {(t.first, t.second): t for t in paired_tests(figures)}
    assert len(tests) == 6
    assert tests["a", "b"].corrected < 1e-6
    assert tests["a", "b"].difference == pytest.approx(-0.3, abs=0.05)
    assert tests["a", "c"].p > 0.05
    assert tests["a", "d"].p == 1
    assert all(t.p <= t.corrected for t in tests.values())
    with pytest.raises(ValueError, match="broadcast"):
        paired_tests({"a": np.zeros(3), "b": np.zeros(4)})
