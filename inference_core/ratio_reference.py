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


def reference_mask(reference: str, mirror: bool, result: PatientResult, t1: sitk.Image) -> np.ndarray:
    """Where a patient's normal tissue is, bool `(slice, 64, 64)`.

    Args:
        reference: "brain", or the file of a label image, all regions of which count.
        mirror: whether the same place on the brain's other side is meant.
        result: on whose grid.
        t1: the patient's, which the other side is found on.

    Raises:
        InputError: for a label image that can't be used, or a T1 whose middle can't be found.
    """
    if reference == BRAIN:
        return result.brain
    region = sum(label_images(Path(reference)).values())
    if mirror:
        region = mirrored(region, mirror_transform(t1), t1)
    return result.brain & (share_in_super_resolved(sitk.Cast(region > 0, sitk.sitkUInt8), result.grid) >= _SHARE)
