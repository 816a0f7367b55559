"""Folding a slab's depth into channels, so that the first level's 3-D convolutions become plain 2-D ones.

Folded features are `(batch, depth * channel, row, column)`, depth before channel.
"""

import torch
from torch import Tensor

from inference_core.conditions import MRI_UPSAMPLING as DEPTH


def fold_depth(features: Tensor) -> Tensor:
    """`(batch, channel, row, column, depth)` to `(batch, depth * channel, row, column)`."""
    return features.permute(0, 4, 1, 2, 3).flatten(1, 2)


def fold_filters(filters: Tensor) -> Tensor:
    """Filters on folded features that do what 3-D `filters`, padded to keep the size, do on slabs.

    Args:
        filters: `(output, input, 3, 3, 3)`.

    Returns:
        `(3 * output, 3 * input, 3, 3)`.
    """
    # The slice that tap k of the kernel meets, seen from output slice o, is o + k - 1: a band of taps.
    padded = torch.nn.functional.pad(filters, (1, 1))
    bands = [padded[..., 2 - out : 2 - out + DEPTH] for out in range(DEPTH)]
    return _stack(bands)


def fold_filters_on_flat(filters: Tensor) -> Tensor:
    """Like `fold_filters`, for features that are the same in all three slices and come as one of them.

    Returns:
        `(3 * output, input, 3, 3)`.
    """
    below, centre, above = filters.unbind(dim=-1)
    return torch.cat((centre + above, below + centre + above, below + centre), dim=0)


def _stack(bands: list[Tensor]) -> Tensor:
    outputs, inputs = bands[0].shape[:2]
    stacked = torch.stack(bands)  # (output slice, output, input, row, column, input slice)
    return stacked.permute(0, 1, 5, 2, 3, 4).reshape(DEPTH * outputs, DEPTH * inputs, *bands[0].shape[2:4])
