"""A network that computes its output by the folded pass, for training."""

import torch
from torch import Tensor, nn

from inference_core.engine.folded_pass import first_convolution, folded_proposal
from inference_core.engine.heads import make_heads
from inference_core.engine.layers import assemble_layers
from inference_core.networks.conditioning import Condition
from inference_core.networks.unet import MultiEncoderUNet


def _proposal(network: MultiEncoderUNet, upsampled: Tensor, t1: Tensor, flair: Tensor, condition: Condition) -> Tensor:
    heads = make_heads(network)
    layers, affine = assemble_layers(network, heads.filters(condition)), heads.affine(condition)
    t1_first = first_convolution(upsampled, t1, layers.t1[0])
    flair_first = first_convolution(upsampled, flair, layers.flair[0])
    return folded_proposal(t1_first, flair_first, affine, layers)


class FoldedNetwork(nn.Module):
    """Wraps a network and gives its output faster; `Engine` is faster still where weights don't change.

    Args:
        network: the network, whose parameters are used as they are, so that it can be trained through this.
        compiled: whether `torch.compile` makes the pass faster still; the first call then takes minutes.
    """

    def __init__(self, network: MultiEncoderUNet, compiled: bool = False):
        super().__init__()
        self.network = network
        self._proposal = torch.compile(_proposal) if compiled else _proposal

    def forward(
        self, low_resolution: Tensor, t1: Tensor, flair: Tensor, n: float, metabolite: int, sharpness: float
    ) -> Tensor:
        """As `MultiEncoderUNet.forward`."""
        return self.network(low_resolution, t1, flair, n, metabolite, sharpness, proposal=self._proposal)

    def propose(self, upsampled: Tensor, t1: Tensor, flair: Tensor, condition: Condition) -> Tensor:
        """As `MultiEncoderUNet.proposal`."""
        return self._proposal(self.network, upsampled, t1, flair, condition)
