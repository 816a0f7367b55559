"""How the cost of a pass grows with the slices that go through together, and with the matrix N."""

from collections.abc import Sequence

import torch

from inference_core.benchmarking.timing import Samples, paired
from inference_core.conditions import MRI_UPSAMPLING
from inference_core.engine.batched_heads import BatchedHeads
from inference_core.engine.folded_pass import first_convolution, folded_proposal
from inference_core.engine.layers import assemble_layers
from inference_core.networks import MultiEncoderUNet
from inference_core.networks.conditioning import Condition


def _pass(network: MultiEncoderUNet, matrix: int, batch: int, device: str):
    heads, condition = BatchedHeads(network), Condition.of(20, 0, 0.03, device)
    layers, affine = assemble_layers(network, heads.filters(condition)), heads.affine(condition)
    size = MRI_UPSAMPLING * matrix
    upsampled, mri = torch.rand(batch, 1, size, size, device=device), torch.rand(batch, 1, size, size, 3, device=device)
    first = [first_convolution(upsampled, mri, layer) for layer in (layers.t1[0], layers.flair[0])]
    return lambda: folded_proposal(*first, affine, layers)


@torch.inference_mode()
def measure_growth(
    network: MultiEncoderUNet, device: str, batches: Sequence[int], matrices: Sequence[int], rounds: int
) -> dict[str, dict[int, Samples]]:
    """Times of the folded pass by batch (N = 64) and by N (batch 1), in PyTorch and float32.

    Args:
        network: on the CPU.
        device: as torch names it.
        batches: slices that go through together.
        matrices: N, multiples of 16.
        rounds: turns of each.
    """
    network = network.to(device)
    return {
        "batch": paired({b: _pass(network, 64, b, device) for b in batches}, rounds, device),
        "N": paired({m: _pass(network, m, 1, device) for m in matrices}, rounds, device),
    }
