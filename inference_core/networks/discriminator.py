"""The critic of the Wasserstein GAN that the adversarial loss comes from (paper, Sec. 2.3)."""

import torch
from torch import Tensor, nn

_FEATURES = (32, 64, 128, 256)
_SLOPE = 0.2


class Discriminator(nn.Module):
    """Scores how real a map looks beside the patient's MRI: a 4-layer CNN followed by two FC layers."""

    def __init__(self):
        super().__init__()
        layers = []
        for level, (inputs, outputs) in enumerate(zip((4, *_FEATURES[:-1]), _FEATURES, strict=True)):
            # The first layer takes in the slab's three slices at once; what follows has a depth of one.
            kernel, stride = ((4, 4, 3), (2, 2, 3)) if level == 0 else ((4, 4, 1), (2, 2, 1))
            layers += [
                nn.Conv3d(inputs, outputs, kernel, stride, padding=(1, 1, 0), bias=False),
                nn.InstanceNorm3d(outputs),
                nn.LeakyReLU(_SLOPE),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.score = nn.Sequential(
            nn.Flatten(), nn.Linear(_FEATURES[-1] * 12 * 12, 16), nn.LeakyReLU(_SLOPE), nn.Linear(16, 1)
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
        slabs = [image[..., None].expand_as(t1) for image in (upsampled, judged)]
        return self.score(self.convolutions(torch.cat((t1, flair, *slabs), dim=1)))
