"""NIfTI files as SimpleITK images, read without ITK, which places many of them by the other of their two places.

ITK takes the qform unless the sform's code is 1, applies the intercept of a file without a slope, reads what is
missing from a file that was cut short as zeros, and reads neither NIfTI-2 nor sheared headers.
"""

import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.file_bytes import beginning, check_size, content
from inference_core.imaging.nifti_header import LARGEST_HEADER, NiftiHeader, read_header
from inference_core.imaging.place import (
    LARGEST_DIFFERENCE,
    NO_CODES,
    disagreement,
    largest_shift,
    mark_without_place,
    no_place_message,
    upright,
)
from inference_core.imaging.unreadable import NoVolume, Unreadable, kind_problem

#: Endings of a header's file and its voxels'.
_PAIRS = {".hdr": ".img", ".hdr.gz": ".img.gz"}
#: Relative error of a voxel size that is computed from single precision numbers, at most.
_ROUNDING = 1e-5
#: Endings that this module reads.
ENDINGS = (".nii", ".nii.gz", *_PAIRS, *_PAIRS.values())


def nifti_header(path: Path) -> NiftiHeader:
    """The header of a NIfTI file, or of a pair by either of its files.

    Raises:
        Unreadable: if there is none, or it says what can't be.
        OSError: if the file can't be opened.
    """
    return read_header(beginning(_files(path)[0], LARGEST_HEADER))


def read_nifti(path: Path, role: str) -> sitk.Image:
    """A NIfTI file, or a pair by either of its files.

    Args:
        path: of it.
        role: what to call the image in a warning.

    Returns:
        3-D of real numbers: those stored, or 64-bit floating point where the header scales them. An image whose
        header gives no position is marked as such, see `place.without_place`.

    Warns:
        InputWarning: if sform and qform differ by more than a tenth of a voxel.

    Raises:
        Unreadable: if it is no NIfTI file, is damaged or cut short, or has sheared axes.
        NoVolume: if it is no 3-D image of one real number a voxel.
        OSError: if the file can't be opened.
    """
    header_file, voxel_file = _files(path)
    header = read_header(beginning(header_file, LARGEST_HEADER))
    _check_kind(header)
    if header.single:
        voxel_file = header_file
    elif voxel_file is None:
        raise Unreadable("its header says that the voxels are in another file: name the pair's .hdr")
    elif not voxel_file.exists():
        raise Unreadable(f"its voxels' file '{voxel_file.name}' is not beside it: copy both")
    raw = content(voxel_file)
    check_size(len(raw), header.offset + header.voxels_bytes)
    image = sitk.GetImageFromArray(_values(raw, header))
    _place(image, header, role)
    return image


def check_itk_place(path: Path, role: str) -> None:
    """Refuse a file that ITK, which Slicer loads with, would not place as this program does.

    Args:
        path: of the file, of any format.
        role: what to call the image.

    Raises:
        InputError: if it is a NIfTI file that gives no position, or two of which ITK takes the qform.
    """
    if not path.name.casefold().endswith(ENDINGS):
        return
    try:
        header = nifti_header(path)
    except (Unreadable, OSError):
        # The reader says what is wrong with it.
        return
    if header.affine is None:
        raise InputError(no_place_message(role, NO_CODES))
    apart = disagreement(header)
    if apart is not None and header.sform_code != 1:
        raise InputError(
            f"The sform (code {header.sform_code}) and the qform (code {header.qform_code}) of the {role} place it "
            f"{apart[1]:.3g} mm apart, and Slicer would take the qform: make the qform equal to the sform."
        )


def position_warning(path: Path, role: str, voxel_to_lps: np.ndarray) -> str | None:
    """What is doubtful about where another program, such as Slicer, put an image that it loaded from a file.

    Args:
        path: of the file, of any format and perhaps gone.
        role: what to call the image.
        voxel_to_lps: 4 x 4, where it was put, from voxel indices to mm.

    Returns:
        A sentence, if a NIfTI file gives no position, or gives two and the image lies in the qform's; else None.
    """
    if not path.name.casefold().endswith(ENDINGS):
        return None
    try:
        header = nifti_header(path)
    except (Unreadable, OSError):
        return None
    if header.affine is None:
        return (
            f"The header of the {role} gives no position in the patient ({NO_CODES}): where it lies is a guess, check "
            "that it fits the other images."
        )
    apart, shape = disagreement(header), (*header.shape, 1, 1)[:3]
    if apart is None or header.qform is None:
        return None
    if largest_shift(header.qform, voxel_to_lps, shape)[0] > LARGEST_DIFFERENCE:
        return None
    return (
        f"The sform (code {header.sform_code}) and the qform (code {header.qform_code}) of the {role}'s file place it "
        f"{apart[1]:.3g} mm apart, and it was loaded by the qform, while nibabel, FSL, SPM and this program's commands "
        "take the sform: check that it fits the other images."
    )


def _files(path: Path) -> tuple[Path, Path | None]:
    """The files of header and voxels; of a single file itself and None."""
    name = path.name.casefold()
    # The longer ending first.
    for ending, other in sorted(_PAIRS.items(), reverse=True):
        for own, partner in ((ending, other), (other, ending)):
            if name.endswith(own):
                beside = _beside(path, own, partner)
                return (path, beside) if own == ending else (beside, path)
    return path, None


def _beside(path: Path, ending: str, partner: str) -> Path:
    """The other file of a pair, whose ending may be written in capitals or compressed where this one's is not."""
    bare = path.name[: -len(ending)]
    plain = partner.removesuffix(".gz")
    for each in (partner, partner.upper(), plain, f"{plain}.gz"):
        if (there := path.with_name(bare + each)).exists():
            return there
    return path.with_name(bare + partner)


def _check_kind(header: NiftiHeader) -> None:
    shape: tuple[int, ...] = header.shape
    values = header.dtype.itemsize if header.dtype.subdtype else 1
    if len(shape) == 5 and shape[3] == 1:
        # The standard's place for several values a voxel.
        values = shape[4]
        shape = shape[:3]
    problem = kind_problem(shape, values, header.dtype.kind == "c")
    if problem is not None:
        raise NoVolume(problem)


def _values(raw: bytes, header: NiftiHeader) -> np.ndarray:
    """`(slice, row, column)` in this machine's byte order."""
    count = header.voxels_bytes // header.dtype.itemsize
    stored = np.frombuffer(raw, header.dtype, count, header.offset).reshape(header.shape[::-1])
    if (header.slope, header.intercept) == (1.0, 0.0):
        return stored.astype(header.dtype.newbyteorder("="))
    values = stored.astype(np.float64)
    values *= header.slope
    values += header.intercept
    return values


def _place(image: sitk.Image, header: NiftiHeader, role: str) -> None:
    affine = header.affine
    if affine is None:
        image.SetSpacing(header.voxel)
        mark_without_place(image, NO_CODES)
        return
    axes = upright(affine, header.shape)
    if axes is None:
        raise Unreadable(
            "its sform shears the voxels, so that their axes are not perpendicular: resample it on a grid whose axes "
            "are, or remove the affine registration from its header"
        )
    apart = disagreement(header)
    if apart is not None:
        warnings.warn(
            f"The sform (code {header.sform_code}) and the qform (code {header.qform_code}) of the {role} place it "
            f"{apart[1]:.3g} mm apart: the sform was taken, as nibabel, FSL and SPM do.",
            InputWarning,
            stacklevel=4,
        )
    # What the matrix rounded, the voxel sizes beside it may tell exactly: square voxels must stay square.
    spacing = np.where(np.isclose(axes[0], header.voxel, rtol=_ROUNDING, atol=0), header.voxel, axes[0])
    image.SetSpacing(spacing.tolist())
    image.SetDirection(axes[1].ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
