"""The slice views, and which slices of a volume the user looks at in them."""

import numpy as np
import slicer
import vtk

from MRSISuperResLib.scene.volumes import matrix_of


def visible_slice_nodes() -> list:
    """The slice nodes whose views are in the current layout."""
    return [node for node in slicer.util.getNodesByClass("vtkMRMLSliceNode") if node.IsMappedInLayout()]


def views() -> list[tuple]:
    """The slice views' nodes, in the current layout or not: (slice node, composite node)."""
    composites = {node.GetLayoutName(): node for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    return [(node, composites[node.GetLayoutName()]) for node in nodes if node.GetLayoutName() in composites]


def ijk_to_world(ijk_to_frame: np.ndarray, transform_node) -> np.ndarray:
    """The matrix from voxel indices to world RAS mm, for a volume under a transform or under None.

    A transform that is not linear is left out: this serves to find a slice, not to measure.
    """
    to_world = vtk.vtkMatrix4x4()
    if transform_node is None or not transform_node.IsTransformToWorldLinear():
        return ijk_to_frame
    transform_node.GetMatrixTransformToWorld(to_world)
    return matrix_of(to_world) @ ijk_to_frame


def shown_slice(ijk_to_ras: np.ndarray, slices: int) -> int:
    """Index of the slice that the view which is most parallel to a volume's slices shows.

    Args:
        ijk_to_ras: from voxel indices to world RAS mm.
        slices: number of the volume's slices.

    Returns:
        0 to `slices` - 1: the nearest one, if the view shows none; the middle one if no view is parallel.
    """
    normal = np.cross(ijk_to_ras[:3, 0], ijk_to_ras[:3, 1])
    normal /= np.linalg.norm(normal)
    best, index = 0.5, slices // 2
    for node in visible_slice_nodes():
        slice_to_ras = matrix_of(node.GetSliceToRAS())
        parallel = abs(normal @ slice_to_ras[:3, 2])
        if parallel > best + 1e-6:
            position = np.linalg.inv(ijk_to_ras) @ slice_to_ras[:, 3]
            best, index = parallel, int(np.clip(round(position[2]), 0, slices - 1))
    return index
