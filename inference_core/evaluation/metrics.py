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


def high_frequency_energy(output: np.ndarray, truth: np.ndarray, n: int) -> float:
    """Energy of a map outside the measured central n x n k-space, relative to the ground truth's there.

    A sharpness measure that needs no pretrained network: 0 for a zero-filled map but for its magnitude's leakage, 1
    for a map as sharp as the ground truth, more for one that is sharper.

    Raises:
        ValueError: for maps of different shapes or a constant ground truth.
    """
    _checked(output, truth)

    def outside(image: np.ndarray) -> float:
        power = np.abs(np.fft.fftshift(np.fft.fft2(image))) ** 2
        rows, columns = (size // 2 - n // 2 for size in image.shape)
        return float(power.sum() - power[rows : rows + n, columns : columns + n].sum())

    return outside(output) / outside(truth)
