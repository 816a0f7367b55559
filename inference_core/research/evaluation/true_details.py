"""Are the details of a super-resolved map true? Against known truth: contrasts recovered, spots kept, spots invented.

A *spot* is a small region that differs from its surroundings where MRI shows nothing. All maps are `(64, 64)` in the
same units.
"""

from dataclasses import dataclass

import numpy as np

#: A region's surroundings begin and end so many voxels from it.
_GAP, _REACH = 1, 4
#: Voxels that a region and its surroundings must have at least.
_FEWEST = 4
#: A region whose true contrast is below this share of the map's level is none.
_LEAST_CONTRAST = 0.1
#: A spot is kept if at least this share of its contrast is.
_KEPT = 0.5
#: An invented spot differs from the truth, smoothed over a voxel, by this share of the map's level, over so many
#: voxels.
_INVENTED, _SMALLEST = 0.25, 4
_SMOOTHING = 1.0


@dataclass(frozen=True)
class RegionContrast:
    """How much a region stands out of its surroundings.

    Attributes:
        truth: in the true map, in its units.
        output: in the super-resolved one.
    """

    truth: float
    output: float

    @property
    def recovered(self) -> float:
        """The share of the contrast that is there."""
        return self.output / self.truth

    @property
    def kept(self) -> bool:
        """Whether the region can still be seen for what it is: at least half of its contrast is there."""
        return self.recovered >= _KEPT


def _near(mask: np.ndarray, distance: int) -> np.ndarray:
    """Voxels within a distance of a mask's, itself included."""
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask, iterations=distance) if distance else mask


def _pieces(mask: np.ndarray) -> list[np.ndarray]:
    from scipy.ndimage import label

    labels, count = label(mask)
    return [labels == index for index in range(1, count + 1)]


def region_contrasts(
    output: np.ndarray, truth: np.ndarray, region: np.ndarray, valid: np.ndarray, elsewhere: np.ndarray
) -> list[RegionContrast]:
    """The contrast of each connected piece of a region.

    Args:
        output: the super-resolved map.
        truth: the true one.
        region: bool.
        valid: where the truth is valid, bool.
        elsewhere: what surroundings must keep clear of, besides the region itself: other lesions, bool.

    Returns:
        One for each piece with enough valid voxels, inside and around, and with a true contrast of at least a tenth of
        the map's median.
    """
    contrasts = []
    level = float(np.median(truth[valid])) if valid.any() else 0.0
    for piece in _pieces(region & valid):
        around = _near(piece, _REACH) & ~_near(piece | region | elsewhere, _GAP) & valid
        if min(piece.sum(), around.sum()) < _FEWEST:
            continue
        true, shown = (float(image[piece].mean() - image[around].mean()) for image in (truth, output))
        if abs(true) >= _LEAST_CONTRAST * level:
            contrasts.append(RegionContrast(true, shown))
    return contrasts


def share_recovered(contrasts: list[RegionContrast]) -> float:
    """The share of all contrast that is there: strong regions weigh more. NaN for none."""
    total = sum(abs(c.truth) for c in contrasts)
    return sum(np.sign(c.truth) * c.output for c in contrasts) / total if total else float("nan")


def invented_spots(output: np.ndarray, truth: np.ndarray, valid: np.ndarray, known: np.ndarray) -> int:
    """How many spots a map shows, raised or lowered, that the truth does not.

    Args:
        output: the super-resolved map.
        truth: the true one.
        valid: where the truth is valid, bool.
        known: lesions and true spots, near which nothing counts as invented, bool.
    """
    from scipy.ndimage import gaussian_filter

    if not valid.any():
        return 0
    inside = valid.astype(np.float64)
    weight = np.maximum(gaussian_filter(inside, _SMOOTHING), 1e-6)
    excess = gaussian_filter((output - truth) * inside, _SMOOTHING) / weight
    limit = _INVENTED * float(np.median(truth[valid]))
    free = valid & ~_near(known, 2)
    return sum(int(piece.sum() >= _SMALLEST) for sign in (1, -1) for piece in _pieces((sign * excess > limit) & free))
