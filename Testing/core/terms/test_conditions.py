import math

import pytest

import inference_core
from inference_core.errors import InputError, InputWarning
from inference_core.terms.conditions import (
    METABOLITE_ALIASES,
    METABOLITES,
    check_resolution,
    check_sharpness,
    metabolite_index,
    resolve_metabolite,
)


def test_metabolites_are_public_and_in_the_embeddings_order():
    assert inference_core.METABOLITES == ("tCho", "tCr", "NAA", "Gly", "Gln", "Glu", "Ins")
    assert [metabolite_index(name) for name in METABOLITES] == list(range(7))


@pytest.mark.parametrize(("alias", "name"), METABOLITE_ALIASES.items())
def test_aliases_are_resolved_in_any_case(alias, name):
    assert resolve_metabolite(alias) == resolve_metabolite(f" {alias.upper()} ") == name
    assert metabolite_index(alias) == METABOLITES.index(name)


@pytest.mark.parametrize("name", ["Lac", "", "2HG", None, "tChoo"])
def test_unknown_metabolites_are_refused(name):
    with pytest.raises(InputError, match=r"Unknown metabolite .* choose one of tCho, tCr"):
        resolve_metabolite(name)


@pytest.mark.parametrize("value", [0, 0.0, 0.03, 0.1, "0.02"])
def test_valid_sharpness_comes_back_as_a_float(value):
    assert check_sharpness(value) == float(value)
    assert isinstance(check_sharpness(value), float)


@pytest.mark.parametrize("value", [-1e-9, 0.1001, 1, math.nan, math.inf, "sharp", None])
def test_other_sharpness_is_refused(value):
    with pytest.raises(InputError, match=r"outside 0 to 0\.1"):
        check_sharpness(value)


@pytest.mark.parametrize(("rows", "columns", "n"), [(16, 16, 16), (32, 32, 32), (17, 17, 17), (16, 25, 20)])
def test_trained_resolutions_pass_silently(rows, columns, n, recwarn):
    assert check_resolution(rows, columns) == n
    assert not recwarn.list


@pytest.mark.parametrize(("size", "n"), [(7, 7), (4, 4), (34, 34), (64, 64)])
def test_untrained_resolutions_warn(size, n):
    with pytest.warns(InputWarning, match=f"n = {n} is outside the trained range of 8 to 32"):
        assert check_resolution(size, size) == n


@pytest.mark.parametrize("shape", [(65, 65), (65, 20), (20, 128)])
def test_maps_finer_than_the_grid_are_refused(shape):
    with pytest.raises(InputError, match="more than the 64 x 64"):
        check_resolution(*shape)


@pytest.mark.parametrize("shape", [(3, 3), (16, 1), (1, 16)])
def test_maps_too_small_are_refused(shape):
    with pytest.raises(InputError, match="at least 4 x 4"):
        check_resolution(*shape)
