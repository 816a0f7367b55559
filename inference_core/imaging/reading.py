"""Reading images, and refusing what can't be super-resolved."""

import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.files.inputs import check_name
from inference_core.imaging import gipl, nifti, text_headers
from inference_core.imaging.absent import absent_content
from inference_core.imaging.brain_mask import coverage
from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.imaging.place import mark_without_place, no_place_message, without_place
from inference_core.imaging.slice_axis import with_slices_last
from inference_core.imaging.unreadable import NoVolume, Unreadable, kind_problem

#: T1 or FLAIR that covers a smaller share of the map's voxels than the first deserves a second look; than the second,
#: it is no input.
_SMALLEST_COVERAGE, _LEAST_COVERAGE = 0.5, 0.1
#: Edges of voxels, and the longest field of view, that images of a head have, mm.
_VOXELS, _LONGEST = (0.05, 200.0), 1000.0
#: How far axes may be from perpendicular unit vectors: headers are single precision.
_SKEW = 1e-3
_NO_FORMAT = (
    "its format is none that can be checked for completeness, which are NIfTI, NRRD, MetaImage, GIPL and MINC: convert "
    "it to NIfTI"
)


def read_image(path: str | Path, role: str = "image", *, place_needed: bool = True) -> sitk.Image:
    """Read a 3-D scalar image: NIfTI, NRRD, MetaImage, GIPL or MINC.

    Args:
        path: of the file; of a pair, either.
        role: what to call the image in an error: "map", "T1", "FLAIR".
        place_needed: whether to refuse a file whose header gives no position in the patient. Callers that set this to
            False must call `place.check_places` on the patient's images.

    Warns:
        InputWarning: if the file's sform and qform differ by more than a tenth of a voxel.

    Raises:
        InputError: if there is no such file; it can't be read as an image, is damaged or cut short, gives no position;
            or `check_volume` refuses it.
    """
    path = Path(path)
    called = f"{role} '{path}'"
    if absent := absent_content(path):
        raise InputError(f"The {called} is {absent}.")
    if not path.exists():
        raise InputError(f"The {called} does not exist: check the path.")
    if path.is_dir():
        raise InputError(f"The {called} is a folder: name one image file, such as a NIfTI file.")
    check_name(path)
    try:
        image = _read(path, called)
    except NoVolume as error:
        raise InputError(f"The {called} {error}.") from error
    except Unreadable as error:
        raise InputError(f"The {called} can't be read as an image: {error}.") from error
    except OSError as error:
        raise InputError(f"The {called} can't be read ({error.strerror or error}): check its permissions.") from error
    why = without_place(image)
    if why and place_needed:
        raise InputError(no_place_message(called, why))
    checked = check_volume(image, called)
    if why:
        mark_without_place(checked, why)
    return checked


def _read(path: Path, called: str) -> sitk.Image:
    name = path.name.casefold()
    if name.endswith(nifti.ENDINGS):
        return nifti.read_nifti(path, called)
    why = None
    if name.endswith((".nrrd", ".nhdr", ".mha", ".mhd")):
        if not text_headers.check_text_header(path):
            why = "it gives no orientation"
    elif name.endswith((".gipl", ".gipl.gz")):
        gipl.check_gipl(path)
        why = "its format has no orientation that can be relied on"
    elif not name.endswith(".mnc"):
        raise Unreadable(_NO_FORMAT)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise Unreadable("check that the file is complete, and in a format such as NIfTI or NRRD") from error
    # Without its metadata: what a converter took over from another file's header does not speak of this one.
    image = sitk.Cast(image, image.GetPixelID())
    if why:
        mark_without_place(image, why)
    return image


def check_volume(image: sitk.Image, role: str = "image") -> sitk.Image:
    """The image as a 3-D one of real numbers; a fourth axis of one volume is dropped.

    Args:
        image: of any real pixel type, integers included.
        role: what to call the image in an error.

    Raises:
        InputError: if it is 2-D, holds several volumes, colours, vectors or complex numbers, has voxels or a field of
            view that no image of a head has, or axes that are not perpendicular.
    """
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[..., 0]
    is_complex = "complex" in image.GetPixelIDTypeAsString()
    problem = kind_problem(image.GetSize(), image.GetNumberOfComponentsPerPixel(), is_complex)
    if problem is not None:
        raise InputError(f"The {role} {problem}.")
    spacing, axes = np.array(image.GetSpacing()), np.array(image.GetDirection()).reshape(3, 3)
    extent = spacing * image.GetSize()
    if spacing.min() < _VOXELS[0] or spacing.max() > _VOXELS[1] or extent.max() > _LONGEST:
        raise InputError(
            f"The {role} has {_by(image.GetSize())} voxels of {_by(spacing)} mm, which no image of a head has: check "
            "the voxel sizes and their unit in its header."
        )
    if np.abs(axes.T @ axes - np.eye(3)).max() > _SKEW:
        raise InputError(
            f"The axes of the {role} are not perpendicular: resample it on a grid whose axes are, or remove the shear "
            "from its header."
        )
    return image


def as_float(image: sitk.Image) -> sitk.Image:
    """The image in single precision: itself if it is so already."""
    return image if image.GetPixelID() == sitk.sitkFloat32 else sitk.Cast(image, sitk.sitkFloat32)


def _by(numbers) -> str:
    return " x ".join(f"{number:.4g}" if number < 1e4 else f"{number:.0f}" for number in numbers)


def check_map(image: sitk.Image) -> sitk.Image:
    """The low-resolution map as a 3-D image of real numbers, its slices along the third axis.

    Warns:
        InputWarning: as `with_slices_last`.

    Raises:
        InputError: as `check_volume` and `with_slices_last`, or if the map holds no positive value.
    """
    image = check_volume(image, "map")
    array = sitk.GetArrayViewFromImage(image)
    if not np.any(array):
        raise InputError("The map holds only zeros: check that it is the right file and the metabolite was fitted.")
    if not np.any(np.isfinite(array) & (array > 0)):
        raise InputError("The map holds no positive value, only failed fits: check that it is the right file.")
    return with_slices_last(image)


def check_mri(image: sitk.Image, role: str) -> sitk.Image:
    """T1 or FLAIR as a 3-D float32 image, with 0 where it is not finite.

    Raises:
        InputError: as `check_volume`, or if the image has only one slice or holds no positive value.
    """
    image = as_float(check_volume(image, role))
    if min(image.GetSize()) < 2:
        raise InputError(f"The {role} has only one slice ({_by(image.GetSize())} voxels): give one of the whole head.")
    values = sitk.GetArrayViewFromImage(image)
    if not np.isfinite(values).all():
        geometry = image
        image = sitk.GetImageFromArray(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0))
        image.CopyInformation(geometry)
        values = sitk.GetArrayViewFromImage(image)
    if not values.max() > 0:
        raise InputError(f"The {role} holds no positive value: check that it is the right file.")
    return image


def check_overlap(mri: sitk.Image, low_resolution: np.ndarray, grid: SuperResolvedGrid, role: str) -> None:
    """Check that T1 or FLAIR covers the map.

    Args:
        mri: 3-D, on a grid of its own.
        low_resolution: the padded map, `(slice, row, column)`; its positive voxels count.
        grid: of the map.
        role: what to call the MRI in an error.

    Warns:
        InputWarning: if its field of view holds less than half of the map's positive voxels.

    Raises:
        InputError: if it holds less than a tenth of them.
    """
    share = coverage(mri, np.isfinite(low_resolution) & (low_resolution > 0), grid)
    if share == 0:
        raise InputError(
            f"The {role} does not overlap the map: check that both belong to the same patient and are registered."
        )
    if share < _LEAST_COVERAGE:
        raise InputError(
            f"The {role} covers only {share:.1%} of the map: check that both belong to the same patient and are "
            "registered, and give one that covers the map."
        )
    if share < _SMALLEST_COVERAGE:
        warnings.warn(
            f"The {role} covers only {share:.0%} of the map: judge the rest of the result with care.",
            InputWarning,
            stacklevel=2,
        )
