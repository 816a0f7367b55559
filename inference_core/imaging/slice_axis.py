"""Along which axis a map's slices lie, and maps whose slices lie along another than the third.

Three things tell: the voxels (those of a slice are square, and as a rule not as thick as they are wide), the header
(spectroscopic images are transverse unless something else is said), and the matrix (there are few slices). Voxels come
first; a map whose tellers contradict each other is refused.
"""

import warnings

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.place import without_place

#: Voxel edges that differ by less than this share are equal.
_EQUAL = 0.01
#: Cosine to head-foot above which an axis is the one along it: less than 40 degrees away.
_ALONG = 0.77
#: An axis has few voxels if it has at most this share of each other's.
_FEW = 0.5
#: Fewest rows and columns of a slice.
_LEAST_MATRIX = 4
_NAMES = ("first", "second", "third")


def with_slices_last(image: sitk.Image) -> sitk.Image:
    """A map with its slices along the third axis, in the same place.

    Args:
        image: 3-D, as it was read.

    Returns:
        The image itself, or one with its axes in another order: in a slice, the columns' axis is the one nearer to
        left-right, or for sagittal slices to anterior-posterior.

    Warns:
        InputWarning: if the axes were reordered.

    Raises:
        InputError: if it is unclear along which axis the slices lie, or a slice has fewer than 4 x 4 voxels.
    """
    axis = _slice_axis(image)
    if axis != 2:
        # The axes of the plane by the axis of the world that each is nearest to.
        axes = np.abs(np.array(image.GetDirection()).reshape(3, 3))
        plane = sorted((one for one in range(3) if one != axis), key=lambda one: int(axes[:, one].argmax()))
        reordered = sitk.PermuteAxes(image, [*plane, axis])
        warnings.warn(
            f"The map's slices lie along its {_NAMES[axis]} axis ({_described(image)}): its axes were reordered, to "
            f"{_by(reordered.GetSize())} voxels.",
            InputWarning,
            stacklevel=2,
        )
        for key in image.GetMetaDataKeys():
            reordered.SetMetaData(key, image.GetMetaData(key))
        image = reordered
    columns, rows, _ = image.GetSize()
    if min(columns, rows) < _LEAST_MATRIX:
        raise InputError(
            f"The map has only {rows} x {columns} voxels a slice: at least 4 x 4 are needed. "
            "Check that its slices lie along the third axis."
        )
    return image


def _slice_axis(image: sitk.Image) -> int:
    by_voxels, by_header, by_matrix = _by_voxels(image), _by_header(image), _by_matrix(image)
    if by_voxels == 2:
        return 2
    if by_voxels is None:
        # Cubic voxels, or none of whose faces is square.
        if by_matrix in (None, by_header):
            return 2 if by_header is None else by_header
        if by_matrix == 2 or by_header is None:
            # A few slices, also coronal or sagittal ones.
            return by_matrix
    elif by_matrix == by_voxels or (by_matrix is None and by_header == by_voxels):
        return by_voxels
    elif by_header in (2, None) and by_matrix == 2:
        return 2
    elif by_header == 2:
        warnings.warn(
            f"The map's slices were taken to lie along its third axis, the one nearest to head-foot, though its voxels "
            f"are square across the {_NAMES[by_voxels]} ({_described(image)}): if they lie along that, save it with "
            "its slices along the third axis.",
            InputWarning,
            stacklevel=3,
        )
        return 2
    raise InputError(
        f"It is unclear along which axis the map's slices lie ({_described(image)}): save it with its slices along the "
        "third axis."
    )


def _by_voxels(image: sitk.Image) -> int | None:
    """The axis that is perpendicular to the only square face of a voxel."""
    spacing = np.array(image.GetSpacing())
    squares = [axis for axis in range(3) if np.isclose(spacing[axis - 1], spacing[axis - 2], rtol=_EQUAL, atol=0)]
    return squares[0] if len(squares) == 1 else None


def _by_header(image: sitk.Image) -> int | None:
    """The axis along head-foot, if one is."""
    if without_place(image):
        return None
    upwards = np.abs(np.array(image.GetDirection()).reshape(3, 3)[2])
    return int(upwards.argmax()) if upwards.max() > _ALONG else None


def _by_matrix(image: sitk.Image) -> int | None:
    """The axis with few voxels, if one has."""
    size = np.array(image.GetSize())
    axis = int(size.argmin())
    return axis if size[axis] <= _FEW * np.delete(size, axis).min() else None


def _described(image: sitk.Image) -> str:
    return f"{_by(image.GetSize())} voxels of {_by(image.GetSpacing())} mm"


def _by(numbers) -> str:
    return " x ".join(f"{number:.4g}" for number in numbers)
