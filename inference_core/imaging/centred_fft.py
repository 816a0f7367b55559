"""Centred orthonormal 2-D FFT of NumPy arrays, over the last two axes.

The conventions are those of `inference_core.networks.kspace`, which needs PyTorch.
"""

import numpy as np

_AXES = (-2, -1)


def to_kspace(images: np.ndarray) -> np.ndarray:
    """k-space `(..., row, column)`, complex, of images of the same shape, real or complex."""
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(images, _AXES), axes=_AXES, norm="ortho"), _AXES)


def to_image(kspace: np.ndarray) -> np.ndarray:
    """Inverse of `to_kspace`; complex."""
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, _AXES), axes=_AXES, norm="ortho"), _AXES)
