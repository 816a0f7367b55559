"""The U-Net's block: twice a conditioned convolution, instance norm and PReLU."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from inference_core.networks.conditioning import Condition

#: Makes the filter conditioner of a convolution from its numbers of input and output channels and its kernel's size.
MakeFilters = Callable[[int, int, tuple[int, int, int]], nn.Module]
#: Makes the norm conditioner of a norm from its number of channels.
MakeNorm = Callable[[int], nn.Module]

#: Added to variances before their square root, as in PyTorch's instance norm.
NORM_EPSILON = 1e-5


class ConditionedConvolution(nn.Module):
    """Conditioned convolution without bias, conditioned instance norm, and a PReLU per channel (paper, Fig. 1b)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: tuple[int, int, int], make_filters: MakeFilters, make_norm: MakeNorm
    ):
        super().__init__()
        self.kernel = kernel
        filters = make_filters(inputs, outputs, kernel)
        self.convolution = None
        if not filters.owns_filters:
            self.convolution = nn.Conv3d(inputs, outputs, kernel, padding="same", bias=False)
        self.filters = filters
        self.norm = make_norm(outputs)
        self.activation = nn.PReLU(outputs)

    def modulated_filters(self, condition: Condition) -> Tensor:
        """The filters for a condition, `(output, input, row, column, depth)`."""
        own = None if self.convolution is None else self.convolution.weight
        return self.filters(own, condition)

    def forward(self, features: Tensor, condition: Condition) -> Tensor:
        """`(batch, input, row, column, depth)` to `(batch, output, row, column, depth)`."""
        features = F.conv3d(features, self.modulated_filters(condition), padding="same")
        scale, shift = (part[..., None, None, None] for part in self.norm(condition, features))
        normalised = F.instance_norm(features, eps=NORM_EPSILON)
        return self.activation(normalised * scale + shift)


class Block(nn.Module):
    """Two conditioned convolutions, the first to the block's number of channels."""

    def __init__(
        self, inputs: int, outputs: int, kernel: tuple[int, int, int], make_filters: MakeFilters, make_norm: MakeNorm
    ):
        super().__init__()
        self.first = ConditionedConvolution(inputs, outputs, kernel, make_filters, make_norm)
        self.second = ConditionedConvolution(outputs, outputs, kernel, make_filters, make_norm)

    def forward(self, features: Tensor, condition: Condition) -> Tensor:
        """`(batch, input, row, column, depth)` to `(batch, output, row, column, depth)`."""
        return self.second(self.first(features, condition), condition)
