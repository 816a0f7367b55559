"""Random fields that vary smoothly over an image, and smoothing, as products with matrices."""

import numpy as np
import torch
from torch import Tensor


class SmoothField:
    """Cubic splines through values at knots.

    Args:
        side: of the image.
        knots: along each axis.
        device: of all tensors.
    """

    def __init__(self, side: int, knots: int, device: torch.device | str = "cpu"):
        from scipy.ndimage import zoom

        self.knots = knots
        spread = zoom(np.eye(knots), (side / knots, 1), order=3)
        self._spread = torch.tensor(spread, dtype=torch.float32, device=device)

    def __call__(self, values: Tensor) -> Tensor:
        """From values at knots, `(..., knots squared)`, to images, `(..., side, side)`."""
        knots = values.unflatten(-1, (self.knots, self.knots))
        return self._spread @ knots @ self._spread.T


def gaussian_matrix(side: int, deviation: float, device: torch.device | str = "cpu") -> Tensor:
    """What smooths along one axis of `side` voxels by a Gaussian of a standard deviation in voxels, `(side, side)`."""
    index = torch.arange(side, device=device).float()
    weights = torch.exp(-0.5 * ((index[:, None] - index) / deviation) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)
