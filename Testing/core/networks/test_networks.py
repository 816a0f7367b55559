"""The networks: sizes, what each condition does, and data consistency of the output."""

import pytest
import torch

from inference_core import InputError
from inference_core.networks import NETWORKS, Discriminator, count_parameters, create_network, kspace, responds_to
from inference_core.networks.unet import upsample_map


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = create_network("multi-conditional").eval()
    # Untrained conditioners start as the identity; these don't.
    for name, parameter in network.named_parameters():
        if name.endswith("affine.bias"):
            torch.nn.init.normal_(parameter, std=0.3)
        if name.endswith("affine.weight"):
            torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.fixture(scope="module")
def inputs():
    generator = torch.Generator().manual_seed(1)
    low = torch.rand((2, 1, 20, 20), generator=generator) / 2
    t1, flair = (torch.rand((2, 1, 192, 192, 3), generator=generator) for _ in range(2))
    return low, t1, flair


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("unconditioned", 967_601),
        ("amlayer", 1_516_961),
        ("hypernetworks", 26_411_313),
        ("filter-scaling", 3_935_697),
        ("filter-scaling-met", 6_935_453),
        ("multi-conditional", 7_448_637),
    ],
)
def test_parameter_counts_are_the_papers(name, parameters):
    assert count_parameters(create_network(name)) == parameters


def test_the_discriminators_parameter_count_is_the_papers():
    assert count_parameters(Discriminator()) == 1_284_129


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_networks_respond_to_what_they_are_conditioned_on_and_to_nothing_else(name, inputs):
    torch.manual_seed(0)
    network = create_network(name).eval()
    assert network.conditions == responds_to(name)
    single = [image[:1] for image in inputs]
    expected = network(*single, 20, 0, 0.0)
    changes = {"resolution": (32, 0, 0.0), "metabolite": (20, 3, 0.0), "sharpness": (20, 0, 0.1)}
    for condition, changed in changes.items():
        difference = (network(*single, *changed) - expected).abs().max()
        assert (difference > 0) == (condition in network.conditions), condition


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_untrained_conditioners_hardly_change_what_they_condition(name, inputs):
    torch.manual_seed(0)
    network = create_network(name).eval()
    single = [image[:1] for image in inputs]
    outputs = torch.stack([network(*single, *c) for c in ((16, 0, 0.0), (32, 6, 0.1))])
    assert (outputs[0] - outputs[1]).abs().max() < 0.3 * (outputs.max() - outputs.min())


def test_an_unknown_network_is_refused_by_name():
    with pytest.raises(InputError, match="multi-conditional"):
        create_network("resnet")


@torch.inference_mode()
def test_output_is_finite_non_negative_and_on_the_super_resolved_matrix(network, inputs):
    output = network(*inputs, 20, 0, 0.0)
    assert output.shape == (2, 1, 64, 64)
    assert output.isfinite().all()
    assert (output >= 0).all()


@pytest.mark.parametrize("changed", [(32, 0, 0.0), (20, 3, 0.0), (20, 0, 0.1)], ids=["n", "metabolite", "sharpness"])
@torch.inference_mode()
def test_each_condition_changes_the_output(network, inputs, changed):
    assert (network(*inputs, *changed) - network(*inputs, 20, 0, 0.0)).abs().max() > 1e-4


@torch.inference_mode()
def test_slices_of_a_batch_do_not_touch_each_other(network, inputs):
    together = network(*inputs, 20, 2, 0.05)
    alone = network(*(image[1:] for image in inputs), 20, 2, 0.05)
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(20, 20), (17, 17), (20, 16), (14, 14)])
@torch.inference_mode()
def test_measured_coefficients_pass_through_unchanged(network, inputs, shape):
    _, t1, flair = inputs
    low = torch.rand((2, 1, *shape), generator=torch.Generator().manual_seed(2))
    measured = kspace.measured_kspace(low, (64, 64))
    proposals = []

    def recorded(net, upsampled, *rest):
        proposals.append(type(net).proposal(net, upsampled, *rest))
        return proposals[0]

    output = network(low, t1, flair, 20, 0, 0.0, proposal=recorded)
    consistent = kspace.enforce_data_consistency(proposals[0], measured)
    torch.testing.assert_close(output, consistent.abs())
    torch.testing.assert_close(kspace.truncate(kspace.to_kspace(consistent), shape), measured, atol=1e-5, rtol=1e-5)


def test_the_upsampled_map_keeps_voxel_centres():
    point = torch.zeros(1, 1, 64, 64)
    point[0, 0, 20, 41] = 1
    upsampled = upsample_map(point)[0, 0]
    assert upsampled.argmax() == (3 * 20 + 1) * 192 + 3 * 41 + 1
    rows, columns = torch.meshgrid(torch.arange(192.0), torch.arange(192.0), indexing="ij")
    assert ((upsampled * rows).sum() / upsampled.sum()).item() == pytest.approx(61, abs=1e-3)
    assert ((upsampled * columns).sum() / upsampled.sum()).item() == pytest.approx(124, abs=1e-3)


def test_every_parameter_learns(network, inputs):
    low, t1, flair = inputs
    network.zero_grad()
    network(low[:1], t1[:1], flair[:1], 20, 0, 0.05).square().mean().backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_the_discriminator_scores_each_map_and_sees_each_image(inputs):
    _, t1, flair = inputs
    torch.manual_seed(0)
    discriminator = Discriminator()
    maps = [torch.rand(2, 1, 192, 192) for _ in range(2)]
    score = discriminator(t1, flair, *maps)
    assert score.shape == (2, 1)
    for index in range(4):
        changed = [t1, flair, *maps]
        changed[index] = changed[index].flip(2)
        assert not torch.allclose(discriminator(*changed), score)
