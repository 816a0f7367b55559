"""Norm conditioners: the scale and shift that follow an instance norm.

All are called as `norm(condition, features)` with the features before the norm, `(batch, channel, row, column, depth)`,
which only those with `reads_features` need. They return scale and shift, `(channel,)` or `(batch, channel)` each.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from inference_core.networks.conditioning import Condition, fully_connected, starting_at


class PlainNorm(nn.Module):
    """Nothing follows the norm."""

    conditions: ClassVar[frozenset[str]] = frozenset()
    reads_features: ClassVar[bool] = False

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels

    def forward(self, condition: Condition, features: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Ones and zeros, `(channel,)` each."""
        return condition.sharpness.new_ones(self.channels), condition.sharpness.new_zeros(self.channels)


class SharpnessNorm(nn.Module):
    """Scale and shift of each channel from lambda: conditional instance norm (paper, Eq. 5)."""

    conditions: ClassVar[frozenset[str]] = frozenset({"sharpness"})
    reads_features: ClassVar[bool] = False

    def __init__(self, channels: int, width: int = 64):
        super().__init__()
        self.hidden = fully_connected(1, width, 4)
        self.affine = starting_at(0.0, nn.Linear(width, 2 * channels))

    def forward(self, condition: Condition, features: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Scale and shift of the normalised features, `(channel,)` each."""
        gamma, beta = self.affine(self.hidden(condition.sharpness.reshape(1))).chunk(2)
        return 1 + gamma, beta


class AMNorm(nn.Module):
    """Scale and shift from n and from the features' own means and deviations: AMLayer (Hui et al., CVPR 2021)."""

    conditions: ClassVar[frozenset[str]] = frozenset({"resolution"})
    reads_features: ClassVar[bool] = True

    def __init__(self, channels: int, width: int = 32):
        super().__init__()
        self.resolution = nn.Sequential(*fully_connected(1, width, 4), nn.Linear(width, channels))
        self.shift, self.scale = (
            nn.Sequential(*fully_connected(2 * channels, width, 4), starting_at(0.0, nn.Linear(width, channels)))
            for _ in range(2)
        )

    def forward(self, condition: Condition, features: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift of the normalised features, `(batch, channel)` each."""
        deviation, mean = torch.std_mean(features, dim=(2, 3, 4), correction=0)
        resolution = self.resolution(condition.resolution.reshape(1)).expand_as(mean)
        scale = 1 + self.scale(torch.cat((resolution, deviation), dim=1))
        return scale, self.shift(torch.cat((resolution, mean), dim=1))
