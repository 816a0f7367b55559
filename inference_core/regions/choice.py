"""Which regions and ratios of those asked for can be measured; the others are left out with a sentence, not refused.

A region's counterpart that lies beside the brain is no reason to lose the whole table.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.imaging.brain_mask import share_in_super_resolved
from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.terms.ratios import STANDARD_RATIOS, Ratio

#: The share of a region in which a ratio is to be known for its mean to be called the region's.
_MOST_OF_IT = 0.9


def parse_ratios(texts: Iterable[str], metabolites: Iterable[str]) -> tuple[Ratio, ...]:
    """Ratios as the user wrote them, each once.

    Args:
        texts: such as "tCho/NAA"; blank ones are passed over.
        metabolites: paper names of those that there are maps of.

    Raises:
        InputError: for what is no ratio, or one that lacks a map.
    """
    known = set(metabolites)
    found = tuple(dict.fromkeys(Ratio.parse(text) for text in texts if text.strip()))
    for ratio in found:
        ratio.require(known)
    return found


def usual_ratios(metabolites: Iterable[str]) -> tuple[Ratio, ...]:
    """The usual ratios that can be made of some metabolites, by their paper names."""
    known = set(metabolites)
    return tuple(ratio for ratio in STANDARD_RATIOS if known.issuperset(ratio.metabolites))


def regions_in_brain(
    regions: Mapping[str, sitk.Image], grid: SuperResolvedGrid, brain: np.ndarray
) -> tuple[dict[str, sitk.Image], list[str]]:
    """The regions that hold a voxel of the brain, and a sentence on each other.

    Args:
        regions: images that are above 0 inside, by name; may be none.
        grid: of the super-resolved maps.
        brain: where they hold values, `(slice, 64, 64)` bool.

    Raises:
        InputError: for one that is empty, or if there are some, but none does.
    """
    for name, image in regions.items():
        if not np.any(sitk.GetArrayViewFromImage(image)):
            raise InputError(f"The region '{name}' is empty: draw it, or leave it out.")
    inside = {
        name: image for name, image in regions.items() if (share_in_super_resolved(image > 0, grid) * brain).any()
    }
    outside = [name for name in regions if name not in inside]
    if outside and not inside:
        raise InputError(f"No region holds a voxel of the maps' brain ({_listed(outside)}): draw one there.")
    if not outside:
        return inside, []
    return inside, [f"Left out, since it lies outside the maps' brain: {_listed(outside)}."]


def partly_known(rows: Sequence) -> list[str]:
    """A sentence on each ratio that is known in clearly less than its region: its two means are of different voxels.

    Args:
        rows: each an `inference_core.regions.table.RegionRow`.
    """
    whole: dict[str, float] = {}
    for row in rows:
        whole[row.region] = max(whole.get(row.region, 0.0), row.volume_ml)
    return [
        f"{row.quantity} in {row.region} is known in {row.volume_ml:.1f} of {whole[row.region]:.1f} mL only, since "
        "its denominator may as well be zero elsewhere: do not compare its means as measured and super-resolved."
        for row in rows
        if "/" in row.quantity and row.volume_ml < _MOST_OF_IT * whole[row.region]
    ]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
