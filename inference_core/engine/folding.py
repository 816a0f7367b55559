"""Folding a slab's depth into channels, so that the first level's 3-D convolutions become plain 2-D ones.

Folded features are `(batch, channel * depth, row, column)`, channel before depth, and channels last in memory. The
three slices of a channel lie side by side, so that group norm with a group for each channel is the slab's instance
norm, and concatenating folded features concatenates the slabs.
"""

import torch
from torch import Tensor

from inference_core.terms.conditions import MRI_UPSAMPLING as DEPTH


def fold_filters(filters: Tensor) -> Tensor:
    """Filters on folded features that do what 3-D `filters`, padded to keep the size, do on slabs.

    Args:
        filters: `(output, input, 3, 3, 3)`.

    Returns:
        `(output * 3, input * 3, 3, 3)`.
    """
    # The slice that tap k of the kernel meets, seen from output slice o, is o + k - 1: a band of taps.
    padded = torch.nn.functional.pad(filters, (1, 1))
    stacked = torch.stack([padded[..., 2 - out : 2 - out + DEPTH] for out in range(DEPTH)])
    outputs, inputs = filters.shape[:2]
    # From (output slice, output, input, row, column, input slice).
    return stacked.permute(1, 0, 2, 5, 3, 4).reshape(DEPTH * outputs, DEPTH * inputs, *filters.shape[2:4])


def fold_filters_on_flat(filters: Tensor) -> Tensor:
    """Like `fold_filters`, for features that are the same in all three slices and come as one of them.

    Returns:
        `(output * 3, input, 3, 3)`.
    """
    below, centre, above = filters.unbind(dim=-1)
    return torch.stack((centre + above, below + centre + above, below + centre), dim=1).flatten(0, 1)


def fold_channels(values: Tensor) -> Tensor:
    """What each channel of a slab has, `(..., channel)`, for each of the folded channels, `(..., channel * 3)`."""
    return values.repeat_interleave(DEPTH, dim=-1)
