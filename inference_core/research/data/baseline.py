"""A smooth pedestal below maps: what a wide point spread, or a baseline that the fit takes for signal, leaves there."""

import torch
from torch import Tensor

from inference_core.research.data.random_words import RandomWords
from inference_core.research.data.smooth_field import SmoothField
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

_KNOTS = 4
#: Largest change of the pedestal over the map, as a share of it.
_VARIATION = 0.5
#: Words that `Baseline` takes.
WORDS = 1 + _KNOTS**2


class Baseline:
    """Draws pedestals.

    Args:
        bounds: range of their mean, as a share of the map's mean; drawn evenly.
        device: of all tensors.
    """

    def __init__(self, bounds: tuple[float, float], device: torch.device | str = "cpu"):
        self._bounds = bounds
        self._field = SmoothField(SUPER_RESOLVED_MATRIX, _KNOTS, device)

    def __call__(self, random: RandomWords, target: Tensor, mask: Tensor, brain: Tensor) -> Tensor:
        """What is added to both maps of examples, `(example, 1, 64, 64)`.

        Args:
            random: decides; `WORDS` are taken.
            target: the ground truth, `(example, 1, 64, 64)`.
            mask: where that is valid, like `target`.
            brain: share of each voxel that is brain, like `target`.
        """
        share = random.between(*self._bounds)[:, None, None, None]
        field = self._field(2 * random.uniform(_KNOTS**2) - 1).clamp(-1, 1)[:, None]
        mean = (target * mask).sum(dim=(2, 3), keepdim=True) / mask.sum(dim=(2, 3), keepdim=True).clamp(min=1)
        return share * mean * (1 + _VARIATION * field) * brain
