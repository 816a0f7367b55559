"""Where an image lies in the patient, as its file's header tells it, and whether images can be taken to agree.

NIfTI headers have two places, sform and qform. The sform counts if its code is above 0, as in nibabel, FSL and SPM;
ITK, and with it Slicer, takes the qform wherever the sform's code is not 1. Some files give no position at all.
"""

import warnings
from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.nifti_header import NiftiHeader

#: Places that differ by more than this share of a voxel are two places.
LARGEST_DIFFERENCE = 0.1
#: Metadata of an image whose file's header gives no position: why.
_NO_PLACE = "mrsi_superres_no_place"
#: How far matrices and voxel sizes of images without a place may be from agreeing: headers are single precision.
_SAME = 1e-4


def largest_shift(one: np.ndarray, other: np.ndarray, shape: tuple[int, ...]) -> tuple[float, float]:
    """How far two places of an image are apart at the corner where they differ most.

    Args:
        one, other: 4 x 4, from voxel indices to mm.
        shape: voxels along the three axes.

    Returns:
        In voxels of `one` along the axis where it is most, and in mm.
    """
    corners = np.array([(*(np.array(corner) * (np.array(shape) - 1)), 1.0) for corner in np.ndindex(2, 2, 2)])
    between = corners @ (np.asarray(other) - one)[:3].T
    in_voxels = np.abs(np.linalg.solve(one[:3, :3], between.T))
    return float(in_voxels.max()), float(np.linalg.norm(between, axis=1).max())


def upright(affine: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Voxel sizes and perpendicular axes of a place, or None if they are sheared.

    Args:
        affine: 4 x 4, from voxel indices to mm.
        shape: voxels along the three axes. Axes that no corner of the image leaves by more than a tenth of a voxel
            when they are made perpendicular count as such: headers round.

    Returns:
        Voxel sizes `(3,)`, mm, and direction cosines `(3, 3)`, an axis a column.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing)
    direction = left @ right
    straight = affine.copy()
    straight[:3, :3] = direction * spacing
    return None if largest_shift(straight, affine, shape)[0] > LARGEST_DIFFERENCE else (spacing, direction)


def disagreement(header: NiftiHeader) -> tuple[float, float] | None:
    """How far a header's sform and qform are apart, as `largest_shift`, if by more than a tenth of a voxel."""
    if header.sform is None or header.qform is None:
        return None
    voxels, mm = largest_shift(header.sform, header.qform, (*header.shape, 1, 1)[:3])
    return (voxels, mm) if voxels > LARGEST_DIFFERENCE else None


def mark_without_place(image: sitk.Image, why: str) -> None:
    """Remember that the file that an image was read from gives no position: `why`, such as "its codes are 0"."""
    image.SetMetaData(_NO_PLACE, why)


def without_place(image: sitk.Image) -> str | None:
    """Why the position of an image is not known; None if it is, or the image came from no file."""
    if image.HasMetaDataKey(_NO_PLACE):
        return image.GetMetaData(_NO_PLACE)
    # An image that SimpleITK itself read from a NIfTI file.
    codes = [image.GetMetaData(key) for key in ("qform_code", "sform_code") if image.HasMetaDataKey(key)]
    return NO_CODES if codes == ["0", "0"] else None


NO_CODES = "the codes of its sform and qform are 0"


def check_places(images: Mapping[str, sitk.Image]) -> None:
    """Refuse images of one patient if their positions relative to each other are not known.

    Args:
        images: by what to call them: "map", "T1".

    Warns:
        InputWarning: if no file gives a position, and all grids agree: they are then taken for one.

    Raises:
        InputError: if a file gives no position, and the grids don't agree or other files do.
    """
    lost = {role: why for role, image in images.items() if (why := without_place(image))}
    if not lost:
        return
    if len(lost) == len(images) > 1 and _one_grid(list(images.values())):
        warnings.warn(
            f"The headers of {_listed(images)} give no position in the patient: they were taken to lie on one grid, "
            "since their matrices and voxel sizes agree.",
            InputWarning,
            stacklevel=2,
        )
        return
    role, why = next(iter(lost.items()))
    raise InputError(no_place_message(role, why))


def no_place_message(role: str, why: str) -> str:
    """The sentence on an image without a position: what to call it, and why."""
    return (
        f"The header of the {role} gives no position in the patient ({why}): convert it again from its source, or set "
        "its sform or its orientation; without, only images that are all on one grid can be used."
    )


def _listed(names: Mapping[str, object]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}"


def _one_grid(images: list[sitk.Image]) -> bool:
    first, *others = images
    return all(
        other.GetSize() == first.GetSize()
        and all(
            np.allclose(getattr(other, what)(), getattr(first, what)(), rtol=_SAME, atol=_SAME)
            for what in ("GetSpacing", "GetOrigin", "GetDirection")
        )
        for other in others
    )
