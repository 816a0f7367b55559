"""The same place on the brain's other side: a T1 registered with its own mirror image tells where that is."""

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.imaging.registration import RegistrationRefused, register_rigid

#: Left and right are the patient's first axis in LPS.
_REFLECTION = np.diag([-1.0, 1.0, 1.0])


def mirror_transform(t1: sitk.Image) -> sitk.Transform:
    """From a point of the patient to its counterpart on the other side, in mm.

    Args:
        t1: 3-D, with its skull or without; the head may be tilted by some degrees.

    Raises:
        InputError: if the T1 does not match its mirror image anywhere, so that no middle can be found.
    """
    reflection = sitk.AffineTransform(3)
    reflection.SetMatrix(_REFLECTION.ravel().tolist())
    middle = t1.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in t1.GetSize()])
    reflection.SetCenter(middle)
    reflected = sitk.Image(t1)
    reflected.SetOrigin(reflection.TransformPoint(t1.GetOrigin()))
    reflected.SetDirection((_REFLECTION @ np.array(t1.GetDirection()).reshape(3, 3)).ravel().tolist())
    # Both sides are never alike in detail: they had 0.03 in common in a simulated patient with a tumour, as much as
    # two people have. So the outline decides.
    try:
        found = register_rigid(
            reflected, t1, moving_role="mirrored T1", fixed_role="T1", finest=2.0, least_information=0.0
        )
    except RegistrationRefused as error:
        raise InputError(
            "The T1's middle can't be found, since it does not match its mirror image: leave the mirror regions out."
        ) from error
    # The transform added last is applied first.
    return sitk.CompositeTransform([reflection, found.transform])


def mirrored(region: sitk.Image, transform: sitk.Transform, t1: sitk.Image) -> sitk.Image:
    """A region on the other side, uint8 on the T1's grid.

    Args:
        region: 3-D, above 0 inside, on a grid of its own.
        transform: from `mirror_transform`.
        t1: whose grid the result is on.
    """
    return sitk.Resample(sitk.Cast(region > 0, sitk.sitkUInt8), t1, transform, sitk.sitkNearestNeighbor, 0)
