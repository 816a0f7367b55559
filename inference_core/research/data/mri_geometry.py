"""T1 and FLAIR that lie beside the map, are stripped of the skull badly, or end within the brain.

All images lie in planes, `(example, 2, 3, 192, 192)`: T1 and FLAIR, and the slab's slices.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from inference_core.research.data.random_words import RandomWords
from inference_core.research.data.smooth_field import SmoothField, gaussian_matrix
from inference_core.terms.conditions import MRI_MATRIX

_SIDE = MRI_MATRIX
#: Range of how far the skull strip lies inside of the brain's edge or outside of it, in MRI voxels (1.1 to 1.7 mm).
_STRIP = (0.7, 2.5)
#: Standard deviation of the Gaussian by which distances from the edge are estimated, in MRI voxels.
_EDGE_WIDTH = 2.0
#: Knots of the field that says where a rim of other tissue is left.
_RIM_KNOTS = 12
#: Range of that tissue's intensity, as a share of the brain's mean.
_RIM_INTENSITY = (0.4, 1.8)
#: Largest shift along each axis, in MRI voxels, and largest turn, radians.
_LARGEST_SHIFT, _LARGEST_TURN = 1.5, math.radians(2.0)
#: Share of the brain's area that lies beyond the field of view.
_CUT = (0.01, 0.12)
#: Words that `MriGeometry` takes.
WORDS = 2 * (4 + 3 + 2) + 2 * _RIM_KNOTS**2


class MriGeometry:
    """Changes where images show the brain, at random.

    Args:
        device: of all tensors.
    """

    def __init__(self, device: torch.device | str = "cpu"):
        index = torch.arange(_SIDE, device=device).float()
        self._edge = gaussian_matrix(_SIDE, _EDGE_WIDTH, device)
        self._rim = SmoothField(_SIDE, _RIM_KNOTS, device)
        centred = (index - (_SIDE - 1) / 2) * 2 / _SIDE
        self._rows, self._columns = centred[:, None].expand(_SIDE, _SIDE), centred.expand(_SIDE, _SIDE)

    def __call__(self, random: RandomWords, images: Tensor, active: dict[str, Tensor]) -> Tensor:
        """Images changed; where nothing is active, the same ones.

        Args:
            random: decides; `WORDS` are taken.
            images: `(example, 2, 3, 192, 192)`, 0 to 1, 0 outside the brain.
            active: for "strip", "displaced" and "cut", which images are changed by it: `(example, 2)`, 1 or 0.

        Returns:
            The same shape, 0 to 1.
        """
        images = self._stripped(random, images, active["strip"])
        images = self._displaced(random, images, active["displaced"])
        images = self._cut(random, images, active["cut"])
        return images / images.amax(dim=(2, 3, 4), keepdim=True).clamp(min=1)

    def _stripped(self, random: RandomWords, images: Tensor, active: Tensor) -> Tensor:
        """Too tight: the brain's rim is lost. Too loose: here and there a rim of other tissue is left around it."""
        low, high = _STRIP
        margin, tight = low + (high - low) * random.uniform(2), random.uniform(2) < 0.5
        intensity = _RIM_INTENSITY[0] + (_RIM_INTENSITY[1] - _RIM_INTENSITY[0]) * random.uniform(2)
        coverage = 0.8 * random.uniform(2) - 0.6
        field = self._rim(2 * random.uniform(2 * _RIM_KNOTS**2).unflatten(1, (2, -1)) - 1)[:, :, None]
        margin, tight, intensity, coverage, active = (
            value[..., None, None, None] for value in (margin, tight, intensity, coverage, active > 0)
        )
        brain = (images > 0).any(dim=1, keepdim=True)
        # At a straight edge, the smoothed brain is the normal distribution function of the distance.
        smoothed = self._edge @ brain.float() @ self._edge.T
        distance = torch.where(tight, margin, -margin)
        within = smoothed > 0.5 * (1 + torch.erf(distance / (_EDGE_WIDTH * math.sqrt(2))))
        mean = images.sum(dim=(2, 3, 4), keepdim=True) / (images > 0).sum(dim=(2, 3, 4), keepdim=True).clamp(min=1)
        left = within & ~brain & (field > coverage)
        loose = torch.where(left, intensity * mean * (1 + 0.3 * field.clamp(-1, 1)), images)
        return torch.where(active, torch.where(tight, images * within, loose), images)

    def _displaced(self, random: RandomWords, images: Tensor, active: Tensor) -> Tensor:
        """By bilinear interpolation; it has no backward pass here, and the forward one is deterministic on CUDA."""
        down, right, turn = (2 * random.uniform(2)[..., None, None] - 1 for _ in range(3))
        cosine, sine = torch.cos(_LARGEST_TURN * turn), torch.sin(_LARGEST_TURN * turn)
        rows = cosine * self._rows - sine * self._columns + 2 * _LARGEST_SHIFT / _SIDE * down
        columns = sine * self._rows + cosine * self._columns + 2 * _LARGEST_SHIFT / _SIDE * right
        places = torch.stack((columns, rows), dim=-1).flatten(0, 1)
        moved = functional.grid_sample(images.flatten(0, 1), places, mode="bilinear", align_corners=False)
        return torch.where(active[..., None, None, None] > 0, moved.view_as(images), images)

    @staticmethod
    def _cut(random: RandomWords, images: Tensor, active: Tensor) -> Tensor:
        """0 beyond a line that cuts off a share of the brain at one of four sides."""
        share = (_CUT[0] + (_CUT[1] - _CUT[0]) * random.uniform(2))[..., None]
        side = (4 * random.uniform(2)).long()[..., None]
        area = (images > 0).float().sum(dim=2)
        total = area.sum(dim=(2, 3))[..., None].clamp(min=1)
        before = [area.sum(dim=3 - axis).cumsum(dim=2) / total for axis in range(2)]
        kept = []
        for axis in range(2):
            first = torch.where(side == 2 * axis, before[axis] >= share, True)
            kept.append(torch.where(side == 2 * axis + 1, before[axis] <= 1 - share, first))
        rows, columns = kept
        seen = rows[..., :, None] & columns[..., None, :]
        return torch.where(active[..., None, None, None] > 0, images * seen[:, :, None], images)
