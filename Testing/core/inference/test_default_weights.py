"""The weights that come with the package: what their model card says of them, and what they do."""

import hashlib
import json

import numpy as np
import pytest

from inference_core import METABOLITES
from inference_core.engine.folded_network import FoldedNetwork
from inference_core.networks import count_parameters
from inference_core.networks.weights_io import DEFAULT_WEIGHTS, load_weights
from inference_core.research.data.simulated import SimulatedSlices
from inference_core.research.data.slice_set import SliceSet
from inference_core.research.evaluation.comparison import compare, mean_by
from inference_core.research.evaluation.methods import network_method, zero_filling
from inference_core.terms.conditions import RECOMMENDED_SHARPNESS, SHARPNESS_RANGE, TRAINED_RESOLUTION

#: Simulated patients that neither trained nor validated the weights.
TEST_SEEDS = (2_000_100, 2_000_101, 2_000_102)


@pytest.fixture(scope="module")
def card():
    return json.loads(DEFAULT_WEIGHTS.with_suffix(".json").read_text())


def test_the_card_is_of_these_weights(card):
    network, info = load_weights()
    assert card["sha256"] == info.sha256 == hashlib.sha256(DEFAULT_WEIGHTS.read_bytes()).hexdigest()
    assert card["parameters"] == count_parameters(network) == 7_448_637
    assert DEFAULT_WEIGHTS.stat().st_size < 16e6


def test_the_card_says_what_users_must_know(card):
    assert card["metabolites"] == list(METABOLITES)
    assert card["input_resolution"] == list(TRAINED_RESOLUTION)
    assert card["sharpness"] == list(SHARPNESS_RANGE)
    assert card["recommended_sharpness"] == [0, RECOMMENDED_SHARPNESS]
    assert "simulated" in card["trained_on"]
    assert "not for diagnosis" in card["intended_use"]
    for stage in card["training"]:
        # What this project's code did not make is told in words.
        if "command" not in stage:
            assert stage["note"]
            continue
        assert stage["command"].startswith("mrsi-superres train ")
        assert len(stage["commit"]) == 40
        assert "[[stages]]" in stage["recipe"]
    for text in ("Apache-2.0", "CC BY", "Louis Collins", "CC0", "MIT License", "MNI152"):
        assert any(text in attribution for attribution in card["attribution"])


@pytest.fixture(scope="module")
def scores():
    slices = SliceSet.concatenate(SimulatedSlices(seed, 1).slices() for seed in TEST_SEEDS)
    network = FoldedNetwork(load_weights()[0])
    methods = {"zero-filling": zero_filling}
    methods |= {sharpness: network_method(network, sharpness) for sharpness in (0.0, 0.03, 0.1)}
    return compare(methods, slices, (16, 24, 32))


def test_they_beat_zero_filling_by_5_db_on_simulated_patients(scores):
    means = mean_by(scores, "method")
    assert means[(0.0,)][0] >= means[("zero-filling",)][0] + 5
    by_metabolite = mean_by(scores, "method", "metabolite")
    for metabolite in METABOLITES:
        assert by_metabolite[0.0, metabolite][0] > by_metabolite["zero-filling", metabolite][0] + 1


def test_lambda_sharpens(scores):
    means = mean_by(scores, "method")
    sharpness = [means[(method,)][2] for method in ("zero-filling", 0.0, 0.03, 0.1)]
    assert np.all(np.diff(sharpness) > 0)
