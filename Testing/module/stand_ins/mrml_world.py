"""A MRML scene with the logics that Slicer starts with it: all of it real."""

from pathlib import Path

import slicer
import vtk


class MrmlWorld:
    """One scene and its logics. `work_folder` takes the temporary files of scene bundles."""

    def __init__(self, work_folder: Path):
        self.scene = slicer.vtkMRMLScene()
        self._add_data_manager(work_folder)
        self._add_crosshair()
        self.application_logic = slicer.vtkSlicerApplicationLogic()
        self.application_logic.SetTemporaryPath(str(work_folder))
        self.application_logic.SetHomeDirectory(str(work_folder))
        self.application_logic.SetShareDirectory("share")
        (work_folder / "share" / "ColorFiles").mkdir(parents=True, exist_ok=True)
        self.application_logic.SetMRMLScene(self.scene)
        self.slice_logics, self.view_logics = vtk.vtkCollection(), vtk.vtkCollection()
        self.application_logic.SetSliceLogics(self.slice_logics)
        self.application_logic.SetViewLogics(self.view_logics)
        self.color_logic = self._logic(slicer.vtkSlicerColorLogic, "Colors")
        self.application_logic.SetColorLogic(self.color_logic)
        self.volumes_logic = self._logic(slicer.vtkSlicerVolumesLogic, "Volumes")
        self.segmentations_logic = self._logic(slicer.vtkSlicerSegmentationsModuleLogic, "Segmentations")
        #: Carries one view's movements to the views linked with it, as in the application.
        self.slice_link_logic = self._logic(slicer.vtkMRMLSliceLinkLogic)

    def _logic(self, cls, module: str | None = None):
        logic = cls()
        logic.SetMRMLApplicationLogic(self.application_logic)
        logic.SetMRMLScene(self.scene)
        if module is not None:
            self.application_logic.SetModuleLogic(module, logic)
        return logic

    def _add_data_manager(self, work_folder: Path) -> None:
        """A scene can't read a bundle without a place for cached files."""
        self._cache, self._data_manager = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        cache_folder = work_folder / "cache"
        cache_folder.mkdir(parents=True, exist_ok=True)
        self._cache.SetRemoteCacheDirectory(str(cache_folder))
        self._data_manager.SetCacheManager(self._cache)
        self.scene.SetCacheManager(self._cache)
        self.scene.SetDataIOManager(self._data_manager)

    def _add_crosshair(self) -> None:
        """Where the mouse is in the slice views; the scene keeps it when it is closed."""
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetName("Crosshair")
        crosshair.SetSingletonTag("default")
        self.scene.AddNode(crosshair)

    def add_layout_logic(self):
        """The logic that makes a layout's view nodes; the layout is Slicer's default, four-up."""
        logic = self._logic(slicer.vtkMRMLLayoutLogic)
        node = logic.GetLayoutNode()
        node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        return logic

    def add_slice_logic(self, slice_node):
        """The logic of a slice view; makes the view's composite node."""
        logic = self._logic(slicer.vtkMRMLSliceLogic)
        logic.SetSliceNode(slice_node)
        self.slice_logics.AddItem(logic)
        return logic
