"""Comparing a result with the map it was made from: side by side, or flickering in place.

The map is shown through a second volume node, hidden from the lists, which shares the map's voxels but has a display of
its own: the same colours and window as the result, voxels as they were measured. The user's own display of the map
stays as it is.
"""

import qt
import slicer

from MRSISuperResLib.scene.overlay import OWN_VIEW_PREFIX, Look, Overlay, show_colors
from MRSISuperResLib.scene.shown_slice import visible_slice_nodes

_VIEW = f"{OWN_VIEW_PREFIX}Input"
#: Layouts of extensions have numbers of their own choice; this one is meant to meet no other.
_LAYOUT_ID = 6417
_LAYOUT = f"""
<layout type="horizontal" split="true">
 <item><view class="vtkMRMLSliceNode" singletontag="{{view}}"/></item>
 <item><view class="vtkMRMLSliceNode" singletontag="{_VIEW}">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">IN</property>
  <property name="viewcolor" action="default">#8E7CC3</property>
 </view></item>
</layout>
"""
_FLICKER_MS = 600


class Comparison:
    """Shows the input beside, or in place of, a result.

    Args:
        overlay: shows the result.
    """

    def __init__(self, overlay: Overlay):
        self._overlay = overlay
        self._input = None
        self._result = None
        self._layout_before: int | None = None
        self._links_before: dict[str, tuple[bool, bool]] = {}
        self._input_is_shown = False
        self._timer = qt.QTimer()
        self._timer.setInterval(_FLICKER_MS)
        self._timer.connect("timeout()", self._turn)

    @property
    def side_by_side(self) -> bool:
        """Whether the input is shown beside the result."""
        return self._layout_before is not None

    @property
    def flickering(self) -> bool:
        """Whether input and result take turns."""
        return self._timer.active

    @property
    def input_node(self):
        """The volume that shows the input, or None while nothing is compared."""
        return self._input

    def update(self, map_node, result, reference, look: Look) -> None:
        """Follow a change of the result, its display, the reference, or the map, if anything is compared."""
        if not (self.side_by_side or self.flickering):
            return
        self._prepare(map_node, result, look)
        if self.side_by_side:
            self._fill_view(reference, look)

    def show_side_by_side(self, map_node, result, reference, look: Look) -> None:
        """Show the result at left, the input at right, in a layout of two views that scroll together."""
        self._prepare(map_node, result, look)
        manager = slicer.app.layoutManager()
        layout = manager.layoutLogic().GetLayoutNode()
        visible = visible_slice_nodes()
        view = visible[0].GetLayoutName() if visible else "Red"
        description = _LAYOUT.format(view=view)
        if layout.IsLayoutDescription(_LAYOUT_ID):
            layout.SetLayoutDescription(_LAYOUT_ID, description)
        else:
            layout.AddLayoutDescription(_LAYOUT_ID, description)
        if self._layout_before is None:
            self._layout_before = manager.layout
        manager.setLayout(_LAYOUT_ID)
        self._align(view)
        self._fill_view(reference, look)

    def end_side_by_side(self) -> None:
        """Return to the layout that the user had."""
        if self._layout_before is None:
            return
        before, self._layout_before = self._layout_before, None
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            linked, hot = self._links_before.pop(composite.GetID(), (None, None))
            if linked is not None:
                composite.SetLinkedControl(linked)
                composite.SetHotLinkedControl(hot)
        slicer.app.layoutManager().setLayout(before)
        self._release()

    def start_flicker(self, map_node, result, look: Look) -> None:
        """Let input and result take turns in the views."""
        self._prepare(map_node, result, look)
        self._timer.start()

    def end_flicker(self) -> None:
        """Show the result again."""
        self._timer.stop()
        if self._input_is_shown:
            self._turn()
        self._release()

    def end(self) -> None:
        """Stop comparing."""
        self.end_flicker()
        self.end_side_by_side()

    def forget(self) -> None:
        """Stop comparing, and touch no node: the scene is going away."""
        self._timer.stop()
        self._input = self._result = self._layout_before = None
        self._input_is_shown = False
        self._links_before.clear()

    def _prepare(self, map_node, result, look: Look) -> None:
        if self._input is None or self._input.GetScene() is None:
            self._input = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MRSISuperRes input")
            self._input.SetHideFromEditors(True)
            self._input.SetSaveWithScene(False)
            self._input.CreateDefaultDisplayNodes()
            self._input.GetDisplayNode().SetSaveWithScene(False)
        self._result = result
        node = self._input
        node.SetName(f"{map_node.GetName()} (input)")
        node.CopyOrientation(map_node)
        node.SetAndObserveTransformNodeID(map_node.GetTransformNodeID())
        node.SetAndObserveImageData(map_node.GetImageData())
        display = result.GetDisplayNode()
        show_colors(node, look, (display.GetWindowLevelMin(), display.GetWindowLevelMax()))
        node.GetDisplayNode().SetInterpolate(False)

    def _turn(self) -> None:
        shown, hidden = (self._input, self._result) if self._input_is_shown else (self._result, self._input)
        if shown is None or hidden is None or hidden.GetScene() is None:
            self._timer.stop()
            return
        self._overlay.swap(shown, hidden)
        self._input_is_shown = not self._input_is_shown

    def _release(self) -> None:
        if self._input is not None and not (self.side_by_side or self.flickering):
            if self._input.GetScene() is not None:
                slicer.mrmlScene.RemoveNode(self._input)
            self._input = self._result = None
            self._input_is_shown = False

    def _align(self, view: str) -> None:
        nodes = {node.GetLayoutName(): node for node in visible_slice_nodes()}
        result_view, input_view = nodes[view], nodes[_VIEW]
        input_view.GetSliceToRAS().DeepCopy(result_view.GetSliceToRAS())
        input_view.SetFieldOfView(*result_view.GetFieldOfView())
        input_view.SetXYZOrigin(*result_view.GetXYZOrigin())
        input_view.UpdateMatrices()
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if composite.GetLayoutName() in (view, _VIEW):
                links = bool(composite.GetLinkedControl()), bool(composite.GetHotLinkedControl())
                self._links_before.setdefault(composite.GetID(), links)
                composite.SetLinkedControl(True)
                composite.SetHotLinkedControl(True)

    def _fill_view(self, reference, look: Look) -> None:
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if composite.GetLayoutName() == _VIEW:
                composite.SetBackgroundVolumeID(reference.GetID() if reference is not None else None)
                composite.SetForegroundVolumeID(self._input.GetID())
                composite.SetForegroundOpacity(look.opacity)
