"""Weights that respond to lambda, and give the network that training started from at lambda = 0."""

import copy
import os
from functools import partial

import pytest
import torch
from training_samples import random_slices

from inference_core import InputError
from inference_core.commands import train
from inference_core.networks import create_network
from inference_core.networks.norm_conditioners import SharpnessNorm
from inference_core.networks.weights_io import load_weights, save_weights
from inference_core.research.data.simulated import SimulatedSlices
from inference_core.research.training.anchoring import anchored
from inference_core.research.training.settings import TrainingSettings

_RECIPE = """
version = 2
[patients]
count = 1
slices = 1
[[stages]]
name = "sharpness"
[stages.training]
steps = 2
batch_size = 1
critic_steps = 1
resolutions = [16]
learning_rate = 1e-3
anchored = true
"""


def _network(seed):
    torch.manual_seed(seed)
    network = create_network("multi-conditional").eval()
    with torch.no_grad():
        # As trained: untrained, these leave lambda without effect.
        for norm in network.modules():
            if isinstance(norm, SharpnessNorm):
                norm.affine.weight.normal_(0, 0.05)
                norm.affine.bias.normal_(0, 0.05)
    return network


def _output(network, sharpness):
    generator = torch.Generator().manual_seed(5)
    images = [
        torch.rand(size, generator=generator) for size in ((1, 1, 16, 16), (1, 1, 192, 192, 3), (1, 1, 192, 192, 3))
    ]
    with torch.no_grad():
        return network(*images, 16, 2, sharpness)


def test_lambda_0_is_the_starts_and_the_response_is_what_was_trained():
    start, trained = _network(1), _network(2)
    result = anchored(start, trained)
    torch.testing.assert_close(_output(result, 0.0), _output(start, 0.0), rtol=1e-5, atol=1e-5)
    assert (_output(result, 0.1) - _output(start, 0.1)).abs().max() > 1e-3
    norms = [[norm for norm in one.modules() if isinstance(norm, SharpnessNorm)] for one in (result, trained)]
    assert len(norms[0]) == 28
    for own, other in zip(*norms, strict=True):
        response, expected = (
            norm.affine(norm.hidden(torch.tensor([0.07]))) - norm.affine(norm.hidden(torch.zeros(1)))
            for norm in (own, other)
        )
        torch.testing.assert_close(response, expected, rtol=1e-4, atol=1e-6)


def test_a_stage_of_a_recipe_may_be_anchored(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(SimulatedSlices, "slices", lambda patient: random_slices(patient.count, patient.seed))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    recipe, start = tmp_path / "sharp.toml", tmp_path / "start.safetensors"
    recipe.write_text(_RECIPE)
    save_weights(start, _network(1), {"architecture": "multi-conditional"})
    run = ["--recipe", str(recipe), "--output", str(tmp_path / "run"), "--device", "cpu", "--workers", "0"]
    assert train.main(run) == 2
    assert "is anchored to the weights that it starts from: name them by --init." in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert train.main([*run, "--init", str(start)]) == 0
    before, after = (load_weights(path)[0].eval() for path in (start, tmp_path / "run" / "weights.safetensors"))
    # Weights are written in half precision.
    torch.testing.assert_close(_output(after, 0.0), _output(before, 0.0), rtol=1e-3, atol=1e-3)
    changed = [
        not torch.equal(own.affine.weight, other.affine.weight)
        for own, other in zip(before.modules(), after.modules(), strict=True)
        if isinstance(own, SharpnessNorm)
    ]
    assert all(changed)


def test_validation_measures_the_network_that_is_written():
    start, slices = _network(1), random_slices(1, 0)
    trained = copy.deepcopy(start)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    as_trained = train._validation(slices, lambda network: network)
    as_written = train._validation(slices, partial(anchored, start))
    before, after = as_trained(start), as_written(trained)
    assert after["fidelity/psnr"] == pytest.approx(before["fidelity/psnr"], abs=1e-5)
    assert abs(as_trained(trained)["fidelity/psnr"] - before["fidelity/psnr"]) > 1e-3
    assert after["sharpest/psnr"] != before["sharpest/psnr"]


def test_without_a_discriminator_nothing_is_left_to_learn():
    with pytest.raises(InputError, match="needs adversarial = true"):
        TrainingSettings(steps=1, adversarial=False, anchored=True)
