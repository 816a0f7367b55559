"""The U-Net's conditioning: the condition, and the base class of the modules that read it.

A *filter conditioner* turns a convolution's filters into those for the given condition; a *norm conditioner* gives the
scale and shift that follow an instance norm. The U-Net has one of each per convolution and knows nothing more of them,
so that every network of the paper is the same U-Net with other parts. Each part says in `conditions` which of
`Condition`'s attributes it reads.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inference_core.terms.conditions import SHARPNESS_RANGE

#: The n that networks are given as -1 and 1: the paper's range. Other n lie outside, on the same scale.
_RESOLUTION_SCALE = (16, 32)


@dataclass(frozen=True)
class Condition:
    """One batch's condition as scalar tensors.

    Attributes:
        resolution: input resolution n, scaled so that the paper's range is [-1, 1].
        metabolite: index into `METABOLITES`.
        sharpness: lambda, scaled so that its range is [0, 1].
    """

    resolution: Tensor
    metabolite: Tensor
    sharpness: Tensor

    @classmethod
    def of(cls, n: float, metabolite: int, sharpness: float, device: torch.device | str = "cpu") -> "Condition":
        """From n in voxels, the metabolite's index and lambda."""
        low, high = _RESOLUTION_SCALE
        resolution = (float(n) - (low + high) / 2) / ((high - low) / 2)
        return cls(
            torch.tensor(resolution, dtype=torch.float32, device=device),
            torch.tensor(int(metabolite), device=device),
            torch.tensor(float(sharpness) / SHARPNESS_RANGE[1], dtype=torch.float32, device=device),
        )


def fully_connected(inputs: int, width: int, layers: int) -> nn.Sequential:
    """`layers` fully-connected layers of `width`, each followed by a leaky ReLU of slope 0.2."""
    steps = []
    for layer in range(layers):
        steps += [nn.Linear(inputs if layer == 0 else width, width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*steps)


def starting_at(value: float, linear: nn.Linear) -> nn.Linear:
    """`linear` with its bias at `value`, so that an untrained conditioner hardly changes what it conditions."""
    nn.init.constant_(linear.bias, value)
    return linear
