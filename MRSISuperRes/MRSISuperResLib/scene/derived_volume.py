"""A volume that is only a way of looking at a result: hidden from the lists, and not saved with the scene."""

import numpy as np
import slicer

from MRSISuperResLib.scene.volumes import vtk_matrix_of


class DerivedVolume:
    """Shows an array in a result's place.

    Args:
        name: of the node.
        interpolated: whether the views smooth it.
    """

    def __init__(self, name: str, interpolated: bool):
        self._name, self._interpolated = name, interpolated
        self._node = None

    @property
    def node(self):
        """The volume node, or None while there is none."""
        return self._node if self._node is not None and self._node.GetScene() is not None else None

    def show(self, array: np.ndarray, ijk_to_ras: np.ndarray, transform_id: str | None):
        """Hold an array `(slice, row, column)`; the volume node."""
        if self.node is None:
            self._node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", self._name)
            self._node.SetHideFromEditors(True)
            self._node.SetSaveWithScene(False)
            self._node.CreateDefaultDisplayNodes()
            self._node.GetDisplayNode().SetSaveWithScene(False)
            self._node.GetDisplayNode().SetInterpolate(self._interpolated)
        modifying = self._node.StartModify()
        try:
            self._node.SetIJKToRASMatrix(vtk_matrix_of(ijk_to_ras))
            self._node.SetAndObserveTransformNodeID(transform_id)
            slicer.util.updateVolumeFromArray(self._node, np.ascontiguousarray(array, dtype=np.float32))
        finally:
            self._node.EndModify(modifying)
        return self._node

    def remove(self) -> None:
        """Take it out of the scene."""
        if self.node is not None:
            # A legend is one of them, and would stay behind.
            own = [self._node.GetNthDisplayNode(index) for index in range(self._node.GetNumberOfDisplayNodes())]
            for node in (self._node, *own):
                if node is not None and node.GetScene() is not None:
                    slicer.mrmlScene.RemoveNode(node)
        self._node = None

    def forget(self) -> None:
        """Touch no node any more: the scene is going away."""
        self._node = None
