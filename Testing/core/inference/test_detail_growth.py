"""How much detail is invented, as the model card tells."""

import json

import pytest

from inference_core.inference.detail_growth import read_detail_growth
from inference_core.networks.weights_io import DEFAULT_WEIGHTS


def test_the_default_weights_card_tells_how_detail_grows():
    growth = read_detail_growth(DEFAULT_WEIGHTS)
    assert (growth.sharpness[0], growth.sharpness[-1]) == (0.0, 0.1)
    assert growth.gained(0.0) == 0.0
    assert 0 < growth.gained(0.06) < growth.gained(0.1)
    assert growth.gained(0.1) == pytest.approx(growth.fine_detail[-1] / growth.fine_detail[0] - 1)
    assert growth.spots(0.0) <= growth.spots(0.1)


def test_weights_without_figures_tell_nothing(tmp_path):
    weights = tmp_path / "own.safetensors"
    assert read_detail_growth(weights) is None
    card = weights.with_suffix(".json")
    for content in ("{", "[]", json.dumps({"figures": {"simulated_patients": {"all": {}, "details": {}}}})):
        card.write_text(content)
        assert read_detail_growth(weights) is None
