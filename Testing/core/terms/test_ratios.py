"""Ratios of metabolites: what users may write, where a ratio means nothing, and how errors propagate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_core import METABOLITES, InputError
from inference_core.terms.naming import guess_metabolite
from inference_core.terms.ratios import (
    STANDARD_RATIOS,
    Ratio,
    least_denominator,
    no_meaningful_values,
    ratio_map,
    reference_level,
)


@pytest.mark.parametrize(
    ("text", "numerator", "denominator"),
    [
        ("tCho/NAA", ("tCho",), ("NAA",)),
        (" (Gly + Gln) / tCr", ("Gly", "Gln"), ("tCr",)),
        ("GPC+PCh/Cr+PCr", ("tCho",), ("tCr",)),
        ("gln/(Glu+Gln)", ("Gln",), ("Glu", "Gln")),
    ],
)
def test_what_users_write_is_understood(text, numerator, denominator):
    ratio = Ratio.parse(text)
    assert (ratio.numerator, ratio.denominator) == (numerator, denominator)
    assert Ratio.parse(ratio.name) == ratio


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tCho", "is no ratio"),
        ("tCho/NAA/tCr", "is no ratio"),
        ("/NAA", "is no ratio"),
        ("tCho/Lac", "Unknown metabolite"),
        ("(tCho + Cho)/NAA", "twice"),
        ("NAA/tNAA", "one everywhere"),
        ("((tCho)/NAA", "is no ratio"),
    ],
)
def test_what_is_no_ratio_is_refused(text, reason):
    with pytest.raises(InputError, match=reason):
        Ratio.parse(text)


@given(st.text(alphabet="tChoNACrGlyn+/() ", max_size=20))
def test_any_text_is_a_ratio_or_refused(text):
    try:
        ratio = Ratio.parse(text)
    except InputError:
        return
    assert set(ratio.metabolites) <= set(METABOLITES)


def test_files_of_ratios_are_not_taken_for_a_metabolites():
    labels = [ratio.label for ratio in STANDARD_RATIOS]
    assert labels == ["tChoOverNAA", "tChoOverTCr", "NAAOverTCr", "GlnOverGlu", "GlyGlnOverTCr"]
    assert not any(guess_metabolite(f"sub-01_desc-superres_{label}.nii.gz") for label in labels)


def maps_of(tcho, naa):
    return {"tCho": np.array(tcho, np.float32), "NAA": np.array(naa, np.float32)}


def test_a_ratio_is_masked_where_its_denominator_may_be_zero():
    maps = maps_of([2, 2, 2, 2], [4, 1, 0.3, 4])
    errors = maps_of([0.2] * 4, [0.4] * 4)
    brain = np.array([True, True, True, False])
    found = ratio_map(Ratio.parse("tCho/NAA"), maps, brain, uncertainties=errors)
    assert found.mask.tolist() == [True, True, False, False]
    assert found.values.tolist() == [0.5, 2, 0, 0]
    nowhere = ratio_map(Ratio.parse("tCho/NAA"), maps, brain, uncertainties=errors | {"NAA": np.full(4, 9.0)})
    assert not nowhere.mask.any()
    assert "NAA is zero throughout the brain" in no_meaningful_values(Ratio.parse("tCho/NAA"))
    with pytest.raises(InputError, match="needs a map of tCr"):
        Ratio.parse("tCho/tCr").require(maps)


def test_without_uncertainties_a_tenth_of_the_median_counts_as_zero():
    ratio, maps, brain = Ratio.parse("tCho/NAA"), maps_of([1] * 5, [5, 5, 5, 0.4, 0]), np.ones(5, bool)
    found = ratio_map(ratio, maps, brain, least_denominator(ratio, maps, brain))
    assert found.mask.tolist() == [True, True, True, False, False]
    assert found.uncertainty is None


def test_errors_propagate_as_draws_do():
    rng = np.random.default_rng(0)
    draws = {name: rng.normal(level, error, 200_000) for name, level, error in (("Gly", 2, 0.1), ("Gln", 3, 0.2))}
    draws["tCr"] = rng.normal(8, 0.3, 200_000)
    levels = {"Gly": np.array([2.0]), "Gln": np.array([3.0]), "tCr": np.array([8.0])}
    errors = {"Gly": np.array([0.1]), "Gln": np.array([0.2]), "tCr": np.array([0.3])}
    found = ratio_map(Ratio.parse("(Gly + Gln)/tCr"), levels, np.array([True]), uncertainties=errors)
    expected = (draws["Gly"] + draws["Gln"]) / draws["tCr"]
    assert found.uncertainty[0] == pytest.approx(expected.std(), rel=0.02)


def test_normalisation_is_by_the_median_of_the_reference():
    found = ratio_map(Ratio.parse("tCho/NAA"), maps_of([1, 2, 3, 8], [2, 2, 2, 2]), np.ones(4, bool))
    reference = np.array([True, True, True, False])
    level = reference_level(found, reference)
    multiples = found.in_multiples_of(level)
    assert multiples.values.tolist() == [0.5, 1, 1.5, 4]
    assert level > 0
    with pytest.raises(InputError, match="reference region"):
        reference_level(found, np.zeros(4, bool))
