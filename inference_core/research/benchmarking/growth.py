"""How cost grows with a volume's slices, with those that go through the pass together, and with the matrix N."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from itertools import cycle

import numpy as np
import torch

from inference_core.engine.batched_heads import BatchedHeads
from inference_core.engine.folded_pass import first_convolution, folded_proposal
from inference_core.engine.layers import assemble_layers
from inference_core.inference.super_resolver import SuperResolver
from inference_core.networks import MultiEncoderUNet
from inference_core.networks.conditioning import Condition
from inference_core.research.benchmarking.patient import benchmark_patient
from inference_core.research.benchmarking.timing import Samples, paired
from inference_core.terms.conditions import MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

#: One call is long beside what the caches' state makes of it.
_BLOCK = 2


def _pass(network: MultiEncoderUNet, matrix: int, batch: int, device: str) -> Callable[[], object]:
    heads, condition = BatchedHeads(network), Condition.of(20, 0, 0.03, device)
    layers, affine = assemble_layers(network, heads.filters(condition)), heads.affine(condition)
    size = MRI_UPSAMPLING * matrix
    upsampled, mri = torch.rand(batch, 1, size, size, device=device), torch.rand(batch, 1, size, size, 3, device=device)
    first = [first_convolution(upsampled, mri, layer) for layer in (layers.t1[0], layers.flair[0])]
    return lambda: folded_proposal(*first, affine, layers)


def _volumes(network: MultiEncoderUNet, counts: Sequence[int], device: str) -> dict[int, Callable[[], object]]:
    resolver = SuperResolver(deepcopy(network), device, runtime="pytorch")
    prepared = resolver.prepare(*benchmark_patient(max(counts)))
    # Another metabolite each time, so that nothing kept of the slices makes them cheaper.
    metabolites = cycle(("tCho", "NAA"))

    def call(count: int) -> Callable[[], object]:
        return lambda: resolver.super_resolve(prepared, next(metabolites), 0.02, slices=range(count))

    return {count: call(count) for count in counts}


@torch.inference_mode()
def measure_growth(
    network: MultiEncoderUNet,
    device: str,
    slices: Sequence[int],
    batches: Sequence[int],
    matrices: Sequence[int],
    rounds: int,
) -> dict[str, dict[int, Samples]]:
    """Times by slices of a volume, and of the folded pass by batch (N = 64) and by N (batch 1), in PyTorch.

    Args:
        network: on the CPU; left as it is.
        device: as torch names it.
        slices: that `SuperResolver.super_resolve` is asked for.
        batches: slices that go through together.
        matrices: N, multiples of 16.
        rounds: turns of each.
    """
    network, matrix = deepcopy(network).to(device), SUPER_RESOLVED_MATRIX
    candidates = {
        "slices": _volumes(network, slices, device),
        "batch": {batch: _pass(network, matrix, batch, device) for batch in batches},
        "N": {n: _pass(network, n, 1, device) for n in matrices},
    }
    return {over: paired(own, rounds, device, _BLOCK) for over, own in candidates.items()}


def exponent(times: Mapping[int, Samples]) -> float:
    """Of the power law that fits the medians best, all of them weighed alike."""
    medians = [samples.median for samples in times.values()]
    return float(np.polyfit(np.log(list(times)), np.log(medians), 1)[0])
