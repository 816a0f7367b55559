"""A network's conditioning as the folded pass takes it: its filters and affine maps, for a condition."""

from typing import Protocol

from torch import Tensor

from inference_core.engine.batched_heads import BatchedHeads
from inference_core.engine.layers import assemble_affine, conditioned_convolutions
from inference_core.networks.conditioning import Condition
from inference_core.networks.filter_conditioners import FilterScalingWithMetabolite
from inference_core.networks.norm_conditioners import SharpnessNorm
from inference_core.networks.unet import MultiEncoderUNet


class Heads(Protocol):
    """What gives filters and affine maps; differentiable."""

    def filters(self, condition: Condition) -> list[Tensor]:
        """The filters of each conditioned convolution, `(output, input, row, column, depth)`."""

    def affine(self, condition: Condition) -> Tensor:
        """The affine maps that follow the norms, as `assemble_affine` gives them."""


class SeparateHeads:
    """Heads of any kind, one after the other."""

    def __init__(self, network: MultiEncoderUNet):
        self._network, self._convolutions = network, conditioned_convolutions(network)

    def filters(self, condition: Condition) -> list[Tensor]:
        """As `Heads.filters`."""
        return [convolution.modulated_filters(condition) for convolution in self._convolutions]

    def affine(self, condition: Condition) -> Tensor:
        """As `Heads.affine`."""
        return assemble_affine(self._network, [convolution.norm(condition) for convolution in self._convolutions])


def can_be_folded(network: object) -> bool:
    """Whether the folded pass computes a network: not if its affine maps depend on the features."""
    if not isinstance(network, MultiEncoderUNet):
        return False
    return not any(convolution.norm.reads_features for convolution in conditioned_convolutions(network))


def make_heads(network: MultiEncoderUNet) -> Heads:
    """The fastest heads for a network that `can_be_folded`; after a training step, make new ones."""
    first = conditioned_convolutions(network)[0]
    batched = isinstance(first.filters, FilterScalingWithMetabolite) and isinstance(first.norm, SharpnessNorm)
    return BatchedHeads(network) if batched else SeparateHeads(network)
