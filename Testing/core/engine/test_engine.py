"""The engine gives what the plain network gives, whatever runs it."""

import pytest
import torch

from inference_core.engine.batched_heads import BatchedHeads
from inference_core.engine.engine import Engine
from inference_core.engine.layers import assemble_affine, conditioned_convolutions
from inference_core.engine.norm_activation import _NormActivation
from inference_core.inference.kept_slices import KeptSlicesStore
from inference_core.networks import create_network
from inference_core.networks.conditioning import Condition

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = create_network("multi-conditional").eval()
        for parameter in network.parameters():
            if parameter.dim() == 1:
                torch.nn.init.normal_(parameter, mean=0.2, std=0.2)
    return network.requires_grad_(False)


def inputs(n=20, batch=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand((batch, 1, n, n), generator=generator) / 2
    return low, *(torch.rand((batch, 1, 192, 192, 3), generator=generator) for _ in range(2))


def worst(output, plain):
    """The largest difference as a share of the map's range."""
    return ((output.cpu() - plain).abs().max() / (plain.max() - plain.min())).item()


@pytest.mark.parametrize("n", range(16, 33, 4))
def test_output_is_the_plain_networks(network, n):
    engine = Engine(network)
    images = inputs(n, batch=2 if n == 20 else 1)
    for metabolite, sharpness in ((n % 7, 0.0), ((n + 3) % 7, 0.04), ((n + 5) % 7, 0.1)):
        plain = network(*images, n, metabolite, sharpness)
        assert worst(engine(*images, n, metabolite, sharpness), plain) < 1e-4


def test_what_is_kept_serves_every_sharpness(network):
    engine, images = Engine(network, runtime="pytorch"), inputs()
    kept = engine.keep(*images, 20, 4)
    outputs = [engine.finish(kept, sharpness) for sharpness in (0.0, 0.1, 0.0)]
    assert torch.equal(outputs[0], outputs[2])
    for output, sharpness in zip(outputs, (0.0, 0.1), strict=False):
        assert worst(output, network(*images, 20, 4, sharpness)) < 1e-4
    assert kept.bytes == 4 * (2 * 24 * 192 * 192) + 8 * 20 * 20


def without_contrast(case):
    low, t1, flair = inputs()
    nothing, spot = torch.zeros_like(t1), torch.zeros_like(t1)
    spot[..., 90:108, 84:96, :] = 1
    return {
        "no MRI": (low, nothing, nothing),
        "flat map": (torch.full_like(low, 0.5), t1, flair),
        "flat map, one spot in the MRI": (torch.full_like(low, 0.3), spot, spot),
        "hardly any contrast": (low * 1e-3 + 0.4, t1 * 1e-3 + 0.5, flair * 1e-3 + 0.5),
        "faint": (low * 1e-3, t1 * 1e-3, flair * 1e-3),
    }[case]


@pytest.mark.parametrize(
    "case", ["no MRI", "flat map", "flat map, one spot in the MRI", "hardly any contrast", "faint"]
)
def test_images_with_next_to_no_contrast_lose_no_digits(network, case):
    images = without_contrast(case)
    plain = network(*images, 20, 0, 0.05)
    # Where nearly all of the features are one constant, single precision leaves either network no more.
    bound = 5e-4 if "spot" in case else 1e-4
    assert worst(Engine(network)(*images, 20, 0, 0.05), plain) < bound


def test_filters_of_many_conditions_are_kept_within_bounds(network):
    engine, images = Engine(network), inputs()
    first = engine(*images, 16, 0, 0.0)
    for n in range(16, 33):
        engine._condition(n, 1)
    assert len(engine._conditioned) == 14
    assert torch.equal(engine(*images, 16, 0, 0.0), first)


def test_batched_heads_are_the_heads(network):
    heads, condition = BatchedHeads(network), Condition.of(26, 3, 0.07)
    convolutions = conditioned_convolutions(network)
    for own, convolution in zip(heads.filters(condition), convolutions, strict=True):
        torch.testing.assert_close(own, convolution.modulated_filters(condition))
    expected = assemble_affine(network, [convolution.norm(condition) for convolution in convolutions])
    torch.testing.assert_close(heads.affine(condition), expected)


@pytest.mark.parametrize("depth", [1, 3])
def test_gradient_of_norm_and_activation(depth):
    generator = torch.Generator().manual_seed(depth)
    features = torch.randn(2, 6, 5, 4, dtype=torch.float64, generator=generator)
    features = features.contiguous(memory_format=torch.channels_last).requires_grad_()
    rest = [torch.randn(6, dtype=torch.float64, generator=generator).requires_grad_() for _ in range(3)]
    assert torch.autograd.gradcheck(lambda *tensors: _NormActivation.apply(*tensors, 6 // depth), (features, *rest))


def test_store_keeps_what_comes_first_within_its_bytes():
    class Owner:
        pass

    class Made:
        bytes = 40

    store, owner, made = KeptSlicesStore(most_bytes=100), Owner(), []

    def make():
        made.append(Made())
        return made[-1]

    first = [store.get(owner, 0, (index,), make) for index in range(3)]
    again = [store.get(owner, 0, (index,), make) for index in range(3)]
    assert [a is b for a, b in zip(first, again, strict=True)] == [True, True, False]
    assert store.get(owner, 1, (0,), make) is not first[0]
    assert store.get(Owner(), 1, (0,), make) is made[-1]


@needs_cuda
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("float16", 1e-3), ("bfloat16", 1e-2)])
@pytest.mark.parametrize("runtime", ["pytorch", "cuda-graphs"])
def test_output_on_cuda_is_the_plain_networks(network, precision, tolerance, runtime):
    from copy import deepcopy

    images = inputs(batch=3)
    plain = network(*images, 20, 2, 0.03)
    allowed, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    try:
        engine = Engine(deepcopy(network), "cuda", runtime, precision)
        kept = engine.keep(*(image.cuda() for image in images), 20, 2)
        for _ in range(2):
            assert worst(engine.finish(kept, 0.03), plain) < tolerance
        assert worst(engine.finish(kept, 0.09), network(*images, 20, 2, 0.09)) < tolerance
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
