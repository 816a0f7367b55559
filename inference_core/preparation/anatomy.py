"""A patient's T1 and FLAIR where the map is, without their skulls."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import SimpleITK as sitk

from inference_core.errors import InputError

if TYPE_CHECKING:
    from inference_core.imaging.registration import Registration


@dataclass(frozen=True)
class Anatomy:
    """T1, FLAIR and the brain's mask in the map's space.

    Attributes:
        t1: skull-stripped, on its own voxels, moved by its header.
        flair: likewise.
        mask: uint8 on the T1's grid, 1 in the brain.
        t1_head: the T1 with all that was there, in the same place.
        flair_head: the FLAIR likewise.
        mask_source: how the mask was made.
        t1_registration: to the map's space; None if scanner coordinates were trusted.
        flair_registration: of the FLAIR to the T1; None likewise.
    """

    t1: sitk.Image
    flair: sitk.Image
    mask: sitk.Image
    t1_head: sitk.Image
    flair_head: sitk.Image
    mask_source: str
    t1_registration: "Registration | None"
    flair_registration: "Registration | None"


def place_anatomy(
    t1: sitk.Image,
    flair: sitk.Image,
    mask: sitk.Image | None,
    map_anatomy: sitk.Image | None,
    register: bool,
) -> Anatomy:
    """Register T1 and FLAIR, and strip their skulls.

    The FLAIR is registered to the T1, and both to the map's space if there is an image in it; otherwise T1 and map
    share the scanner's coordinates as they are.

    Args:
        t1: 3-D, on its own grid, with its skull or without.
        flair: likewise.
        mask: of the brain, in the T1's space; None to find it.
        map_anatomy: any MRI in the map's space; None if there is none.
        register: False takes all headers as they are.

    Raises:
        InputError: if a registration is refused, or no brain is found.
    """
    from inference_core.imaging.brain_extraction import brain_mask
    from inference_core.imaging.registration import moved_by_header, register_rigid

    t1_registration = flair_registration = None
    if register:
        flair_registration = register_rigid(flair, t1, moving_role="FLAIR", fixed_role="T1")
        flair = moved_by_header(flair, flair_registration)
        if map_anatomy is not None:
            t1_registration = register_rigid(t1, map_anatomy, moving_role="T1", fixed_role="map anatomy")
            t1, flair = (moved_by_header(image, t1_registration) for image in (t1, flair))
            mask = mask and moved_by_header(mask, t1_registration)
    found = brain_mask(t1, mask)
    if not sitk.GetArrayViewFromImage(found.image).any():
        raise InputError("No brain was found in the T1: give a mask of it, with brain_mask in its file's name.")
    return Anatomy(
        t1=_within(t1, found.image),
        flair=_within(flair, found.image),
        mask=found.image,
        t1_head=t1,
        flair_head=flair,
        mask_source=found.source,
        t1_registration=t1_registration,
        flair_registration=flair_registration,
    )


def describe_registration(registration: "Registration | None", role: str, fixed: str) -> dict[str, Any]:
    """What a sidecar says of how an image came to its place."""
    if registration is None:
        return {"Registration": f"none: the scanner's coordinates of {role} and {fixed} were taken as they are"}
    return {
        "Registration": f"rigid, {role} to {fixed}, by the header: no resampling",
        "RegistrationTranslation_mm": round(registration.translation_mm, 4),
        "RegistrationRotation_deg": round(registration.rotation_deg, 4),
        "RegistrationMutualInformation": [round(registration.metric_before, 6), round(registration.metric_after, 6)],
        "RegistrationOverlap": round(registration.overlap, 6),
    }


def _within(image: sitk.Image, mask: sitk.Image) -> sitk.Image:
    """An image with 0 outside a mask that lies on another grid."""
    on_grid = sitk.Resample(mask, image, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0, sitk.sitkUInt8)
    return sitk.Mask(image, on_grid)
