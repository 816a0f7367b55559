"""How a training example is measured: point spread, noise, and the central n x n coefficients of k-space.

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
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

_SIDE = SUPER_RESOLVED_MATRIX
#: Standard deviations in a full width at half maximum.
_FWHM = 2 * math.sqrt(2 * math.log(2))


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


def _centred_transform(size: int) -> np.ndarray:
    """The centred orthonormal FFT of `inference_core.networks.kspace` as a matrix."""
    index = np.arange(size) - size // 2
    return np.exp(-2j * np.pi * np.outer(index, index) / size) / math.sqrt(size)


def _both_sides(factor: Tensor, images: Tensor) -> Tensor:
    """A linear map along rows and columns of images."""
    return factor @ images @ factor.mT


class Acquisition:
    """Measures maps at one of several n.

    Args:
        resolutions: the n.
        device: of all tensors.
    """

    def __init__(self, resolutions: Sequence[int], device: torch.device | str = "cpu"):
        largest, count = max(resolutions), len(resolutions)
        full = _centred_transform(_SIDE)
        down, up = (np.zeros((count, *shape), complex) for shape in ((largest, _SIDE), (_SIDE, largest)))
        central = np.zeros((count, _SIDE, _SIDE), complex)
        for index, n in enumerate(resolutions):
            start = _SIDE // 2 - n // 2
            cut = full[start : start + n]
            own = _centred_transform(n)
            ratio = math.sqrt(n / _SIDE)
            down[index, :n] = own.conj().T @ cut * ratio
            up[index, :, :n] = cut.conj().T @ own / ratio
            central[index] = cut.conj().T @ cut

        def on_device(values: np.ndarray) -> Tensor:
            return torch.tensor(values, dtype=torch.complex64, device=device)

        self._down, self._up, self._central = on_device(down), on_device(up), on_device(central)
        self._spread = on_device(full), on_device(full.conj().T)
        frequency = (np.arange(_SIDE) - _SIDE // 2) / _SIDE
        self._frequency = torch.tensor(frequency, dtype=torch.float32, device=device)

    def blurred(self, maps: Tensor, widths: Tensor) -> Tensor:
        """Maps seen through Gaussian point spreads.

        Args:
            maps: `(example, map, 64, 64)`.
            widths: full widths at half maximum, in voxels of the maps, `(example,)`.
        """
        sigma = 2 * math.pi * (widths / _FWHM)[:, None] * self._frequency
        fall_off = torch.exp(-0.5 * sigma**2)
        forward, back = self._spread
        factors = (back * fall_off[:, None].to(back.dtype)) @ forward
        # The point spread is real, but for the coefficient that has no partner.
        return _both_sides(factors[:, None], maps.to(back.dtype)).real

    def central(self, index: Tensor) -> Tensor:
        """What keeps the central n x n coefficients of an image: `(64, 64)`, to be applied to both sides.

        Args:
            index: of n among the resolutions, `(1,)`.
        """
        return self._central.index_select(0, index)[0]

    def __call__(self, maps: Tensor, index: Tensor) -> Measured:
        """Measure `maps`, `(example, 1, 64, 64)` float32, at the n of `index` `(1,)`."""
        down, up = (factors.index_select(0, index)[0] for factors in (self._down, self._up))
        low_resolution = _both_sides(down, maps.to(down.dtype)).abs()
        zero_filled = _both_sides(up, low_resolution.to(up.dtype))
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
    return (proposed + (zero_filled - _both_sides(central, proposed))).abs()
