"""The critic of the Wasserstein GAN that the adversarial loss comes from (paper, Sec. 2.3)."""

import torch
from torch import Tensor, nn

from inference_core.terms.conditions import MRI_MATRIX, MRI_UPSAMPLING

_IMAGES = 4
_FEATURES = (32, 64, 128, 256)
_SLOPE = 0.2


class Discriminator(nn.Module):
    """Scores how real a map looks beside the patient's MRI: a 4-layer CNN followed by two FC layers.

    The first layer's 4 x 4 x 3 filters take in a slab's three slices at once, so they are written as 4 x 4 filters on
    the three slices as channels.
    """

    def __init__(self):
        super().__init__()
        layers = []
        for inputs, outputs in zip((_IMAGES * MRI_UPSAMPLING, *_FEATURES[:-1]), _FEATURES, strict=True):
            layers += [
                nn.Conv2d(inputs, outputs, 4, 2, padding=1, bias=False),
                nn.InstanceNorm2d(outputs),
                nn.LeakyReLU(_SLOPE),
            ]
        self.convolutions = nn.Sequential(*layers)
        side = MRI_MATRIX // 2 ** len(_FEATURES)
        self.score = nn.Sequential(
            nn.Flatten(), nn.Linear(_FEATURES[-1] * side * side, 16), nn.LeakyReLU(_SLOPE), nn.Linear(16, 1)
        )

    def forward(self, t1: Tensor, flair: Tensor, upsampled: Tensor, judged: Tensor) -> Tensor:
        """Score maps, higher for more real.

        Args:
            t1: `(batch, 1, 192, 192, 3)`.
            flair: like `t1`.
            upsampled: the zero-filled map on the MRI's grid, `(batch, 1, 192, 192)`.
            judged: the map to judge on the same grid, `(batch, 1, 192, 192)`.

        Returns:
            `(batch, 1)`.
        """
        mri = [image[:, 0].permute(0, 3, 1, 2) for image in (t1, flair)]
        maps = [image.expand(-1, MRI_UPSAMPLING, -1, -1) for image in (upsampled, judged)]
        return self.score(self.convolutions(torch.cat((*mri, *maps), dim=1)))
