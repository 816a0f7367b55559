"""Batches of slices as networks take them: one metabolite, one n and one lambda each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inference_core.networks import kspace
from inference_core.networks.scaling import slice_scale
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX


@dataclass(frozen=True)
class Batch:
    """Slices of one metabolite at one input resolution, scaled for the network.

    Attributes:
        low_resolution: `(batch, 1, n, n)`.
        t1: `(batch, 1, 192, 192, 3)`.
        flair: like `t1`.
        target: `(batch, 1, 64, 64)`, scaled like `low_resolution`.
        mask: 1 where the target is valid, like `target`.
        n: input resolution.
        metabolite: index into `inference_core.METABOLITES`.
        sharpness: lambda.
    """

    low_resolution: Tensor
    t1: Tensor
    flair: Tensor
    target: Tensor
    mask: Tensor
    n: int
    metabolite: int
    sharpness: float

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The same on another device; `non_blocking` from pinned memory without waiting for it."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        """The same in memory that a GPU reads from by itself; torch's DataLoader calls this."""
        return self._map(Tensor.pin_memory)

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return Batch(**{name: change(v) if isinstance(v, Tensor) else v for name, v in vars(self).items()})

    def zero_filled(self) -> Tensor:
        """The zero-filled maps, `(batch, 1, 64, 64)`."""
        return kspace.zero_filled(self.low_resolution, (SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX))


def make_batch(
    acquired: np.ndarray,
    target: np.ndarray,
    valid: np.ndarray,
    t1: np.ndarray,
    flair: np.ndarray,
    n: int,
    metabolite: int,
    sharpness: float,
) -> Batch:
    """A batch from arrays `(batch, 64, 64)` in the maps' units and `(batch, 192, 192, 3)`, truncated to n x n."""
    measured = torch.from_numpy(np.ascontiguousarray(acquired, dtype=np.float32))[:, None]
    low_resolution = kspace.low_resolution(measured, (n, n))
    scale = slice_scale(low_resolution)
    mask = torch.from_numpy(np.ascontiguousarray(valid, dtype=np.float32))[:, None]
    return Batch(
        low_resolution=low_resolution / scale,
        t1=torch.from_numpy(np.ascontiguousarray(t1, dtype=np.float32))[:, None],
        flair=torch.from_numpy(np.ascontiguousarray(flair, dtype=np.float32))[:, None],
        target=torch.from_numpy(np.ascontiguousarray(target, dtype=np.float32))[:, None] / scale * mask,
        mask=mask,
        n=n,
        metabolite=metabolite,
        sharpness=sharpness,
    )
