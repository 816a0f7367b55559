"""How a training example is measured: the central n x n coefficients of k-space, and noise.

All n go through the same matrix products, whose factors are looked up by n, so that shapes do not depend on it: a batch
of any n has the same kernels, which is what a CUDA graph records. The maps of `inference_core.networks.kspace` are the
same but for rounding.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from inference_core.networks.scaling import HEADROOM
from inference_core.research.data.kspace_matrices import both_sides, centred_transform
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

_SIDE = SUPER_RESOLVED_MATRIX


class Measured(NamedTuple):
    """What was measured of a batch of maps.

    Attributes:
        low_resolution: magnitudes, `(example, 1, largest n, largest n)`; 0 beyond the batch's own n.
        zero_filled: complex, `(example, 1, 64, 64)`, in the maps' units.
        scale: as `inference_core.networks.scaling.slice_scale`, `(example, 1, 1, 1)`.
    """

    low_resolution: Tensor
    zero_filled: Tensor
    scale: Tensor


def _overlap(n: int, rows: int) -> np.ndarray:
    """The share of each of n voxels that each of 64 takes on the same axis, `(rows, 64)`; 0 from row n on."""
    low, fine = np.arange(n)[:, None] / n, np.arange(_SIDE) / _SIDE
    shares = np.clip(np.minimum(low + 1 / n, fine + 1 / _SIDE) - np.maximum(low, fine), 0, None) * n
    return np.pad(shares, ((0, rows - n), (0, 0)))


class Acquisition:
    """Measures maps at one of several n.

    Args:
        resolutions: the n.
        device: of all tensors.
    """

    def __init__(self, resolutions: Sequence[int], device: torch.device | str = "cpu"):
        largest, count = max(resolutions), len(resolutions)
        full = centred_transform(_SIDE)
        down, up = (np.zeros((count, *shape), complex) for shape in ((largest, _SIDE), (_SIDE, largest)))
        central = np.zeros((count, _SIDE, _SIDE), complex)
        for index, n in enumerate(resolutions):
            start = _SIDE // 2 - n // 2
            cut = full[start : start + n]
            own = centred_transform(n)
            ratio = math.sqrt(n / _SIDE)
            down[index, :n] = own.conj().T @ cut * ratio
            up[index, :, :n] = cut.conj().T @ own / ratio
            central[index] = cut.conj().T @ cut

        def on_device(values: np.ndarray) -> Tensor:
            return torch.tensor(values, dtype=torch.complex64, device=device)

        self._down, self._up, self._central = on_device(down), on_device(up), on_device(central)
        overlaps = np.stack([_overlap(n, largest) for n in resolutions])
        repeats = overlaps.swapaxes(1, 2) * (_SIDE / np.array(resolutions))[:, None, None]
        self._overlaps, self._repeats = (
            torch.tensor(shares, dtype=torch.float32, device=device) for shares in (overlaps, repeats)
        )
        sizes = torch.tensor(resolutions, device=device)[:, None]
        self._rows = (torch.arange(largest, device=device) < sizes).float()

    def central(self, index: Tensor) -> Tensor:
        """What keeps the central n x n coefficients of an image: `(64, 64)`, to be applied to both sides.

        Args:
            index: of n among the resolutions, `(1,)`.
        """
        return self._central.index_select(0, index)[0]

    def coverage(self, masks: Tensor, index: Tensor) -> Tensor:
        """Which share of each low-resolution voxel lies in masks `(example, 1, 64, 64)`.

        Args:
            masks: 0 or 1.
            index: of n among the resolutions, `(1,)`.

        Returns:
            `(example, 1, largest n, largest n)`; 0 beyond the batch's own n.
        """
        return both_sides(self._overlaps.index_select(0, index)[0], masks)

    def repeated(self, values: Tensor, index: Tensor) -> Tensor:
        """Values of low-resolution voxels on the 64 x 64 voxels within them: the means of those that share a voxel.

        Args:
            values: `(example, 1, largest n, largest n)`.
            index: of n among the resolutions, `(1,)`.
        """
        return both_sides(self._repeats.index_select(0, index)[0], values)

    def own(self, index: Tensor) -> Tensor:
        """1 in the voxels of an n x n map, 0 beyond: `(largest n, largest n)`.

        Args:
            index: of n among the resolutions, `(1,)`.
        """
        rows = self._rows.index_select(0, index)[0]
        return rows[:, None] * rows

    def __call__(
        self, maps: Tensor, index: Tensor, noise: Tensor | None = None, shown: Tensor | None = None
    ) -> Measured:
        """Measure maps.

        Args:
            maps: `(example, 1, 64, 64)` float32.
            index: of n among the resolutions, `(1,)`.
            noise: complex, `(example, 1, largest n, largest n)`, added to each low-resolution voxel before its
                magnitude is taken; 0 beyond the batch's own n.
            shown: which low-resolution voxels have values, like `noise`, 1 or 0; all if None.
        """
        down, up = (factors.index_select(0, index)[0] for factors in (self._down, self._up))
        measured = both_sides(down, maps.to(down.dtype))
        if noise is not None:
            measured = measured + noise
        low_resolution = measured.abs() if shown is None else measured.abs() * shown
        zero_filled = both_sides(up, low_resolution.to(up.dtype))
        brightest = HEADROOM * zero_filled.abs().amax(dim=(-2, -1), keepdim=True)
        return Measured(low_resolution, zero_filled, torch.where(brightest > 0, brightest, torch.ones_like(brightest)))


def consistent(proposed: Tensor, zero_filled: Tensor, central: Tensor) -> Tensor:
    """As `inference_core.networks.kspace.enforce_data_consistency`, and the magnitude of that.

    Args:
        proposed: `(example, 1, 64, 64)`, real.
        zero_filled: complex, like `proposed`, from `Acquisition`, scaled alike.
        central: from `Acquisition.central`.
    """
    proposed = proposed.to(central.dtype)
    return (proposed + (zero_filled - both_sides(central, proposed))).abs()
