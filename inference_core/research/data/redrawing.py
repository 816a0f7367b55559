"""Metabolite maps drawn anew on an example's own MRI, so that a network learns to read how the two relate.

Any simulator's relation of metabolite to MRI is one of many. A network that only ever saw one assumes it of every
patient; one that saw the relation change from example to example has to infer it from the low-resolution map. Here it
is a random function of T1 and FLAIR intensities (domain randomisation after Tobin et al., IROS 2017), with smooth
variation, spots that MRI does not show, and noise on top.
"""

import numpy as np

from inference_core.terms.conditions import MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

#: Every how many voxels are enough to find quantiles of the intensities.
_STRIDE = 7


def _step(image: np.ndarray, threshold: float, width: float) -> np.ndarray:
    """0 below the threshold, 1 above, and in between within a few widths."""
    return 1 / (1 + np.exp(np.clip((threshold - image) / width, -30, 30)))


def _levels(rng: np.random.Generator, t1: np.ndarray, flair: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """A concentration for each MRI voxel: three tissues by T1, and another factor where FLAIR is bright."""
    sample_t1, sample_flair = t1[inside][::_STRIDE], flair[inside][::_STRIDE]
    low, high = np.quantile(sample_t1, [rng.uniform(0.08, 0.35), rng.uniform(0.4, 0.8)])
    width = rng.uniform(0.01, 0.08) * np.quantile(sample_t1, 0.95)
    fluid, grey, white = rng.uniform(0, 0.3), *rng.uniform(0.5, 1.5, 2)
    level = fluid + (grey - fluid) * _step(t1, low, width) + (white - grey) * _step(t1, high, width)
    if rng.random() < 0.6:
        factor = np.exp(rng.uniform(np.log(0.3), np.log(3)))
        bright = np.quantile(sample_flair, rng.uniform(0.85, 0.98))
        level *= 1 + (factor - 1) * _step(flair, bright, width)
    return level * inside


def redraw_maps(rng: np.random.Generator, t1: np.ndarray, flair: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """A noisy map and its ground truth on an example's MRI, in arbitrary units.

    Args:
        rng: decides.
        t1: `(192, 192, 3)`, 0 outside the brain.
        flair: like `t1`.

    Returns:
        The acquired map and the ground truth, `(64, 64)` float32 each, or None where the T1 shows no brain.
    """
    from scipy.ndimage import zoom

    inside = t1 > 0
    if inside.mean() < 0.02:
        return None
    side, factor = SUPER_RESOLVED_MATRIX, MRI_UPSAMPLING
    blocks = (_levels(rng, t1, flair, inside)).reshape(side, factor, side, factor, factor)
    truth = blocks.mean(axis=(1, 3, 4))
    brain = inside.reshape(side, factor, side, factor, factor).mean(axis=(1, 3, 4))
    truth *= np.exp(rng.uniform(0, 0.2) * zoom(rng.standard_normal((5, 5)), side / 5, order=3))
    rows, columns = np.indices((side, side))
    places = np.argwhere(brain > 0.9)
    for _ in range(rng.integers(5) if len(places) else 0):
        row, column = places[rng.integers(len(places))]
        distance = (rows - row) ** 2 + (columns - column) ** 2
        truth *= 1 + rng.uniform(-0.7, 1.2) * np.exp(-distance / (2 * rng.uniform(0.8, 2.5) ** 2))
    noise = rng.uniform(0.02, 0.08) * truth[brain > 0.5].mean() if (brain > 0.5).any() else 0.0
    acquired = np.maximum(truth + noise * rng.standard_normal(truth.shape) * (brain > 0.2), 0)
    return acquired.astype(np.float32), truth.astype(np.float32)
