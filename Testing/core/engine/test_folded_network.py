"""The folded forward pass gives what the plain network gives."""

import pytest
import torch
import torch.nn.functional as F

from inference_core.engine.folded_network import FoldedNetwork
from inference_core.engine.folding import fold_filters, fold_filters_on_flat
from inference_core.engine.heads import can_be_folded
from inference_core.networks import NETWORKS, create_network


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = create_network("multi-conditional")
    for parameter in network.parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, mean=0.2, std=0.2)
    return network


def _inputs(shape):
    generator = torch.Generator().manual_seed(sum(shape))
    low = torch.rand((2, 1, *shape), generator=generator) / 2
    return low, *(torch.rand((2, 1, 192, 192, 3), generator=generator) for _ in range(2))


def folded(features):
    """`(batch, channel, row, column, depth)` to folded features."""
    return features.permute(0, 1, 4, 2, 3).flatten(1, 2).contiguous(memory_format=torch.channels_last)


def test_folded_filters_convolve_slabs():
    x, filters = (torch.randn(shape, dtype=torch.float64) for shape in ((2, 4, 9, 9, 3), (5, 4, 3, 3, 3)))
    expected = folded(F.conv3d(x, filters, padding="same"))
    torch.testing.assert_close(F.conv2d(folded(x), fold_filters(filters), padding="same"), expected)


def test_folded_filters_convolve_slabs_that_are_the_same_in_all_slices():
    x, filters = (torch.randn(shape, dtype=torch.float64) for shape in ((2, 4, 9, 9, 1), (5, 4, 3, 3, 3)))
    expected = folded(F.conv3d(x.expand(-1, -1, -1, -1, 3), filters, padding="same"))
    torch.testing.assert_close(F.conv2d(x[..., 0], fold_filters_on_flat(filters), padding="same"), expected)


@pytest.mark.parametrize(
    ("shape", "metabolite", "sharpness"),
    [((16, 16), 0, 0.0), ((22, 22), 3, 0.03), ((32, 32), 6, 0.1), ((17, 20), 1, 0)],
)
@torch.inference_mode()
def test_output_is_the_plain_networks(network, shape, metabolite, sharpness):
    inputs = _inputs(shape)
    plain = network(*inputs, shape[0], metabolite, sharpness)
    folded = FoldedNetwork(network)(*inputs, shape[0], metabolite, sharpness)
    assert (plain - folded).abs().max() < 1e-4 * (plain.max() - plain.min())


def _conditioned(name):
    """A network whose conditioners do more than untrained ones; the longest of their biases are filters."""
    torch.manual_seed(2)
    network = create_network(name)
    for parameter in network.parameters():
        if parameter.dim() == 1 and parameter.numel() < 1000:
            torch.nn.init.normal_(parameter, mean=0.2, std=0.2)
    return network


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_output_is_the_plain_networks_for_all_of_the_papers_networks(name):
    network, inputs = _conditioned(name), _inputs((20, 20))
    plain = network(*inputs, 20, 2, 0.05)
    folded = FoldedNetwork(network)(*inputs, 20, 2, 0.05)
    assert (plain - folded).abs().max() < 1e-4 * (plain.max() - plain.min())


def test_the_engine_leaves_networks_that_read_features_alone():
    assert [name for name in NETWORKS if not can_be_folded(create_network(name))] == ["amlayer"]
    assert not can_be_folded(torch.nn.Identity())


@torch.inference_mode()
def test_norms_that_read_features_read_the_plain_networks():
    # A brighter image has other features, and so other scales and shifts, only if their means were left in place.
    network, (low, t1, flair) = _conditioned("amlayer"), _inputs((20, 20))
    images = (low, t1 * 0.01 + 0.9, flair * 0.01 + 0.9)
    plain = network(*images, 20, 2, 0.05)
    folded = FoldedNetwork(network)(*images, 20, 2, 0.05)
    assert (plain - network(low, t1 * 0.01, flair * 0.01, 20, 2, 0.05)).abs().max() > 1e-2 * plain.max()
    assert (plain - folded).abs().max() < 1e-4 * (plain.max() - plain.min())


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_the_plain_networks(name):
    network = _conditioned(name)
    inputs, gradients = _inputs((20, 20)), []
    for forward in (network, FoldedNetwork(network)):
        network.zero_grad()
        forward(*inputs, 20, 2, 0.05).square().mean().backward()
        gradients.append({key: p.grad.clone() for key, p in network.named_parameters() if p.grad is not None})
    total = torch.stack([g.norm() for g in gradients[0].values()]).norm()
    assert gradients[0].keys() == gradients[1].keys()
    for name, expected in gradients[0].items():
        # Norms make single precision's gradients noisy: a fold in the wrong place is off by its whole size.
        assert (gradients[1][name] - expected).norm() <= 0.02 * expected.norm() + 1e-5 * total, name
