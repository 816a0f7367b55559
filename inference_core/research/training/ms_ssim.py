"""Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003) by matrix products.

The same figures as pytorch-msssim's, which tests hold it against. That one's backward pass looks for zeros on the host,
which no CUDA graph can record, and takes dozens of launches; here enlarging and filtering are products with matrices.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

#: Weights of the scales, finest first (Wang et al. 2003, Sec. 3.2).
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: The Gaussian window: its width in pixels and its standard deviation; and the two constants (Wang et al. 2004).
_WINDOW, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03


@lru_cache
def _window_matrix(size: int, device: torch.device) -> Tensor:
    """`(size - 10, size)`: the window at each place where it fits."""
    offsets = torch.arange(_WINDOW, dtype=torch.float64) - _WINDOW // 2
    window = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    window = (window / window.sum()).float()
    rows = torch.zeros(size - _WINDOW + 1, size)
    for row in range(len(rows)):
        rows[row, row : row + _WINDOW] = window
    return rows.to(device)


@lru_cache
def _bicubic_matrix(size: int, larger: int, device: torch.device) -> Tensor:
    """`(larger, size)`: what PyTorch's bicubic interpolation does along an axis."""
    columns = torch.eye(size)[None, None]
    return F.interpolate(columns, (larger, size), mode="bicubic", align_corners=False)[0, 0].contiguous().to(device)


def _along_both(matrix: Tensor, images: Tensor) -> Tensor:
    return matrix @ images @ matrix.mT


def multi_scale_ssim(images: Tensor, others: Tensor, larger: int, data_range: float) -> Tensor:
    """The mean over pairs of images, enlarged bicubically, of their similarity, 1 for the same.

    Args:
        images: `(..., size, size)` float32.
        others: like `images`.
        larger: the size to enlarge them to, more than 160.
        data_range: from the smallest to the largest value that there may be.

    Returns:
        Scalar.
    """
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    small = torch.stack((images, others))
    enlarging = _bicubic_matrix(images.shape[-1], larger, images.device)
    pair = _along_both(enlarging, small)
    product = None
    for scale, weight in enumerate(_WEIGHTS):
        x, y = pair.unbind(0)
        window = _window_matrix(x.shape[-1], x.device)
        # Of the variances only the sum is needed.
        squares, cross = _along_both(window, torch.stack((x * x + y * y, x * y))).unbind(0)
        means = _along_both(window, pair) if scale else _along_both(window @ enlarging, small)
        mean_squares, mean_cross = means.square().sum(dim=0), means[0] * means[1]
        structure = (2 * (cross - mean_cross) + c2) / (squares - mean_squares + c2)
        if scale == len(_WEIGHTS) - 1:
            structure = structure * (2 * mean_cross + c1) / (mean_squares + c1)
        factor = torch.relu(structure.mean(dim=(-2, -1))) ** weight
        product = factor if product is None else product * factor
        if scale < len(_WEIGHTS) - 1:
            pair = F.avg_pool2d(pair.flatten(0, -3)[:, None], 2)[:, 0].unflatten(0, pair.shape[:-2])
    return product.mean()
