"""The U-Net's forward pass in 2-D: the same function of the same parameters, rearranged to run faster.

What pays, beside plain 2-D convolutions: channels last in memory, which the convolutions take as it is; one fused
kernel, group norm, for each instance norm with its affine map; and nothing computed again that does not depend on
lambda, which is each encoder's first convolution.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from inference_core.engine.layers import Layer, Layers
from inference_core.engine.norm_activation import norm_and_activate
from inference_core.terms.conditions import MRI_UPSAMPLING as DEPTH

#: Scales and shifts after a norm, `(2, output)`, or what gives them from folded features and their depth.
Affine = Tensor | Callable[[Tensor, int], tuple[Tensor, Tensor]]

#: Rows of features between those that their mean is estimated from.
_ROW_STEP = 4


def _convolve(features: Tensor, layer: Layer) -> Tensor:
    """The layer's convolution, less a constant for each channel that brings its mean near 0.

    The instance norm that follows does not see the constant, but takes its variance as the difference of two means,
    which loses all digits if they are large beside it: in slices with next to no contrast. Any constant near the mean
    will do, so some of the rows are enough to estimate it.
    """
    with torch.no_grad():
        some = features[:, :, ::_ROW_STEP]
        sums = some.sum(dim=(0, 2, 3)).to(layer.totals.dtype)
        constant = torch.addmv(sums.new_zeros(()), layer.totals, sums, beta=0, alpha=-sums.numel() / some.numel())
    return F.conv2d(features, layer.filters, constant, padding=1)


def first_convolution(upsampled: Tensor, mri: Tensor, layer: Layer) -> Tensor:
    """An encoder's first convolution.

    Args:
        upsampled: the map on the MRI's grid, `(batch, 1, 192, 192)`.
        mri: T1 or FLAIR, `(batch, 1, 192, 192, 3)`.
        layer: the encoder's first.

    Returns:
        Folded, `(batch, channel * 3, 192, 192)`.
    """
    # One channel of slabs is folded, channels last, as it lies in memory.
    images = torch.cat((upsampled.permute(0, 2, 3, 1), mri[:, 0]), dim=3)
    return _convolve(images.permute(0, 3, 1, 2), layer)


def _activate(features: Tensor, layer: Layer, affine: Affine, depth: int) -> Tensor:
    scale, shift = affine(features, depth) if callable(affine) else affine
    return norm_and_activate(features, scale, shift, layer.slopes, depth)


def _apply(features: Tensor, layer: Layer, affine: Affine, depth: int) -> Tensor:
    return _activate(_convolve(features, layer), layer, affine, depth)


def _encode(first: Tensor, layers: Sequence[Layer], affine: Iterator[Affine]) -> list[Tensor]:
    """All levels' features, finest first, from the first convolution's."""
    features = _activate(first, layers[0], next(affine), DEPTH)
    levels = [_apply(features, layers[1], next(affine), DEPTH)]
    for index in range(2, len(layers), 2):
        features = F.max_pool2d(levels[-1], 2)
        if index == 2:
            features = features.unflatten(1, (-1, DEPTH)).amax(dim=2)
        for layer in layers[index : index + 2]:
            features = _apply(features, layer, next(affine), 1)
        levels.append(features)
    return levels


def folded_proposal(t1_first: Tensor, flair_first: Tensor, affine: Tensor | Sequence[Affine], layers: Layers) -> Tensor:
    """What `MultiEncoderUNet.proposal` gives; differentiable and compilable.

    Args:
        t1_first: the T1 encoder's `first_convolution`.
        flair_first: the FLAIR encoder's.
        affine: from `assemble_affine`, or one for each layer.
        layers: from `assemble_layers`.

    Returns:
        `(batch, 1, 64, 64)`, 0 to 1.
    """
    if isinstance(affine, Tensor):
        affine = affine.split([len(layer.slopes) for layer in (*layers.t1, *layers.flair, *layers.decoder)], dim=1)
    each = iter(affine)
    t1, flair = (_encode(first, own, each) for first, own in ((t1_first, layers.t1), (flair_first, layers.flair)))
    features = torch.cat((t1.pop(), flair.pop()), dim=1)
    for index, upsampling in enumerate(layers.upsampling):
        depth = DEPTH if len(t1) == 1 else 1
        features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=True)
        features = F.conv2d(features, upsampling.filters, upsampling.bias, padding=1)
        features = torch.cat((features, t1.pop(), flair.pop()), dim=1)
        for layer in layers.decoder[2 * index : 2 * index + 2]:
            features = _apply(features, layer, next(each), depth)
    # Between 0.5 and 1, half precision would round to steps of 5e-4.
    slices = torch.sigmoid(F.conv2d(features, layers.head.filters, layers.head.bias).float())
    return F.avg_pool2d(slices.mean(dim=1, keepdim=True), DEPTH)
