"""Where an acquired map has values: everywhere, or within a mask, which may be larger or smaller than the brain."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from inference_core.research.data.acquisition import Acquisition
from inference_core.research.data.random_words import RandomWords
from inference_core.research.data.smooth_field import gaussian_matrix
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

_SIDE = SUPER_RESOLVED_MATRIX
#: Words that `AcquiredMasks` takes; more for varied masks.
WORDS, VARIED_WORDS = 1, 4
#: Range of how far varied masks reach beyond the brain, in voxels of the 64 x 64 map (3.4 to 5 mm).
_MARGIN = (-1.2, 1.5)
#: Standard deviation of the Gaussian by which distances from the edge are estimated, in the same voxels.
_EDGE_WIDTH = 1.2
#: Range of the share of a low-resolution voxel that lies in the brain if varied masks have it.
_COVERAGE = (0.1, 0.75)
#: Share of a low-resolution voxel that lies in a mask if there is noise in it.
_LEAST_COVERAGE = 0.1


class Shown(NamedTuple):
    """Where an acquired map has values, 1 or 0 each.

    Attributes:
        fine: at 64 x 64, before the map is measured, `(example, 1, 64, 64)`.
        signal: in the low-resolution map, `(example, 1, largest n, largest n)`.
        noise: where there is noise in the low-resolution map, like `signal`.
        valid: where the low-resolution map says what the truth is, like `fine`.
    """

    fine: Tensor
    signal: Tensor
    noise: Tensor
    valid: Tensor


class AcquiredMasks:
    """Draws masks of acquired maps.

    Half of the maps come whole, the others without the voxels that a quality filter rejects. If masks are varied, a
    third come whole; a third within a mask at 64 x 64, whose edge lies within the brain or beyond it; and a third
    within a mask of low-resolution voxels, as maps of a coarse measurement do.

    Args:
        varied: whether they are.
        acquisition: that measures the maps.
        device: of all tensors.
    """

    def __init__(self, varied: bool, acquisition: Acquisition, device: torch.device | str = "cpu"):
        self._varied, self._acquisition = varied, acquisition
        self._edge = gaussian_matrix(_SIDE, _EDGE_WIDTH, device)

    def __call__(self, random: RandomWords, mask: Tensor, brain: Tensor, resolution: Tensor) -> Shown:
        """Where acquired maps have values.

        Args:
            random: decides; `WORDS` are taken, or `VARIED_WORDS`.
            mask: where the ground truth is valid, `(example, 1, 64, 64)`, 1 or 0.
            brain: share of each voxel that is brain, like `mask`.
            resolution: index of n among the resolutions, `(1,)`.
        """
        kind = random.uniform(1)[..., None, None]
        ones = torch.ones_like(mask)
        if not self._varied:
            fine = torch.where(kind < 0.5, mask, ones)
            return Shown(fine, self._acquisition.own(resolution), self._noise(fine, resolution), ones)
        filtered, reach, coverage = (random.uniform(1)[..., None, None] for _ in range(3))
        base = torch.where(filtered < 0.5, mask, torch.maximum((brain > 0.5).float(), mask))
        margin = _MARGIN[0] + (_MARGIN[1] - _MARGIN[0]) * reach
        # At a straight edge, the smoothed mask is the normal distribution function of the distance.
        level = 0.5 * (1 + torch.erf(-margin / (_EDGE_WIDTH * math.sqrt(2))))
        moved = (self._edge @ base @ self._edge.T > level).float()
        fine = torch.where((kind >= 1 / 3) & (kind < 2 / 3), moved, ones)
        least = _COVERAGE[0] + (_COVERAGE[1] - _COVERAGE[0]) * coverage
        inside = self._acquisition.own(resolution)
        covered = (self._acquisition.coverage(base, resolution) > least).float()
        signal = torch.where(kind >= 2 / 3, covered, inside)
        valid = fine * (self._acquisition.repeated(signal, resolution) > 0.5)
        return Shown(fine, signal, signal * self._noise(fine, resolution), valid)

    def _noise(self, fine: Tensor, resolution: Tensor) -> Tensor:
        return (self._acquisition.coverage(fine, resolution) > _LEAST_COVERAGE).float()
