"""The U-Net's layers as the folded pass takes them: what lambda changes, the affine maps after the norms, apart."""

from typing import NamedTuple

import torch
from torch import Tensor

from inference_core.engine.folding import fold_channels, fold_filters, fold_filters_on_flat
from inference_core.networks.blocks import ConditionedConvolution
from inference_core.networks.unet import MultiEncoderUNet
from inference_core.terms.conditions import MRI_UPSAMPLING as DEPTH


class Layer(NamedTuple):
    """A convolution, instance norm and PReLU, on folded features or on flat ones.

    Attributes:
        filters: `(output, input, 3, 3)`.
        slopes: the PReLU's, `(output,)`.
        totals: the filters' sums over their rows and columns, the same for all slices of an output channel (their
            mean), `(output, input)`; no gradient. 0 where what follows the norm depends on the features' own means,
            which must then stay as they are.
    """

    filters: Tensor
    slopes: Tensor
    totals: Tensor


class Convolution(NamedTuple):
    """A convolution with `filters`, `(output, input, row, column)`, and `bias`, `(output,)`."""

    filters: Tensor
    bias: Tensor


class Layers(NamedTuple):
    """All of a U-Net's layers for one n and metabolite.

    Attributes:
        t1: the T1 encoder's, finest first.
        flair: the FLAIR encoder's.
        decoder: the decoder's blocks', coarsest first.
        upsampling: the decoder's convolutions after upsampling, coarsest first.
        head: to one channel for each slice of the slab.
    """

    t1: tuple[Layer, ...]
    flair: tuple[Layer, ...]
    decoder: tuple[Layer, ...]
    upsampling: tuple[Convolution, ...]
    head: Convolution


def conditioned_convolutions(network: MultiEncoderUNet) -> list[ConditionedConvolution]:
    """The network's conditioned convolutions: the T1 encoder's, the FLAIR encoder's, the decoder's."""
    blocks = [*network.t1_encoder.levels, *network.flair_encoder.levels, *(level.block for level in network.decoder)]
    return [convolution for block in blocks for convolution in (block.first, block.second)]


def _is_slab(filters: Tensor) -> bool:
    """Whether 3-D filters reach over the slices of a slab."""
    return filters.shape[-1] > 1


def _per_output(values: Tensor, slab: bool) -> Tensor:
    """One value for each output of 3-D filters, for each output of the 2-D filters made from them."""
    return fold_channels(values) if slab else values


def _channels_last(filters: Tensor) -> Tensor:
    return filters.contiguous(memory_format=torch.channels_last)


def _fold(filters: Tensor, first_of_encoder: bool) -> Tensor:
    if not _is_slab(filters):
        return filters[..., 0]
    if not first_of_encoder:
        return fold_filters(filters)
    # The map is the same in all slices of the slab, so it comes as one channel.
    return torch.cat((fold_filters_on_flat(filters[:, :1]), fold_filters(filters[:, 1:])), dim=1)


def _upsampling(convolution: torch.nn.Conv3d) -> Convolution:
    weight = convolution.weight
    filters = fold_filters_on_flat(weight) if _is_slab(weight) else weight[..., 0]
    return Convolution(_channels_last(filters), _per_output(convolution.bias, _is_slab(weight)))


def _head(convolution: torch.nn.Conv3d) -> Convolution:
    # Each slice is made of itself alone: (output slice, channel, input slice).
    same_slice = torch.eye(DEPTH, dtype=convolution.weight.dtype, device=convolution.weight.device)[:, None]
    filters = (convolution.weight.flatten()[:, None] * same_slice).flatten(1)
    return Convolution(_channels_last(filters[..., None, None]), fold_channels(convolution.bias))


def assemble_layers(network: MultiEncoderUNet, filters: list[Tensor]) -> Layers:
    """A network's layers; differentiable.

    Args:
        network: where all but the modulated filters comes from.
        filters: of each of `conditioned_convolutions`, modulated, `(output, input, row, column, depth)`.
    """
    per_encoder = 2 * len(network.t1_encoder.levels)
    layers = []
    for index, (convolution, own) in enumerate(zip(conditioned_convolutions(network), filters, strict=True)):
        folded = _channels_last(_fold(own, first_of_encoder=index in (0, per_encoder)))
        slopes = _per_output(convolution.activation.weight, _is_slab(own))
        totals = folded.detach().sum(dim=(2, 3)).unflatten(0, (len(own), -1)).mean(dim=1)
        if convolution.norm.reads_features:
            totals = torch.zeros_like(totals)
        layers.append(Layer(folded, slopes, totals.repeat_interleave(len(folded) // len(own), dim=0)))
    return Layers(
        t1=tuple(layers[:per_encoder]),
        flair=tuple(layers[per_encoder : 2 * per_encoder]),
        decoder=tuple(layers[2 * per_encoder :]),
        upsampling=tuple(_upsampling(level.convolution) for level in network.decoder),
        head=_head(network.head),
    )


def assemble_affine(network: MultiEncoderUNet, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The affine maps after all norms as one tensor; differentiable.

    Args:
        network: whose they are.
        pairs: scale and shift of each of `conditioned_convolutions`, `(output,)` each.

    Returns:
        `(2, outputs of all layers)`: scales and shifts, as the layers' outputs are folded.
    """
    slabs = (convolution.kernel[-1] > 1 for convolution in conditioned_convolutions(network))
    folded = [_per_output(torch.stack(pair), slab) for pair, slab in zip(pairs, slabs, strict=True)]
    return torch.cat(folded, dim=1)
