"""Instance norm, its affine map and PReLU, as one step of the folded pass.

With a group for each channel, PyTorch's group norm is instance norm, and much the faster one of channels-last features.
Its backward pass and PReLU's are slow on CPUs, where training would spend a third of its time on them: there, the
gradient of all three together is computed here, with a few passes over memory.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from inference_core.networks.blocks import NORM_EPSILON


def norm_and_activate(features: Tensor, scale: Tensor, shift: Tensor, slopes: Tensor, depth: int) -> Tensor:
    """PReLU of the scaled and shifted instance norm of folded features.

    Args:
        features: `(batch, channel * depth, row, column)`.
        scale: `(channel * depth,)`, or `(batch, channel * depth)` for one of each example's own.
        shift: like `scale`.
        slopes: `(channel * depth,)`.
        depth: how many slices are folded into channels; 1 for flat features.

    Returns:
        Like `features`.
    """
    if scale.dim() == 2:
        examples = zip(features.split(1), scale, shift, strict=True)
        return torch.cat([norm_and_activate(image, *own, slopes, depth) for image, *own in examples])
    groups = features.shape[1] // depth
    if torch.is_grad_enabled() and features.device.type == "cpu" and features.dtype == torch.float32:
        return _NormActivation.apply(features, scale, shift, slopes, groups)
    return F.prelu(F.group_norm(features, groups, scale, shift, NORM_EPSILON), slopes)


def _sums(features: Tensor) -> Tensor:
    """Over rows and columns, `(batch, channel)`; fast for channels-last features."""
    return features.permute(0, 2, 3, 1).flatten(1, 2).sum(dim=1)


class _NormActivation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, features, scale, shift, slopes, groups):
        batch, channels, rows, columns = features.shape
        normalised, mean, deviation = torch.ops.aten.native_group_norm(
            features, scale, shift, batch, channels, rows * columns, groups, NORM_EPSILON
        )
        ctx.save_for_backward(features, scale, shift, slopes, mean, deviation)
        return F.prelu(normalised, slopes)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        # With x the features, m and r a group's mean and reciprocal deviation, and h = (x - m) r normalised, the
        # activation acts on z = scale h + shift. All is linear in x where z > 0 and where it is not, so sums of the
        # gradient and of its product with x, over each of these two sets, are all that the passes need to give.
        features, scale, shift, slopes, mean, reciprocal = ctx.saved_tensors
        depth = features.shape[1] // mean.shape[1]
        mean, reciprocal = (values.repeat_interleave(depth, dim=1) for values in (mean, reciprocal))
        factor = reciprocal * scale
        offset = shift - mean * factor

        gradient = gradient.contiguous(memory_format=torch.channels_last)
        z = torch.addcmul(offset[..., None, None], features, factor[..., None, None])
        above = torch.ops.aten.threshold_backward(gradient, z, 0)
        sum_all, sum_above = _sums(gradient), _sums(above)
        product_all, product_above = (
            _sums(torch.mul(gradient, features, out=z)),
            _sums(torch.mul(above, features, out=z)),
        )
        sum_below, product_below = sum_all - sum_above, product_all - product_above

        slopes_gradient = (factor * product_below + offset * sum_below).sum(dim=0)
        # Of z: its sum, and the sum of its product with h.
        sum_z = sum_above + slopes * sum_below
        product_z = reciprocal * (product_above + slopes * product_below - mean * sum_z)

        def group_mean(values: Tensor) -> Tensor:
            size = depth * features.shape[2] * features.shape[3]
            return (values.unflatten(1, (-1, depth)).sum(dim=2) / size).repeat_interleave(depth, dim=1)

        mean_product = reciprocal.square() * group_mean(scale * product_z)
        constant = mean * mean_product - reciprocal * group_mean(scale * sum_z)
        result = torch.addcmul(constant[..., None, None], features, -mean_product[..., None, None], out=z)
        result.addcmul_(gradient, (factor * slopes)[..., None, None])
        result.addcmul_(above, (factor * (1 - slopes))[..., None, None])
        return result, product_z.sum(dim=0), sum_z.sum(dim=0), slopes_gradient, None
