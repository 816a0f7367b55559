"""Where the normal tissue is that a ratio is compared with."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.imaging.brain_mask import share_in_super_resolved
from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.imaging.labels import label_images
from inference_core.imaging.mirror import mirror_transform, mirrored

#: Voxels of which at least this share lies in the region are compared with.
_SHARE = 0.5


def reference_region(labels: Path, mirror: bool, t1: sitk.Image) -> sitk.Image:
    """A patient's normal tissue, an image that is above 0 inside.

    Args:
        labels: file of the label image.
        mirror: whether the same place on the brain's other side is meant.
        t1: the patient's, which the labels lie on, and the other side is found on.

    Raises:
        InputError: for a label image that can't be used, or a T1 whose middle can't be found.
    """
    region = sitk.Cast(sum(label_images(labels, t1).values()) > 0, sitk.sitkUInt8)
    return mirrored(region, mirror_transform(t1), t1) if mirror else region


def reference_mask(region: sitk.Image, grid: SuperResolvedGrid) -> np.ndarray:
    """Where the normal tissue is on a patient's maps' grid, bool `(slice, 64, 64)`.

    Args:
        region: an image that is above 0 inside.
        grid: the maps'.
    """
    return share_in_super_resolved(region, grid) >= _SHARE
