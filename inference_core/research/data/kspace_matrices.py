"""k-space as matrix products, whose shapes and kernels are the same whatever is measured."""

import math

import numpy as np
from torch import Tensor


def centred_transform(size: int) -> np.ndarray:
    """The centred orthonormal FFT of `inference_core.networks.kspace` as a matrix."""
    index = np.arange(size) - size // 2
    return np.exp(-2j * np.pi * np.outer(index, index) / size) / math.sqrt(size)


def both_sides(factor: Tensor, images: Tensor) -> Tensor:
    """A linear map along rows and columns of images."""
    return factor @ images @ factor.mT
