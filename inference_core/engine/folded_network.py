"""The networks' forward pass in 2-D: the same function of the same parameters, rearranged to run faster."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference_core.conditions import MRI_UPSAMPLING as DEPTH
from inference_core.engine.folding import fold_depth, fold_filters, fold_filters_on_flat
from inference_core.networks.blocks import NORM_EPSILON, Block, ConditionedConvolution
from inference_core.networks.conditioning import Condition
from inference_core.networks.unet import DecoderLevel, Encoder, MultiEncoderUNet


def _convolve_and_norm(
    features: Tensor, layer: ConditionedConvolution, filters: Tensor, depth: int, condition: Condition
) -> Tensor:
    """A conditioned convolution with its 2-D filters, norm and activation, on features folded by `depth`."""
    features = F.conv2d(features, filters, padding="same")
    grouped = features.unflatten(1, (depth, -1))
    variance, mean = torch.var_mean(grouped, dim=(1, 3, 4), correction=0)
    deviation = (variance + NORM_EPSILON).sqrt()
    gamma, beta = layer.norm(mean, deviation, condition)
    scale = gamma / deviation
    shift = beta - mean * scale
    normalised = features * scale.repeat(1, depth)[..., None, None] + shift.repeat(1, depth)[..., None, None]
    return F.prelu(normalised, layer.activation.weight.repeat(depth))


def _flat_block(features: Tensor, block: Block, condition: Condition) -> Tensor:
    for layer in (block.first, block.second):
        features = _convolve_and_norm(features, layer, layer.modulated_filters(condition)[..., 0], 1, condition)
    return features


def _slab_filters(layer: ConditionedConvolution, condition: Condition) -> Tensor:
    return fold_filters(layer.modulated_filters(condition))


def _encode(encoder: Encoder, upsampled: Tensor, mri: Tensor, condition: Condition) -> list[Tensor]:
    first = encoder.levels[0]
    filters = first.first.modulated_filters(condition)
    # The map is the same in all slices of the slab, so it comes as one channel.
    filters = torch.cat((fold_filters_on_flat(filters[:, :1]), fold_filters(filters[:, 1:])), dim=1)
    features = _convolve_and_norm(torch.cat((upsampled, mri), dim=1), first.first, filters, DEPTH, condition)
    features = _convolve_and_norm(features, first.second, _slab_filters(first.second, condition), DEPTH, condition)
    levels = [features]
    pooled = F.max_pool2d(features.unflatten(1, (DEPTH, -1)).amax(dim=1), 2)
    for block in encoder.levels[1:]:
        levels.append(_flat_block(pooled, block, condition))
        pooled = F.max_pool2d(levels[-1], 2) if block is not encoder.levels[-1] else None
    return levels


def _decode(level: DecoderLevel, features: Tensor, skips: list[Tensor], condition: Condition) -> Tensor:
    features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=True)
    if level.scale[2] == 1:
        features = F.conv2d(features, level.convolution.weight[..., 0], level.convolution.bias, padding="same")
        return _flat_block(torch.cat((features, *skips), dim=1), level.block, condition)
    weight, bias = fold_filters_on_flat(level.convolution.weight), level.convolution.bias.repeat(DEPTH)
    features = F.conv2d(features, weight, bias, padding="same")
    # Concatenated slice by slice, so that depth stays before channel.
    slabs = [part.unflatten(1, (DEPTH, -1)) for part in (features, *skips)]
    features = torch.cat(slabs, dim=2).flatten(1, 2)
    for layer in (level.block.first, level.block.second):
        features = _convolve_and_norm(features, layer, _slab_filters(layer, condition), DEPTH, condition)
    return features


def folded_proposal(
    network: MultiEncoderUNet, upsampled: Tensor, t1: Tensor, flair: Tensor, condition: Condition
) -> Tensor:
    """What `MultiEncoderUNet.proposal` gives, with arguments and result alike; differentiable, and compilable."""
    t1_features = _encode(network.t1_encoder, upsampled, fold_depth(t1), condition)
    flair_features = _encode(network.flair_encoder, upsampled, fold_depth(flair), condition)
    features = torch.cat((t1_features.pop(), flair_features.pop()), dim=1)
    for level in network.decoder:
        features = _decode(level, features, [t1_features.pop(), flair_features.pop()], condition)
    weight = network.head.weight[..., 0].squeeze(-1).squeeze(-1)
    slices = torch.einsum("oc,bdchw->bdhw", weight, features.unflatten(1, (DEPTH, -1))) + network.head.bias
    return F.avg_pool2d(torch.sigmoid(slices).mean(dim=1, keepdim=True), DEPTH)


class FoldedNetwork(nn.Module):
    """Wraps a network and gives its output faster.

    Args:
        network: the network, whose parameters are used as they are, so that it can be trained through this.
        compiled: whether `torch.compile` makes the pass faster still; the first call then takes minutes.
    """

    def __init__(self, network: MultiEncoderUNet, compiled: bool = False):
        super().__init__()
        self.network = network
        self._proposal = torch.compile(folded_proposal) if compiled else folded_proposal

    def forward(
        self, low_resolution: Tensor, t1: Tensor, flair: Tensor, n: float, metabolite: int, sharpness: float
    ) -> Tensor:
        """As `MultiEncoderUNet.forward`."""
        return self.network(low_resolution, t1, flair, n, metabolite, sharpness, proposal=self._proposal)
