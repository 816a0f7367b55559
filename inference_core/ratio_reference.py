"""The normal tissue that a ratio is compared with."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.footprint import share_in_super_resolved
from inference_core.map_arguments import label_images
from inference_core.mirror import mirror_transform, mirrored
from inference_core.patient_result import PatientResult

#: Voxels of which at least this share lies in the region are compared with.
_SHARE = 0.5
#: What stands for the whole brain in the place of a label image's file.
BRAIN = "brain"


def reference_region(reference: str, mirror: bool, t1: sitk.Image) -> sitk.Image | None:
    """A patient's normal tissue, an image that is above 0 inside; None for the whole brain.

    Args:
        reference: "brain", or the file of a label image, all regions of which count.
        mirror: whether the same place on the brain's other side is meant.
        t1: the patient's, which the other side is found on.

    Raises:
        InputError: for a label image that can't be used, or a T1 whose middle can't be found.
    """
    if reference == BRAIN:
        return None
    region = sitk.Cast(sum(label_images(Path(reference)).values()) > 0, sitk.sitkUInt8)
    return mirrored(region, mirror_transform(t1), t1) if mirror else region


def reference_mask(region: sitk.Image | None, result: PatientResult) -> np.ndarray:
    """Where that is in a patient's maps, bool `(slice, 64, 64)`.

    Args:
        region: from `reference_region`.
        result: on whose grid.
    """
    if region is None:
        return result.brain
    return result.brain & (share_in_super_resolved(region, result.grid) >= _SHARE)
