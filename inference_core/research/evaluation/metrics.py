"""How close a super-resolved map is to the ground truth, and how sharp it is."""

import numpy as np


def _checked(output: np.ndarray, truth: np.ndarray) -> float:
    """The data range of `truth`, for maps that can be compared."""
    if output.shape != truth.shape or output.ndim != 2:
        raise ValueError(f"maps of shapes {output.shape} and {truth.shape} can't be compared")
    data_range = float(truth.max() - truth.min())
    if data_range <= 0:
        raise ValueError("the ground truth is constant")
    return data_range


def psnr(output: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of a map `(row, column)`, with the ground truth's range as the peak.

    Raises:
        ValueError: for maps of different shapes or a constant ground truth.
    """
    from skimage.metrics import peak_signal_noise_ratio

    return float(peak_signal_noise_ratio(truth, output, data_range=_checked(output, truth)))


def ssim(output: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity of a map `(row, column)` (Wang 2004), with the ground truth's range as the data range.

    Raises:
        ValueError: for maps of different shapes or a constant ground truth.
    """
    from skimage.metrics import structural_similarity

    return float(structural_similarity(truth, output, data_range=_checked(output, truth)))


def high_frequency_energy(output: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Energy of a map's fine detail within a mask, relative to the ground truth's.

    A sharpness measure that needs no pretrained network: below 1 for a map that is blurred, above 1 for one that is
    sharper than the truth. Detail is what smoothing over one voxel (Gaussian, normalised by the mask so that the
    mask's edge is no detail) takes away.

    Args:
        output: `(row, column)`.
        truth: like `output`.
        mask: the voxels to look at, like `output`.

    Raises:
        ValueError: for maps of different shapes or a ground truth without detail.
    """
    from scipy.ndimage import gaussian_filter

    _checked(output, truth)
    weight = mask.astype(np.float64)
    around = np.maximum(gaussian_filter(weight, 1.0), 1e-6)

    def energy(image: np.ndarray) -> float:
        detail = image - gaussian_filter(image * weight, 1.0) / around
        return float((weight * detail**2).sum())

    return energy(output) / energy(truth)
