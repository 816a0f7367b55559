"""The brain in a T1: a mask that the user has, what is left of a stripped image, or found by BET's method.

Smith 2002, Hum Brain Mapp 17:143, as the package brainextractor has it, which needs no download: on two T1 of real
brains with a made-up skull around, its Dice coefficient was 0.97.
"""

import contextlib
import io
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.imaging.brain_mask import brain_mask_of_t1

#: Of a brain, mL: smaller or larger masks are of something else.
_SMALLEST_ML, _LARGEST_ML = 300.0, 2500.0
#: Millimetres of the voxels that the brain is looked for in.
_VOXEL = 1.0


@dataclass(frozen=True)
class BrainMask:
    """Where the brain is.

    Attributes:
        image: uint8 on the T1's grid, 1 in the brain.
        source: how it was made, for the user.
    """

    image: sitk.Image
    source: str


def brain_mask(t1: sitk.Image, given: sitk.Image | None = None) -> BrainMask:
    """The brain in a T1.

    Args:
        t1: 3-D, scalar, with its skull or without.
        given: a mask that the user has, above 0 in the brain, in the T1's space, on any grid.

    Raises:
        InputError: if the mask given is empty, no brain's size or elsewhere; if a T1 with its skull comes without a
            mask and the package that finds the brain is not installed, or finds none.
    """
    if given is not None:
        return BrainMask(_checked(sitk.Resample(given > 0, t1, sitk.Transform(), sitk.sitkNearestNeighbor, 0)), "given")
    stripped = brain_mask_of_t1(t1)
    if stripped is not None:
        return BrainMask(stripped, "the T1 came without its skull")
    return BrainMask(_found(t1), "found in the T1 (brainextractor, after BET)")


def _volume_ml(mask: sitk.Image) -> float:
    voxels = np.count_nonzero(sitk.GetArrayViewFromImage(mask))
    return voxels * float(np.prod(mask.GetSpacing())) / 1000


def _checked(mask: sitk.Image) -> sitk.Image:
    volume = _volume_ml(mask)
    if volume == 0:
        raise InputError("The brain mask does not overlap the T1, or is empty: give one of the same T1.")
    if not _SMALLEST_ML <= volume <= _LARGEST_ML:
        raise InputError(f"The brain mask holds {volume:.0f} mL, which no brain does: give one of the whole brain.")
    return mask


def _found(t1: sitk.Image) -> sitk.Image:
    try:
        from brainextractor import BrainExtractor
        from nibabel import Nifti1Image
    except ImportError as error:
        raise InputError(
            "The T1 shows the skull, and the package that finds the brain in it is not installed: "
            "`pip install brainextractor`, or give a mask (--mask), or strip T1 and FLAIR with a tool such as HD-BET "
            "or SynthStrip first."
        ) from error
    cube = _isotropic(t1)
    array = sitk.GetArrayFromImage(cube).T
    # Its reports are for a terminal.
    with contextlib.redirect_stdout(io.StringIO()):
        extractor = BrainExtractor(Nifti1Image(array, np.diag([_VOXEL] * 3 + [1.0])))
        extractor.run()
        inside = np.asarray(extractor.compute_mask()) > 0
    mask = sitk.GetImageFromArray(np.ascontiguousarray(inside.T).astype(np.uint8))
    mask.CopyInformation(cube)
    found = sitk.Resample(mask, t1, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    volume = _volume_ml(found)
    if not _SMALLEST_ML <= volume <= _LARGEST_ML:
        raise InputError(
            f"What was found in the T1 holds {volume:.0f} mL, which no brain does: give a mask (--mask), or strip T1 "
            "and FLAIR first."
        )
    return found


def _isotropic(t1: sitk.Image) -> sitk.Image:
    """The T1 in cubic voxels, never negative."""
    size = [max(1, round(n * s / _VOXEL)) for n, s in zip(t1.GetSize(), t1.GetSpacing(), strict=True)]
    cube = sitk.Resample(
        sitk.Cast(t1, sitk.sitkFloat32),
        size,
        sitk.Transform(),
        sitk.sitkLinear,
        t1.GetOrigin(),
        [_VOXEL] * 3,
        t1.GetDirection(),
        0.0,
    )
    return sitk.Maximum(cube, 0.0)
