"""Point spreads of scanners and reconstructions, as factors on k-space; tensor code that never waits for the device.

The truth that an acquisition can show is the tissue's, seen through its point spread. Kinds differ in how k-space falls
off: a Gaussian; a separable Hamming filter over a block of k-space; a disc or ellipse of k-space and nothing beyond it,
as spirals and elliptical phase encoding cover it; spatial regularisation, which penalises second derivatives; and
linear interpolation from a coarser matrix. Their blocks may be smaller than the n x n that the network is given, or
larger: both are drawn by the width.
"""

import math

import numpy as np
import torch
from torch import Tensor

from inference_core.research.data.batch_options import POINT_SPREADS, PointSpreadOptions
from inference_core.research.data.kspace_matrices import both_sides, centred_transform
from inference_core.research.data.random_words import RandomWords
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

_SIDE = SUPER_RESOLVED_MATRIX
#: Words that `PointSpreads.draw` takes.
WORDS = 7
#: Full width at half maximum of a Gaussian of standard deviation 1.
_GAUSSIAN = 2 * math.sqrt(2 * math.log(2))
#: The same, of the point spread of a Hamming filter, and of a disc, of diameter 1 in k-space.
_HAMMING, _DISC = 1.8152, 1.4102
#: The same, of the point spread whose factors are 1 / (1 + (2 pi f)^4).
_REGULARISED = 2.6041
#: Share of point spreads that have two widths, and of these, their largest ratio.
_ANISOTROPIC, _LARGEST_RATIO = 0.5, 2.0
#: Share of those that are not separable, which are turned.
_TURNED = 0.5
#: Kinds that lie along rows and columns in any case.
_SEPARABLE = ("hamming", "interpolated")


class PointSpreads:
    """Draws point spreads, and shows maps through them.

    Args:
        options: what to draw from.
        device: of all tensors.
    """

    def __init__(self, options: PointSpreadOptions, device: torch.device | str = "cpu"):
        self._options = options
        full = centred_transform(_SIDE)
        self._forward, self._back = (
            torch.tensor(matrix, dtype=torch.complex64, device=device) for matrix in (full, full.conj().T)
        )
        frequency = (np.arange(_SIDE) - _SIDE // 2) / _SIDE
        self._rows = torch.tensor(frequency[:, None], dtype=torch.float32, device=device)
        self._columns = self._rows.T
        self._kinds = torch.tensor([POINT_SPREADS.index(kind) for kind in options.kinds], device=device)
        self._all_kinds = torch.arange(len(POINT_SPREADS), device=device)
        turnable = [float(kind not in _SEPARABLE) for kind in POINT_SPREADS]
        self._turnable = torch.tensor(turnable, device=device)

    def draw(self, random: RandomWords) -> Tensor:
        """Factors on centred k-space, `(example, 64, 64)`; 1 for examples without a point spread.

        Args:
            random: decides; `WORDS` are taken.
        """
        options = self._options
        without = random.uniform(1)[:, 0] >= options.share
        width = torch.exp(random.between(*(math.log(bound) for bound in options.width)))
        isotropic = random.uniform(1)[:, 0] >= _ANISOTROPIC
        stretch = random.between(-0.5, 0.5).masked_fill(isotropic, 0.0) * math.log(_LARGEST_RATIO)
        kind = self._kinds.index_select(0, random.below(len(self._kinds)))
        turned = (random.uniform(1)[:, 0] < _TURNED) * self._turnable.index_select(0, kind)
        angle = random.between(0, math.pi) * turned
        factors = self.factors(kind, torch.stack((width * torch.exp(stretch), width * torch.exp(-stretch)), 1), angle)
        return torch.where(without[:, None, None], torch.ones_like(factors), factors)

    def factors(self, kind: Tensor, widths: Tensor, angle: Tensor) -> Tensor:
        """Factors on centred k-space, `(example, 64, 64)`.

        Args:
            kind: index into `POINT_SPREADS`, `(example,)` int64.
            widths: full widths at half maximum along rows' direction and columns', in voxels, `(example, 2)`.
            angle: by which these directions are turned, radians, `(example,)`.
        """
        cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
        first, second = widths[:, :, None, None].unbind(1)
        # In units of the widths.
        along = first * (cosine * self._rows + sine * self._columns)
        across = second * (cosine * self._columns - sine * self._rows)
        squared = along**2 + across**2
        # The edge of a covered region falls over one coefficient, so that rounding does not decide over any.
        edge = _SIDE / (first * second).sqrt()
        ellipse = ((_DISC / 2 - squared.sqrt()) * edge + 0.5).clamp(0, 1)
        hamming = _hamming(along, _SIDE / first) * _hamming(across, _SIDE / second)
        own = (
            torch.exp(-2 * (math.pi / _GAUSSIAN) ** 2 * squared),
            hamming,
            ellipse,
            1 / (1 + (2 * math.pi / _REGULARISED) ** 4 * squared**2),
            (torch.sinc(along) * torch.sinc(across)) ** 2,
        )
        chosen = (kind[:, None] == self._all_kinds)[..., None, None]
        return (torch.stack(own, dim=1) * chosen).sum(dim=1)

    def __call__(self, maps: Tensor, factors: Tensor) -> Tensor:
        """Maps `(example, map, 64, 64)` through point spreads; negative where these ring.

        Args:
            maps: real.
            factors: from `draw` or `factors`.
        """
        kspace = both_sides(self._forward, maps.to(self._forward.dtype)) * factors[:, None]
        # The point spread is real, but for the coefficient that has no partner.
        return both_sides(self._back, kspace).real


def _hamming(frequency: Tensor, edge: Tensor) -> Tensor:
    """A Hamming filter of point spreads of width 1; it ends over 1 / `edge`."""
    inside = ((_HAMMING / 2 - frequency.abs()) * edge + 0.5).clamp(0, 1)
    return (0.54 + 0.46 * torch.cos(2 * math.pi / _HAMMING * frequency.clamp(-_HAMMING / 2, _HAMMING / 2))) * inside
