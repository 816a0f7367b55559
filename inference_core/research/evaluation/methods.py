"""The methods that maps are super-resolved with, side by side: each takes a batch, each gives scaled maps."""

import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference_core.engine.engine import Engine
from inference_core.research.data.batches import Batch
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

#: Takes a batch; gives super-resolved maps `(batch, 1, 64, 64)`, scaled like the batch.
Method = Callable[[Batch], Tensor]


def zero_filling(batch: Batch) -> Tensor:
    """Zero-filled k-space, the standard method."""
    return batch.zero_filled()


def bicubic(batch: Batch) -> Tensor:
    """Bicubic interpolation of the low-resolution map, sampled where the super-resolved voxels' centres are."""
    low = batch.low_resolution
    # Truncation keeps the voxel at index size // 2 in its place.
    fine = torch.arange(SUPER_RESOLVED_MATRIX, dtype=low.dtype, device=low.device) - SUPER_RESOLVED_MATRIX // 2
    steps = [size // 2 + fine * size / SUPER_RESOLVED_MATRIX for size in low.shape[-2:]]
    rows, columns = (2 * step / (size - 1) - 1 for step, size in zip(steps, low.shape[-2:], strict=True))
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    grid = grid.expand(len(low), -1, -1, -1)
    return F.grid_sample(low, grid, mode="bicubic", padding_mode="border", align_corners=True).clamp_min(0)


class Timed:
    """A method that keeps count of its maps and seconds.

    Attributes:
        maps: super-resolved so far.
        seconds: that took.
    """

    def __init__(self, method: Method):
        self._method, self.maps, self.seconds = method, 0, 0.0

    def __call__(self, batch: Batch) -> Tensor:
        """The method's maps."""
        start = time.perf_counter()
        # To the CPU, so that work still under way on a GPU counts.
        output = self._method(batch).cpu()
        self.seconds += time.perf_counter() - start
        self.maps += len(output)
        return output


def network_method(
    network: nn.Module | Engine, sharpness: float = 0.0, n: int | None = None, metabolite: int | None = None
) -> Method:
    """A network at a given lambda.

    Args:
        network: called as `MultiEncoderUNet.forward`; an `Engine` is the fastest.
        sharpness: lambda.
        n: what it is told of the input's resolution, instead of the truth.
        metabolite: the same, as an index into `METABOLITES`.
    """
    engine = isinstance(network, Engine)
    device = next((network.network if engine else network).parameters()).device
    return partial(_run, network if engine else network.eval(), device, sharpness, n, metabolite)


@torch.inference_mode()
def _run(
    network, device: torch.device, sharpness: float, n: int | None, metabolite: int | None, batch: Batch
) -> Tensor:
    batch = batch.to(device)
    told = batch.n if n is None else n, batch.metabolite if metabolite is None else metabolite
    return network(batch.low_resolution, batch.t1, batch.flair, *told, sharpness)
