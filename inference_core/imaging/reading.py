"""Reading images, and refusing what can't be super-resolved."""

import gzip
import warnings
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.brain_mask import coverage
from inference_core.imaging.geometry import SuperResolvedGrid

#: T1 or FLAIR that covers a smaller share of the map's voxels than this deserves a second look.
_SMALLEST_COVERAGE = 0.5


def read_image(path: str | Path, role: str = "image") -> sitk.Image:
    """Read a 3-D scalar image in any format that SimpleITK knows.

    Args:
        path: of the file.
        role: what to call the image in an error: "map", "T1", "FLAIR".

    Raises:
        InputError: if there is no such file, it can't be read as an image, or `check_volume` refuses it.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"The {role} '{path}' does not exist: check the path.")
    if path.is_dir():
        raise InputError(f"The {role} '{path}' is a folder: name one image file, such as a NIfTI file.")
    try:
        image = sitk.ReadImage(str(path))
        _check_complete(path, image)
    except (RuntimeError, EOFError, OSError, zlib.error) as error:
        raise InputError(
            f"The {role} '{path}' can't be read as an image: check that the file is complete, and in a format such "
            "as NIfTI or NRRD."
        ) from error
    return check_volume(image, f"{role} '{path}'")


def _check_complete(path: Path, image: sitk.Image) -> None:
    """Raise EOFError, OSError or zlib.error if a NIfTI file is cut short or damaged, which ITK reads as zeros."""
    if not (image.HasMetaDataKey("bitpix") and image.HasMetaDataKey("vox_offset")):
        return
    voxels = image.GetNumberOfPixels() * int(image.GetMetaData("bitpix")) // 8
    needed = voxels + int(float(image.GetMetaData("vox_offset")))
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    if not compressed:
        found = path.stat().st_size
    else:
        found = 0
        with gzip.open(path) as file:
            # To the end, where gzip compares checksums.
            while chunk := file.read(1 << 20):
                found += len(chunk)
    if found < needed:
        raise EOFError(f"{found} of {needed} bytes")


def check_volume(image: sitk.Image, role: str = "image") -> sitk.Image:
    """The image as a 3-D one of real numbers; a fourth axis of one volume is dropped.

    Args:
        image: of any real pixel type, integers included.
        role: what to call the image in an error.

    Raises:
        InputError: if it is 2-D, holds several volumes, colours, vectors or complex numbers.
    """
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise InputError(
            f"The {role} holds {image.GetNumberOfComponentsPerPixel()} values a voxel, as colour images do: "
            "give an image of one value a voxel."
        )
    if "complex" in image.GetPixelIDTypeAsString():
        raise InputError(f"The {role} holds complex numbers: give an image of real values, such as their magnitude.")
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[..., 0]
    if image.GetDimension() != 3:
        sizes = " x ".join(str(count) for count in image.GetSize())
        hint = "save it as 3-D with one slice" if image.GetDimension() == 2 else "extract one volume of it"
        raise InputError(f"The {role} is {image.GetDimension()}-D ({sizes} voxels), not 3-D: {hint}.")
    return image


def as_float(image: sitk.Image) -> sitk.Image:
    """The image in single precision: itself if it is so already."""
    return image if image.GetPixelID() == sitk.sitkFloat32 else sitk.Cast(image, sitk.sitkFloat32)


def check_map(image: sitk.Image) -> sitk.Image:
    """The low-resolution map as a 3-D image of real numbers that holds at least one positive value.

    Raises:
        InputError: as `check_volume`, or if the map holds no positive value.
    """
    image = check_volume(image, "map")
    array = sitk.GetArrayViewFromImage(image)
    if not np.any(array):
        raise InputError("The map holds only zeros: check that it is the right file and the metabolite was fitted.")
    if not np.any(np.isfinite(array) & (array > 0)):
        raise InputError("The map holds no positive value, only failed fits: check that it is the right file.")
    return image


def check_mri(image: sitk.Image, role: str) -> sitk.Image:
    """T1 or FLAIR as a 3-D float32 image, with 0 where it is not finite.

    Raises:
        InputError: as `check_volume`, or if the image holds no positive value.
    """
    image = as_float(check_volume(image, role))
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
        InputError: if its field of view holds none of them.
    """
    share = coverage(mri, np.isfinite(low_resolution) & (low_resolution > 0), grid)
    if share == 0:
        raise InputError(
            f"The {role} does not overlap the map: check that both belong to the same patient and are registered."
        )
    if share < _SMALLEST_COVERAGE:
        warnings.warn(
            f"The {role} covers only {share:.0%} of the map: judge the rest of the result with care.",
            InputWarning,
            stacklevel=2,
        )
