"""How the U-Net is told what it works on: parts that plug into each of its convolutions and norms.

A *filter conditioner* turns a convolution's filters into those for the given condition; a *norm conditioner* gives the
scale and shift that follow an instance norm. The U-Net has one of each per convolution and knows nothing more of them,
so that every network of the paper is the same U-Net with other parts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inference_core.conditions import METABOLITES, SHARPNESS_RANGE, TRAINED_RESOLUTION

#: Length of the vector that a metabolite's name is embedded in (paper, Fig. 1).
_EMBEDDING = 3


@dataclass(frozen=True)
class Condition:
    """One batch's condition as scalar tensors.

    Attributes:
        resolution: input resolution n, scaled so that the trained range is [-1, 1].
        metabolite: index into `METABOLITES`.
        sharpness: lambda, scaled so that its range is [0, 1].
    """

    resolution: Tensor
    metabolite: Tensor
    sharpness: Tensor

    @classmethod
    def of(cls, n: float, metabolite: int, sharpness: float, device: torch.device | str = "cpu") -> "Condition":
        """From n in voxels, the metabolite's index and lambda."""
        low, high = TRAINED_RESOLUTION
        resolution = (float(n) - (low + high) / 2) / ((high - low) / 2)
        return cls(
            torch.tensor(resolution, dtype=torch.float32, device=device),
            torch.tensor(int(metabolite), device=device),
            torch.tensor(float(sharpness) / SHARPNESS_RANGE[1], dtype=torch.float32, device=device),
        )


def _fully_connected(inputs: int, width: int, layers: int) -> nn.Sequential:
    """`layers` fully-connected layers of `width`, each followed by a leaky ReLU of slope 0.2."""
    steps = []
    for layer in range(layers):
        steps += [nn.Linear(inputs if layer == 0 else width, width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*steps)


def _starting_at(value: float, linear: nn.Linear) -> nn.Linear:
    """`linear` with its bias at `value`, so that an untrained conditioner hardly changes what it conditions."""
    nn.init.constant_(linear.bias, value)
    return linear


class FilterScalingWithMetabolite(nn.Module):
    """One factor per filter from n and the metabolite: f' = c(n, E(m)) * f (paper, Eq. 3)."""

    def __init__(self, inputs: int, outputs: int, width: int = 32):
        super().__init__()
        self.shape = (outputs, inputs)
        self.embedding = nn.Embedding(len(METABOLITES), _EMBEDDING)
        self.resolution = _fully_connected(1, width, 4)
        self.metabolite = _fully_connected(_EMBEDDING, width, 4)
        self.joint = _fully_connected(2 * width, 2 * width, 1)
        self.factors = _starting_at(1.0, nn.Linear(2 * width, inputs * outputs))

    def forward(self, filters: Tensor, condition: Condition) -> Tensor:
        """`filters`, `(output, input, row, column, depth)`, scaled for the condition; same shape."""
        resolution = self.resolution(condition.resolution.reshape(1))
        metabolite = self.metabolite(self.embedding(condition.metabolite))
        factors = self.factors(self.joint(torch.cat((resolution, metabolite))))
        return filters * factors.reshape(*self.shape, 1, 1, 1)


class SharpnessNorm(nn.Module):
    """Scale and shift of each channel from lambda: conditional instance norm (paper, Eq. 5)."""

    def __init__(self, channels: int, width: int = 64):
        super().__init__()
        self.hidden = _fully_connected(1, width, 4)
        self.affine = _starting_at(0.0, nn.Linear(width, 2 * channels))

    def forward(self, condition: Condition) -> tuple[Tensor, Tensor]:
        """Scale and shift of the normalised features, `(channel,)` each."""
        gamma, beta = self.affine(self.hidden(condition.sharpness.reshape(1))).chunk(2)
        return 1 + gamma, beta
