"""How a map is scaled for the network: by the low-resolution input alone, the same way in training and in use."""

import torch
from torch import Tensor

from inference_core.networks import kspace
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

#: The network's output ends at 1: a super-resolved voxel may be this many times as bright as the zero-filled map's
#: brightest before it is clipped, so that a hot spot smaller than a low-resolution voxel stays representable.
HEADROOM = 2.0


def slice_scale(low_resolution: Tensor) -> Tensor:
    """What each slice is divided by before it goes into the network, and its output multiplied with afterwards.

    Args:
        low_resolution: `(..., n rows, n columns)`, real, non-negative, in any units.

    Returns:
        `(..., 1, 1)` in the units of the map: `HEADROOM` times the maximum of the zero-filled slice, and 1 where the
        slice is all zeros.
    """
    zero_filled = kspace.zero_filled(low_resolution, (SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX))
    scale = HEADROOM * zero_filled.amax(dim=(-2, -1), keepdim=True)
    return torch.where(scale > 0, scale, torch.ones_like(scale))
