"""A volume's value at a point of the patient."""

from collections.abc import Sequence

import numpy as np
import slicer
import vtk

from MRSISuperResLib.scene.shown_slice import ijk_to_world
from MRSISuperResLib.scene.volumes import matrix_of


def voxel_value(node, position: Sequence[float]) -> float | None:
    """The value of the voxel that holds a point; None outside the volume.

    Args:
        node: the volume, possibly under a linear transform.
        position: in world RAS mm.
    """
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    to_world = ijk_to_world(matrix_of(matrix), node.GetParentTransformNode())
    column, row, index = np.round(np.linalg.inv(to_world) @ (*position, 1.0))[:3].astype(int)
    array = slicer.util.arrayFromVolume(node)
    inside = 0 <= index < array.shape[0] and 0 <= row < array.shape[1] and 0 <= column < array.shape[2]
    return float(array[index, row, column]) if inside else None
