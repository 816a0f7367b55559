"""Reports when the slice views show other volumes, whatever changed that."""

from collections.abc import Callable

import slicer
import vtk


class ViewWatcher:
    """See the module's docstring.

    Args:
        on_change: called then; may not change what the views show.
    """

    def __init__(self, on_change: Callable[[], None]):
        self._on_change = on_change
        self._observed: list[tuple] = []
        self._layers: dict[str, tuple] = {}

    def start(self) -> None:
        """Watch the views that there are, and those that are made later."""
        self.stop()
        self._layers.clear()
        scene = slicer.mrmlScene
        self._observe(scene, scene.NodeAddedEvent, self._on_node_added)
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            self._observe(composite, vtk.vtkCommand.ModifiedEvent, self._on_modified)

    def stop(self) -> None:
        """Watch no more."""
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed.clear()

    def _observe(self, observed, event, callback) -> None:
        self._observed.append((observed, observed.AddObserver(event, callback)))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_added(self, _scene, _event, node) -> None:
        if node.IsA("vtkMRMLSliceCompositeNode"):
            self._observe(node, vtk.vtkCommand.ModifiedEvent, self._on_modified)

    def _on_modified(self, composite, _event) -> None:
        layers = composite.GetForegroundVolumeID(), composite.GetBackgroundVolumeID()
        if self._layers.get(composite.GetID()) != layers:
            self._layers[composite.GetID()] = layers
            self._on_change()
