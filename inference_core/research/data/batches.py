"""Training batches: one metabolite, one n and one lambda each, made from nothing but a seed and the step's number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inference_core.errors import InputError
from inference_core.networks import kspace
from inference_core.networks.scaling import slice_scale
from inference_core.research.data.augmentation import augment
from inference_core.research.data.redrawing import redraw_maps
from inference_core.research.data.slice_set import Slices
from inference_core.terms.conditions import SHARPNESS_RANGE, SUPER_RESOLVED_MATRIX, TRAINED_RESOLUTIONS

#: Share of batches whose lambda is exactly 0, so that the network is at its best without sharpening too.
_SHARE_WITHOUT_SHARPNESS = 0.1


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


class TrainingBatches:
    """Random, augmented batches of a set of slices.

    The batch of a step depends on the seed and the step alone, which is what lets training resume exactly, and each
    example has random numbers of its own, so that several processes can make a part of the batch each.

    Args:
        slices: what to draw from.
        batch_size: slices a batch.
        seed: any integer of at least 0.
        redrawn: share of examples, 0 to 1, whose maps are drawn anew on their MRI.
        resolutions: the input resolutions n to draw from.

    Raises:
        InputError: if no metabolite has a usable map.
    """

    def __init__(
        self,
        slices: Slices,
        batch_size: int,
        seed: int,
        redrawn: float = 0.0,
        resolutions: Sequence[int] = TRAINED_RESOLUTIONS,
    ):
        self.slices, self.batch_size, self.seed, self.redrawn = slices, batch_size, seed, redrawn
        self.resolutions = tuple(resolutions)
        usable = slices.usable()
        self._usable = {m: np.flatnonzero(row) for m, row in enumerate(usable) if row.any()}
        if not self._usable:
            raise InputError("The training data hold no metabolite map with enough valid voxels.")

    @property
    def maps(self) -> int:
        """How many maps one epoch has."""
        return sum(len(indices) for indices in self._usable.values())

    def batch(self, step: int, part: slice = slice(None)) -> Batch:
        """The batch of a step, or those of its examples that `part` cuts out, without making the others."""
        whole, *seeds = self._seeds(step)
        rng = np.random.default_rng(whole)
        metabolite = int(rng.choice(list(self._usable)))
        n = int(rng.choice(self.resolutions))
        sharpness = 0.0 if rng.random() < _SHARE_WITHOUT_SHARPNESS else float(rng.uniform(*SHARPNESS_RANGE))
        candidates = self._usable[metabolite]
        chosen = rng.choice(candidates, self.batch_size, replace=len(candidates) < self.batch_size)
        examples = [
            self._example(np.random.default_rng(seed), metabolite, int(index))
            for seed, index in zip(seeds[part], chosen[part], strict=True)
        ]
        return make_batch(*map(np.stack, zip(*examples, strict=True)), n, metabolite, sharpness)

    def _seeds(self, step: int) -> list[np.random.SeedSequence]:
        """The seed of what a batch's examples share, and one for each example."""
        whole = np.random.SeedSequence([self.seed, step])
        return [whole, *whole.spawn(self.batch_size)]

    def _example(self, rng: np.random.Generator, metabolite: int, index: int) -> list[np.ndarray]:
        maps, mri = self.slices.example(metabolite, index)
        maps, mri = augment(rng, maps, [image.astype(np.float32) for image in mri])
        if rng.random() < self.redrawn and (drawn := redraw_maps(rng, *mri)):
            maps[:2] = drawn
        # Maps come either way from users: without the voxels that a quality filter rejects, or whole.
        if rng.random() < 0.5:
            maps[0] = np.where(maps[2], maps[0], 0)
        return maps + mri
