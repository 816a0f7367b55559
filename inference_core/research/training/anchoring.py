"""Weights that give one network at lambda = 0, and respond to lambda as another does.

Training against the discriminator also changes what the network gives at lambda = 0, where the discriminator has no
say, and on maps unlike the training's it makes that worse. What lambda does runs through conditional instance norm
alone (paper, Eq. 5), so that the two can be told apart.
"""

import copy

import torch
from torch import nn

from inference_core.networks.norm_conditioners import SharpnessNorm


def anchored(start: nn.Module, trained: nn.Module) -> nn.Module:
    """The network that a training started from, with the response to lambda that the training found.

    Scale and shift of each norm change with lambda as the trained network's do, from the start's at lambda = 0. All
    else is the start's, so that at lambda = 0 the outputs are the start's, but for rounding.

    Args:
        start: conditioned on lambda.
        trained: of the same architecture.
    """
    result, learned = copy.deepcopy(start), dict(trained.named_modules())
    none = torch.zeros(1)
    with torch.no_grad():
        for name, norm in result.named_modules():
            if isinstance(norm, SharpnessNorm):
                before = norm.affine(norm.hidden(none))
                norm.load_state_dict(learned[name].state_dict())
                norm.affine.bias += before - norm.affine(norm.hidden(none))
    return result
