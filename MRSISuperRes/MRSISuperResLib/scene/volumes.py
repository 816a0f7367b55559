"""MRML volumes as SimpleITK images, and back onto MRML grids.

Everything is expressed in the *map's own frame*: the coordinates in which the map node states its geometry, before the
transform that it may lie under. The result lies under the same transform, so that it stays where the map is whatever
the transform is or becomes; T1 and FLAIR are brought into that frame from wherever they are.
"""

from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk
import slicer
import vtk

from inference_core.errors import InputError
from inference_core.imaging.geometry import SuperResolvedGrid

#: Axes count as perpendicular within this cosine: float32 headers are no better.
_PERPENDICULAR = 1e-4
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class PatientImages:
    """The three images of one patient in the map's own frame, copied from the scene, so that a thread may read them.

    Attributes:
        low_resolution, t1, flair: as SimpleITK images.
        key: equal for equal voxels and geometry.
    """

    low_resolution: sitk.Image = field(compare=False)
    t1: sitk.Image = field(compare=False)
    flair: sitk.Image = field(compare=False)
    key: tuple


def check_volume_node(node, role: str):
    """A volume node that holds an image.

    Args:
        node: a `vtkMRMLScalarVolumeNode`, or None.
        role: "metabolite map", "T1", "FLAIR".

    Raises:
        InputError: if it is missing, no volume, no longer in the scene, or empty.
    """
    if node is None:
        raise InputError(f"The {role} is missing: choose a volume for it.")
    if not node.IsA("vtkMRMLVolumeNode"):
        raise InputError(f"The {role} '{node.GetName()}' is no volume: choose a volume for it.")
    if node.GetScene() is None:
        raise InputError(f"The {role} '{node.GetName()}' was removed from the scene: choose another volume.")
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise InputError(f"The {role} '{node.GetName()}' holds no image: load its file again or choose another volume.")
    return node


def matrix_of(vtk_matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """A 4 x 4 array of a VTK matrix."""
    return np.array([[vtk_matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def vtk_matrix_of(matrix: np.ndarray) -> vtk.vtkMatrix4x4:
    """A VTK matrix of a 4 x 4 array."""
    result = vtk.vtkMatrix4x4()
    for row, column in np.ndindex(4, 4):
        result.SetElement(row, column, matrix[row, column])
    return result


def ijk_to_frame(node, map_node, role: str) -> np.ndarray:
    """The matrix from a volume's voxel indices (column, row, slice) to RAS mm in the map's own frame.

    Raises:
        InputError: if a transform that is not linear lies between the volume and the map.
    """
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    own, target = node.GetParentTransformNode(), map_node.GetParentTransformNode()
    if own is target:
        return matrix_of(matrix)
    between = vtk.vtkMatrix4x4()
    if not slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(own, target, between):
        raise InputError(
            f"The {role} '{node.GetName()}' lies under a transform that is not linear relative to the map's: harden "
            "it in the Transforms module first."
        )
    return matrix_of(between) @ matrix_of(matrix)


def _geometry(ijk_to_ras: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Origin, spacing and direction in LPS mm; None if the axes are not perpendicular."""
    lps = _LPS @ ijk_to_ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    if not np.all(spacing > 0):
        return None
    direction = lps[:3, :3] / spacing
    if np.abs(direction.T @ direction - np.eye(3)).max() > _PERPENDICULAR:
        return None
    return lps[:3, 3], spacing, direction


def _image(node) -> sitk.Image:
    array = slicer.util.arrayFromVolume(node)
    return sitk.GetImageFromArray(np.array(array), isVector=array.ndim == 4)


def _resampled_upright(image: sitk.Image, ijk_to_ras: np.ndarray) -> sitk.Image:
    """An image with sheared axes resampled on upright axes, at its finest spacing, over all that it covers."""
    lps = _LPS @ ijk_to_ras
    size = np.array(image.GetSize())
    corners = np.array([lps @ (*(np.array(corner) * (size - 1)), 1) for corner in np.ndindex(2, 2, 2)])[:, :3]
    spacing = float(np.linalg.norm(lps[:3, :3], axis=0).min())
    origin, extent = corners.min(axis=0), np.ptp(corners, axis=0)
    inverse = np.linalg.inv(lps)
    to_index = sitk.AffineTransform(inverse[:3, :3].ravel().tolist(), inverse[:3, 3].tolist())
    shape = [int(count) for count in np.ceil(extent / spacing) + 1]
    identity = np.eye(3).ravel().tolist()
    return sitk.Resample(
        image, shape, to_index, sitk.sitkLinear, origin.tolist(), [spacing] * 3, identity, 0.0, sitk.sitkFloat32
    )


def volume_image(node, map_node, role: str) -> sitk.Image:
    """A volume node as a SimpleITK image in the map's own frame.

    Args:
        node: the volume.
        map_node: the map, possibly the same node.
        role: what to call the volume in an error.

    Raises:
        InputError: as `check_volume_node` and `ijk_to_frame`, or if the map's axes are not perpendicular.
    """
    check_volume_node(node, role)
    ijk_to_ras = ijk_to_frame(node, map_node, role)
    image = _image(node)
    geometry = _geometry(ijk_to_ras)
    if geometry is None:
        if node is map_node or abs(np.linalg.det(ijk_to_ras[:3, :3])) == 0:
            raise InputError(
                f"The axes of the {role} '{node.GetName()}' are not perpendicular: resample it on a grid whose axes "
                "are, for example in the Resample Scalar/Vector/DWI Volume module."
            )
        return _resampled_upright(image, ijk_to_ras)
    origin, spacing, direction = geometry
    image.SetOrigin(origin.tolist())
    image.SetSpacing(spacing.tolist())
    image.SetDirection(direction.ravel().tolist())
    return image


def images_key(map_node, t1_node, flair_node) -> tuple:
    """What `PatientImages.key` will be for these nodes; cheap enough to ask often.

    Raises:
        InputError: as `volume_image`, but for axes.
    """
    parts = []
    for node, role in ((map_node, "metabolite map"), (t1_node, "T1"), (flair_node, "FLAIR")):
        check_volume_node(node, role)
        matrix = ijk_to_frame(node, map_node, role)
        parts.append((node.GetID(), node.GetImageData().GetMTime(), tuple(matrix.ravel().round(6))))
    return tuple(parts)


def volume_state(node) -> tuple:
    """Equal as long as a volume node's voxels and place stay as they are; for None, too.

    Slicer's functions for arrays announce changed voxels as a change of the node, as they do a new name.
    """
    if node is None:
        return ()
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    image, transform = node.GetImageData(), node.GetParentTransformNode()
    return (
        node.GetID(),
        image.GetMTime() if image is not None else None,
        tuple(matrix_of(matrix).ravel()),
        (transform.GetID(), transform.GetTransformToWorldMTime()) if transform is not None else None,
    )


def patient_images(map_node, t1_node, flair_node) -> PatientImages:
    """The three images of a patient, copied from the scene into the map's own frame.

    Raises:
        InputError: as `volume_image`.
    """
    key = images_key(map_node, t1_node, flair_node)
    return PatientImages(
        low_resolution=volume_image(map_node, map_node, "metabolite map"),
        t1=volume_image(t1_node, map_node, "T1"),
        flair=volume_image(flair_node, map_node, "FLAIR"),
        key=key,
    )


def grid_matrix(grid: SuperResolvedGrid) -> np.ndarray:
    """The matrix from voxel indices (column, row, slice) of the super-resolved grid to RAS mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(grid.direction).reshape(3, 3) * np.array(grid.spacing)
    matrix[:3, 3] = grid.origin
    return _LPS @ matrix


def map_readout_image(node) -> sitk.Image:
    """The map alone, for reading its resolution before T1 and FLAIR are chosen.

    Raises:
        InputError: as `volume_image`.
    """
    return volume_image(node, node, "metabolite map")
