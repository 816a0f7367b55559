"""A network's conditioning as the folded pass takes it: its filters and affine maps, for a condition."""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from torch import Tensor, nn

from inference_core.engine.batched_heads import BatchedHeads
from inference_core.engine.folded_pass import Affine
from inference_core.engine.folding import fold_channels
from inference_core.engine.layers import assemble_affine, conditioned_convolutions
from inference_core.networks.conditioning import Condition
from inference_core.networks.filter_conditioners import FilterScalingWithMetabolite
from inference_core.networks.norm_conditioners import SharpnessNorm
from inference_core.networks.unet import MultiEncoderUNet


class Heads(Protocol):
    """What gives filters and affine maps; differentiable."""

    def filters(self, condition: Condition) -> list[Tensor]:
        """The filters of each conditioned convolution, `(output, input, row, column, depth)`."""

    def affine(self, condition: Condition) -> Tensor | Sequence[Affine]:
        """The affine maps that follow the norms, as `folded_proposal` takes them."""


def _read(norm: nn.Module, condition: Condition, features: Tensor, depth: int) -> tuple[Tensor, Tensor]:
    """Scale and shift of a norm conditioner that reads the features, given folded, `(batch, channel * depth)` each."""
    scale, shift = norm(condition, features.unflatten(1, (-1, depth)))
    return (fold_channels(scale), fold_channels(shift)) if depth > 1 else (scale, shift)


class SeparateHeads:
    """Heads of any kind, one after the other."""

    def __init__(self, network: MultiEncoderUNet):
        self._network, self._convolutions = network, conditioned_convolutions(network)

    def filters(self, condition: Condition) -> list[Tensor]:
        """As `Heads.filters`."""
        return [convolution.modulated_filters(condition) for convolution in self._convolutions]

    def affine(self, condition: Condition) -> Tensor | Sequence[Affine]:
        """As `Heads.affine`."""
        if any(convolution.norm.reads_features for convolution in self._convolutions):
            return tuple(partial(_read, convolution.norm, condition) for convolution in self._convolutions)
        return assemble_affine(self._network, [convolution.norm(condition) for convolution in self._convolutions])


def can_be_folded(network: object) -> bool:
    """Whether the engine computes a network: not if its affine maps depend on the features, as only PyTorch's own
    folded pass, for training, allows for.
    """
    if not isinstance(network, MultiEncoderUNet):
        return False
    return not any(convolution.norm.reads_features for convolution in conditioned_convolutions(network))


def make_heads(network: MultiEncoderUNet) -> Heads:
    """The fastest heads for a network; after a training step, make new ones."""
    first = conditioned_convolutions(network)[0]
    batched = isinstance(first.filters, FilterScalingWithMetabolite) and isinstance(first.norm, SharpnessNorm)
    return BatchedHeads(network) if batched else SeparateHeads(network)
