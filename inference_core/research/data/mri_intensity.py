"""Intensities of T1 and FLAIR as clinics have them: contrast, bias field, point spread, motion and noise.

All images lie in planes, `(example, 2, 3, 192, 192)`: T1 and FLAIR, and the slab's slices.
"""

import math

import torch
from torch import Tensor

from inference_core.research.data.random_words import RandomWords
from inference_core.research.data.smooth_field import SmoothField
from inference_core.terms.conditions import MRI_MATRIX, MRI_UPSAMPLING

_SIDE = MRI_MATRIX
#: Bias field: knots along each axis, and the largest change of intensity.
_BIAS_KNOTS, _LARGEST_BIAS = 4, 0.4
#: Largest standard deviation of the blur along one axis, in MRI voxels (1.1 to 1.7 mm).
_LARGEST_BLUR = 1.5
#: Range of how much of a slice thick slices mix with the others.
_THICKNESS = (0.5, 1.0)
#: Largest share of the intensity that goes into a ghost, and the least distance of it, in MRI voxels.
_LARGEST_GHOST, _GHOST_DISTANCE = 0.06, 12
#: Range of the noise's standard deviation, as a share of the brain's mean intensity.
_NOISE = (0.01, 0.08)
#: Below which share of FLAIR's mean intensity voxels are fluid, and how bright it becomes, in the same units.
_FLUID, _FLUID_INTENSITY = (0.3, 0.6), (1.3, 2.2)
#: Words that `MriIntensity` takes.
WORDS = 2 * (_BIAS_KNOTS**2 + 12 + _SIDE**2)


def _polynomial(images: Tensor, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
    return images * (first + images * (second + images * third))


class MriIntensity:
    """Changes intensities at random.

    Args:
        device: of all tensors.
    """

    def __init__(self, device: torch.device | str = "cpu"):
        self._bias = SmoothField(_SIDE, _BIAS_KNOTS, device)
        self._index = torch.arange(_SIDE, device=device)
        self._circulant = ((self._index[:, None] - self._index) % _SIDE).flatten()
        self._offset = torch.minimum(self._index, _SIDE - self._index)
        self._is_flair = torch.tensor([0.0, 1.0], device=device)

    def __call__(self, random: RandomWords, images: Tensor, active: dict[str, Tensor]) -> Tensor:
        """Images with other intensities; where nothing is active, the same ones.

        Args:
            random: decides; `WORDS` are taken.
            images: `(example, 2, 3, 192, 192)`, 0 to 1, 0 outside the brain.
            active: for "intensity", "fluid", "bias", "blur", "thick", "ghost" and "noise", which images are changed by
                it: `(example, 2)`, 1 or 0.

        Returns:
            The same shape, 0 to 1, 0 outside the brain.
        """
        brain = (images > 0).float()
        images = self._curve(random, images, active["intensity"])
        images = self._fluid(random, images, brain, active["fluid"])
        images = self._biased(random, images, active["bias"])
        images = self._blurred(random, images, active["blur"], active["ghost"])
        thickness = self._each(random, *_THICKNESS) * active["thick"][..., None, None, None]
        images = images + thickness * (images.mean(dim=2, keepdim=True) - images)
        images = self._noisy(random, images, brain, active["noise"]) * brain
        return images / images.amax(dim=(2, 3, 4), keepdim=True).clamp(min=1)

    @staticmethod
    def _each(random: RandomWords, low: float, high: float) -> Tensor:
        """A number for each image, `(example, 2, 1, 1, 1)`, evenly from `low` to below `high`."""
        return low + (high - low) * random.uniform(2)[..., None, None, None]

    @staticmethod
    def _curve(random: RandomWords, images: Tensor, active: Tensor) -> Tensor:
        """Cubic Bernstein polynomials whose inner coefficients ascend, which increase everywhere from 0 to 1."""
        low, high = (0.1 + 0.85 * random.uniform(4).unflatten(1, (2, 2))).sort(dim=-1).values.unbind(-1)
        coefficients = 1 + (3 * low - 1) * active, (3 * high - 6 * low) * active, (1 + 3 * low - 3 * high) * active
        return _polynomial(images, *(coefficient[..., None, None, None] for coefficient in coefficients))

    def _fluid(self, random: RandomWords, images: Tensor, brain: Tensor, active: Tensor) -> Tensor:
        mean = images.sum(dim=(2, 3, 4), keepdim=True) / brain.sum(dim=(2, 3, 4), keepdim=True).clamp(min=1)
        threshold = self._each(random, *_FLUID) * mean
        brightness = self._each(random, *_FLUID_INTENSITY) * mean
        share = torch.sigmoid((threshold - images) / (0.1 * mean).clamp(min=1e-6)) * brain
        own = (active * self._is_flair)[..., None, None, None]
        return images + own * share * (brightness - images)

    def _biased(self, random: RandomWords, images: Tensor, active: Tensor) -> Tensor:
        values = 2 * random.uniform(2 * _BIAS_KNOTS**2).unflatten(1, (2, -1)) - 1
        field = self._bias(values).clamp(-1, 1)[:, :, None]
        return images * (1 + _LARGEST_BIAS * self._each(random, 0, 1) * active[..., None, None, None] * field)

    def _blurred(self, random: RandomWords, images: Tensor, blurred: Tensor, ghostly: Tensor) -> Tensor:
        """Images blurred along one axis, and with a ghost along one axis, as products with circulant matrices."""
        width = 0.3 + (_LARGEST_BLUR - 0.3) * random.uniform(2)
        share = (0.01 + (_LARGEST_GHOST - 0.01) * random.uniform(2)) * ghostly
        distance = _GHOST_DISTANCE + ((_SIDE - 2 * _GHOST_DISTANCE) * random.uniform(2)).long()
        axes = random.uniform(4).unflatten(1, (2, 2)) < 0.5
        gaussian = torch.exp(-0.5 * (self._offset / width[..., None]) ** 2)
        gaussian = gaussian / gaussian.sum(dim=-1, keepdim=True)
        point, ghost = (self._offset == 0).float(), (self._index == distance[..., None]).float()
        for axis in range(2):
            blur, ghosts = ((axes[..., part] == bool(axis)).float() for part in range(2))
            kernel = point + (blur * blurred)[..., None] * (gaussian - point)
            kernel = kernel + (ghosts * share)[..., None] * (ghost - kernel)
            factors = kernel.index_select(2, self._circulant).view(-1, 2, 1, _SIDE, _SIDE)
            images = factors @ images if axis == 0 else images @ factors.mT
        return images

    @staticmethod
    def _noisy(random: RandomWords, images: Tensor, brain: Tensor, active: Tensor) -> Tensor:
        """Rician noise; the slab's slices have one plane of it, shifted by a third of its side."""
        low, high = (math.log(bound) for bound in _NOISE)
        strength = torch.exp(MriIntensity._each(random, low, high)) * active[..., None, None, None]
        mean = images.sum(dim=(2, 3, 4), keepdim=True) / brain.sum(dim=(2, 3, 4), keepdim=True).clamp(min=1)
        words = random.words(2 * _SIDE**2).view(-1, 2, 1, _SIDE, _SIDE)
        # Two nearly normal numbers from a word: the sum of its four bytes, and an alternating one, which is
        # uncorrelated with it.
        first, second, third, fourth = ((words >> shift) & 255 for shift in (0, 8, 16, 24))
        scale = math.sqrt(3 / (256**2 - 1))
        normal = ((first + second + third + fourth) - 510).float() * scale
        other = (first - second + third - fourth).float() * scale
        parts = []
        for part in (normal, other):
            planes = [part.roll((depth * _SIDE // 3, depth * _SIDE // 3), (3, 4)) for depth in range(MRI_UPSAMPLING)]
            parts.append(strength * mean * torch.cat(planes, dim=2))
        return torch.sqrt((images + parts[0]) ** 2 + parts[1] ** 2)
