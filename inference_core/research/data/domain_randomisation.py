"""Domain randomisation: metabolite maps drawn anew as random functions of an example's own MRI.

Any simulator's relation of metabolite to MRI is one of many. A network that only ever saw one assumes it of every
patient; one that saw the relation change from example to example has to infer it from the low-resolution map. Here it
is a random function of T1 and FLAIR intensities (domain randomisation after Tobin et al., IROS 2017), with smooth
variation, spots that MRI does not show, and noise on top. All is tensor code without anything that waits for the
device.
"""

import math

import torch
from torch import Tensor

from inference_core.research.data.random_words import RandomWords
from inference_core.research.data.smooth_field import SmoothField
from inference_core.terms.conditions import MRI_MATRIX, MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

#: Knots of the smooth variation along each axis.
_KNOTS = 5
#: Most spots.
_SPOTS = 4
#: Words that `DomainRandomisation` takes.
WORDS = 11 + (_KNOTS**2 + 1) + 4 * _SPOTS + SUPER_RESOLVED_MATRIX**2
#: Every how many voxels are enough to find quantiles of the intensities.
_STRIDE = 27
#: Share of the slab that must be brain.
_LEAST_BRAIN = 0.02


def _step(image: Tensor, threshold: Tensor, width: Tensor) -> Tensor:
    """0 below the threshold, 1 above, and in between within a few widths; those are `(example,)`."""
    return torch.sigmoid((image - threshold[:, None]) / width[:, None].clamp(min=1e-6))


def _quantiles(ranked: Tensor, count: Tensor, *shares: Tensor) -> list[Tensor]:
    """Quantiles `(example,)` of the first `count` of values in ascending order, `(example, value)`."""
    places = torch.stack(shares, dim=1) * (count - 1).clamp(min=0)[:, None]
    lower = places.long()
    upper = torch.minimum(lower + 1, (count - 1).clamp(min=0)[:, None].long())
    low, high = ranked.gather(1, lower), ranked.gather(1, upper)
    return list((low + (places - lower) * (high - low)).unbind(1))


def block_means(values: Tensor) -> Tensor:
    """`(example, 192 * 192 * 3)` to means over each voxel of the maps, `(example, 64 * 64)`."""
    side, factor = SUPER_RESOLVED_MATRIX, MRI_UPSAMPLING
    rows = values.view(-1, side, factor, MRI_MATRIX * MRI_UPSAMPLING).sum(dim=2)
    return rows.view(-1, side * side, factor * factor).sum(dim=2) / factor**3


class DomainRandomisation:
    """Draws maps on MRI.

    Args:
        device: of all tensors.
    """

    def __init__(self, device: torch.device | str = "cpu"):
        side = SUPER_RESOLVED_MATRIX
        self._smooth = SmoothField(side, _KNOTS, device)
        self._rows, self._columns = (
            places.float() for places in torch.cartesian_prod(*2 * [torch.arange(side, device=device)]).unbind(1)
        )

    def __call__(self, random: RandomWords, mri: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps and their ground truth on examples' MRI, in arbitrary units.

        Args:
            random: decides; `WORDS` are taken.
            mri: T1 and FLAIR, `(example, 2, 192, 192, 3)` float32, 0 outside the brain.

        Returns:
            The acquired maps and the ground truth, `(example, 64, 64)` float32 each, and whether there is a brain to
            draw on, `(example,)` bool; without one, the maps mean nothing.
        """
        t1, flair = mri.flatten(2).unbind(1)
        inside = t1 > 0
        level = self._levels(random, t1, flair, inside)
        truth, brain = block_means(level), block_means(inside.float())

        strength = random.between(0, 0.2)[:, None, None]
        knots = random.normal(_KNOTS**2 + 1)[:, : _KNOTS**2]
        truth = truth * torch.exp(strength * self._smooth(knots)).flatten(1)
        truth = truth * self._spots(random, brain > 0.9)

        within = (brain > 0.5).float()
        typical = (truth * within).sum(dim=1) / within.sum(dim=1).clamp(min=1)
        noise = (random.between(0.02, 0.08) * typical)[:, None] * random.normal(SUPER_RESOLVED_MATRIX**2)
        acquired = (truth + noise * (brain > 0.2)).clamp(min=0)
        shape = (-1, SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX)
        return acquired.view(shape), truth.view(shape), inside.float().mean(dim=1) >= _LEAST_BRAIN

    @staticmethod
    def _levels(random: RandomWords, t1: Tensor, flair: Tensor, inside: Tensor) -> Tensor:
        """A concentration for each MRI voxel: three tissues by T1, and another factor where FLAIR is bright."""
        sample = inside[:, ::_STRIDE]
        count = sample.sum(dim=1)
        outside = torch.finfo(torch.float32).max
        ranked_t1, ranked_flair = (
            image[:, ::_STRIDE].masked_fill(~sample, outside).sort(dim=1).values for image in (t1, flair)
        )
        share_low, share_high = random.between(0.08, 0.35), random.between(0.4, 0.8)
        low, high, brightest = _quantiles(ranked_t1, count, share_low, share_high, torch.full_like(share_low, 0.95))
        width = random.between(0.01, 0.08) * brightest
        fluid, grey, white = random.between(0, 0.3), random.between(0.5, 1.5), random.between(0.5, 1.5)
        level = fluid[:, None] + (grey - fluid)[:, None] * _step(t1, low, width)
        level = level + (white - grey)[:, None] * _step(t1, high, width)
        changed = random.uniform(1) < 0.6
        factor = torch.exp(random.between(math.log(0.3), math.log(3)))[:, None]
        (bright,) = _quantiles(ranked_flair, count, random.between(0.85, 0.98))
        changed_level = level * (1 + (factor - 1) * _step(flair, bright, width))
        return torch.where(changed, changed_level, level) * inside

    def _spots(self, random: RandomWords, allowed: Tensor) -> Tensor:
        """Factors `(example, 64 * 64)`: up to four spots that MRI does not show, centred where they are allowed."""
        count = (random.uniform(_SPOTS)[:, 0] * (_SPOTS + 1)).long()
        ranks = allowed.long().cumsum(dim=1)
        places = ranks[:, -1:]
        wanted = (random.uniform(_SPOTS) * places).long() + 1
        centres = torch.searchsorted(ranks, wanted).clamp(max=ranks.shape[1] - 1)
        amounts, widths = -0.7 + 1.9 * random.uniform(_SPOTS), 0.8 + 1.7 * random.uniform(_SPOTS)
        factors = 1.0
        for spot in range(_SPOTS):
            centre = centres[:, spot : spot + 1]
            row, column = (centre // SUPER_RESOLVED_MATRIX).float(), (centre % SUPER_RESOLVED_MATRIX).float()
            distance = (self._rows - row) ** 2 + (self._columns - column) ** 2
            amount = amounts[:, spot : spot + 1] * ((count[:, None] > spot) & (places > 0))
            factors = factors * (1 + amount * torch.exp(-distance / (2 * widths[:, spot : spot + 1] ** 2)))
        return factors
