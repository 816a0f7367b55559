"""Which voxels of a map count: the paper's quality filter, and what it takes besides on real data.

The paper rejects spectra of SNR below 2.5 or of a linewidth above 0.15 ppm, and voxels close to the skull (Sec. 3.1).
Failed fits are rejected besides, as are values many times the brain's median. Cramer-Rao bounds are known but reject
nothing else unless asked: as a share of the concentration they are large wherever there is little of a metabolite, as
NAA in a tumour, and leaving those voxels out biases the map.
"""

from dataclasses import asdict, dataclass

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.imaging.brain_mask import share_in_low_resolution
from inference_core.imaging.geometry import SuperResolvedGrid, super_resolved_grid
from inference_core.study.map_sources import MetaboliteMap

#: LCModel's bound, in %, of a fit that failed.
FAILED_BOUND = 999.0
#: A voxel is brain if at least this share of it is.
_BRAIN_SHARE = 0.5


@dataclass(frozen=True)
class QualityThresholds:
    """What rejects a voxel; None: nothing by that.

    Attributes:
        snr: below this.
        fwhm: above this, ppm.
        crlb: above this, %.
        skull_mm: if less than half of it lies this deep in the brain, mm.
        outlier: above so many times the median of what the rest of the filter accepts.
    """

    snr: float | None = 2.5
    fwhm: float | None = 0.15
    crlb: float | None = None
    skull_mm: float = 0.0
    outlier: float | None = 20.0

    def check(self) -> None:
        """Check that all are possible.

        Raises:
            InputError: if one is negative or no number.
        """
        for name, value in asdict(self).items():
            if value is not None and not (np.isfinite(value) and value >= 0):
                option = name.removesuffix("_mm").replace("_", "-")
                raise InputError(f"{value:g} is no threshold: give a number from 0 with --{option}.")


@dataclass(frozen=True)
class BrainVoxels:
    """The map's voxels that are brain, bool `(slice, row, column)` each.

    Attributes:
        brain: half of the voxel or more is.
        deep: half of it or more is as far from the skull as it has to be.
    """

    brain: np.ndarray
    deep: np.ndarray

    def within(self, mask: np.ndarray) -> "BrainVoxels":
        """Those of the voxels that a mask on their grid holds, bool `(slice, row, column)`.

        Raises:
            InputError: if it holds none of them.
        """
        if not (self.deep & mask).any():
            raise InputError("The mask on the maps' grid holds no voxel of the brain: check that both belong together.")
        return BrainVoxels(self.brain & mask, self.deep & mask)


@dataclass(frozen=True)
class Filtered:
    """What became of a map's voxels.

    Attributes:
        accepted: bool `(slice, row, column)`.
        rejected: by reason, the brain's voxels that it holds for, bool `(slice, row, column)`; several may hold.
        shares: by reason, their share of the brain's voxels, 0 to 1; "any" for all together.
    """

    accepted: np.ndarray
    rejected: dict[str, np.ndarray]
    shares: dict[str, float]


def brain_voxels(mask: sitk.Image, image: sitk.Image, skull_mm: float) -> BrainVoxels:
    """Which of a map's voxels are brain.

    Args:
        mask: of the brain, on a finer grid.
        image: the map.
        skull_mm: by how much the mask is eroded for the voxels that are far enough from the skull.

    Raises:
        InputError: if no voxel is brain, or none is far enough from the skull.
    """
    grid = super_resolved_grid(image)
    brain = deep = _share(mask, grid) >= _BRAIN_SHARE
    if not brain.any():
        raise InputError(
            "The T1's brain lies outside the map: check that both belong to the same patient and are registered."
        )
    if skull_mm > 0:
        # From centre to centre of the mask's outermost voxels, which themselves end half a voxel further out.
        depth = sitk.SignedMaurerDistanceMap(mask > 0, True, False, True) + min(mask.GetSpacing()) / 2
        deep = brain & (_share(depth >= skull_mm, grid) >= _BRAIN_SHARE)
        if not deep.any():
            raise InputError(f"No voxel of the map lies {skull_mm:g} mm from the skull: give a smaller --skull.")
    return BrainVoxels(brain, deep)


def filter_map(one: MetaboliteMap, voxels: BrainVoxels, thresholds: QualityThresholds) -> Filtered:
    """Which voxels of a metabolite's map count.

    Args:
        one: the map; what is not known of its quality rejects nothing.
        voxels: from `brain_voxels`.
        thresholds: what rejects.
    """
    values = sitk.GetArrayFromImage(one.concentration)
    reasons = {
        "not finite": ~np.isfinite(values),
        "negative": values < 0,
        # LCModel's own mark, and what programs write that have none.
        "failed fit": (values == 0) | (_array(one.crlb, values) >= FAILED_BOUND),
        "near the skull": ~voxels.deep,
    }
    # Negated, so that a value that is missing rejects, too.
    if one.snr is not None and thresholds.snr is not None:
        reasons["SNR"] = ~(_array(one.snr, values) >= thresholds.snr)
    if one.fwhm is not None and thresholds.fwhm is not None:
        reasons["FWHM"] = ~(_array(one.fwhm, values) <= thresholds.fwhm)
    if one.crlb is not None and thresholds.crlb is not None:
        reasons["CRLB"] = ~(_array(one.crlb, values) <= thresholds.crlb)
    accepted = voxels.brain & ~np.logical_or.reduce(list(reasons.values()))
    if thresholds.outlier is not None and accepted.any():
        outlier = np.nan_to_num(values) > thresholds.outlier * np.median(values[accepted])
        reasons["outlier"] = outlier
        accepted &= ~outlier
    rejected = {reason: where & voxels.brain for reason, where in reasons.items()}
    total = int(voxels.brain.sum())
    shares = {reason: int(where.sum()) / total for reason, where in rejected.items()}
    shares["any"] = int((voxels.brain & ~accepted).sum()) / total
    return Filtered(accepted, rejected, shares)


def _share(mask: sitk.Image, grid: SuperResolvedGrid) -> np.ndarray:
    """The share of each voxel of the map that lies in a mask, `(slice, row, column)`."""
    rows, columns = (
        slice(start, start + count) for start, count in zip(grid.pad_before, grid.original_size, strict=True)
    )
    return share_in_low_resolution(mask, grid)[:, rows, columns]


def _array(image: sitk.Image | None, values: np.ndarray) -> np.ndarray:
    """An image's array, or NaN of the shape of `values` for none."""
    return np.full_like(values, np.nan) if image is None else sitk.GetArrayFromImage(image)
