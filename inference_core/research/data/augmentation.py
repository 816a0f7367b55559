"""Random changes to training examples."""

import numpy as np

from inference_core.terms.conditions import MRI_UPSAMPLING

#: Largest shift, in map voxels.
_LARGEST_SHIFT = 3
#: Range of the exponent that the MRI's intensities, 0 to 1, are raised to; drawn evenly on a logarithmic scale. Wide,
#: because how intensity goes with tissue where tissues share a voxel differs between sequences more than simulated.
_GAMMA = (0.5, 2.2)


def _shift(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """`image` moved by whole voxels along its first two axes, with zeros coming in."""
    moved = np.zeros_like(image)
    height, width = image.shape[:2]
    target = slice(max(rows, 0), height + min(rows, 0)), slice(max(columns, 0), width + min(columns, 0))
    source = slice(max(-rows, 0), height + min(-rows, 0)), slice(max(-columns, 0), width + min(-columns, 0))
    moved[target] = image[source]
    return moved


def augment(
    rng: np.random.Generator, maps: list[np.ndarray], mri: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """One random rotation by 90 degrees, flip and shift for all, flip of the slabs' depth, and contrast of each MRI.

    Args:
        rng: decides.
        maps: `(64, 64)` each.
        mri: `(192, 192, 3)` each, 0 to 1.
    """
    turns, flip, flip_depth = rng.integers(4), rng.random() < 0.5, rng.random() < 0.5
    rows, columns = rng.integers(-_LARGEST_SHIFT, _LARGEST_SHIFT + 1, size=2)

    def move(image: np.ndarray, factor: int) -> np.ndarray:
        image = np.rot90(image, turns, axes=(0, 1))
        image = image[::-1] if flip else image
        return _shift(image, rows * factor, columns * factor)

    maps = [move(image, 1) for image in maps]
    mri = [move(image[..., ::-1] if flip_depth else image, MRI_UPSAMPLING) for image in mri]
    gammas = np.exp(rng.uniform(*np.log(_GAMMA), size=len(mri)))
    return maps, [image**gamma for image, gamma in zip(mri, gammas, strict=True)]
