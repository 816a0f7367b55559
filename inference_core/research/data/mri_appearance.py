"""T1 and FLAIR as clinics have them, made from ideal ones at random."""

import torch
from torch import Tensor

from inference_core.research.data import mri_geometry, mri_intensity
from inference_core.research.data.batch_options import MriOptions
from inference_core.research.data.random_words import RandomWords

#: What is drawn for T1 and FLAIR, by the names of `MriOptions`.
_EFFECTS = ("intensity", "fluid", "bias", "blur", "thick", "ghost", "noise", "strip", "displaced", "cut")
#: Words that `MriAppearance` takes.
WORDS = 1 + 2 * len(_EFFECTS) + mri_intensity.WORDS + mri_geometry.WORDS


class MriAppearance:
    """Changes how T1 and FLAIR look.

    Args:
        options: how often.
        device: of all tensors.
    """

    def __init__(self, options: MriOptions, device: torch.device | str = "cpu"):
        shares = [getattr(options, effect) for effect in _EFFECTS]
        self._changed, self._shares = options.changed, torch.tensor(shares, device=device)[:, None]
        self._intensity, self._geometry = mri_intensity.MriIntensity(device), mri_geometry.MriGeometry(device)

    def __call__(self, random: RandomWords, mri: Tensor) -> Tensor:
        """T1 and FLAIR with other contrasts and faults.

        Args:
            random: decides; `WORDS` are taken.
            mri: `(example, 2, 192, 192, 3)` float32, 0 to 1, 0 outside the brain.

        Returns:
            The same shape, 0 to 1.
        """
        changed = (random.uniform(1) < self._changed)[..., None]
        drawn = random.uniform(2 * len(_EFFECTS)).unflatten(1, (-1, 2)) < self._shares
        active = dict(zip(_EFFECTS, (drawn & changed).float().unbind(1), strict=True))
        planes = mri.movedim(-1, 2).contiguous()
        planes = self._geometry(random, self._intensity(random, planes, active), active)
        return planes.movedim(2, -1).contiguous()
