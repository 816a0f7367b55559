"""Comparing a result with the map it was made from: side by side, or flickering in place.

The map is shown through a second volume node, hidden from the lists, which shares the map's voxels but has a display of
its own: the same colours and window as the result, voxels as they were measured. The user's own display of the map
stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import qt
import slicer
import vtk

from MRSISuperResLib.scene.overlay import OWN_VIEW_PREFIX, Look, Overlay, show_colors
from MRSISuperResLib.scene.shown_slice import views, visible_slice_nodes

_VIEW = f"{OWN_VIEW_PREFIX}Input"
#: Layouts of extensions have numbers of their own choice; this one is meant to meet no other.
_LAYOUT_ID = 6417
_LAYOUT = f"""
<layout type="horizontal" split="true">
 <item splitSize="500"><view class="vtkMRMLSliceNode" singletontag="{{view}}"/></item>
 <item splitSize="500"><view class="vtkMRMLSliceNode" singletontag="{_VIEW}">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">IN</property>
  <property name="viewcolor" action="default">#8E7CC3</property>
 </view></item>
</layout>
"""
_FLICKER_MS = 600
#: Turns of the event loop until a view has appeared (one), has sent what its slider began with (one), and to spare.
_TURNS_TO_APPEAR = 4


def register_layout(view: str = "Red") -> None:
    """Tell Slicer the layout of two views; a scene that was saved in it may be opened before it is used.

    Args:
        view: the result's.
    """
    layout, description = slicer.app.layoutManager().layoutLogic().GetLayoutNode(), _LAYOUT.format(view=view)
    if layout.IsLayoutDescription(_LAYOUT_ID):
        layout.SetLayoutDescription(_LAYOUT_ID, description)
    else:
        layout.AddLayoutDescription(_LAYOUT_ID, description)


#: The two views' group, so that they move together and no other view with them.
_VIEW_GROUP = _LAYOUT_ID


@dataclass(frozen=True)
class _ViewState:
    linked: bool
    group: int


class Comparison:
    """Shows the input beside, or in place of, a result.

    Args:
        overlay: shows the result.
        on_layout_left: called when the user chooses another layout, which ends the comparison side by side.
    """

    def __init__(self, overlay: Overlay, on_layout_left: Callable[[], None]):
        self._overlay, self._on_layout_left = overlay, on_layout_left
        self._input = None
        self._result = None
        self._layout_before: int | None = None
        self._layout_observer: tuple | None = None
        self._views_before: dict[str, _ViewState] = {}
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
        visible = [name for node in visible_slice_nodes() if (name := node.GetLayoutName()) != _VIEW]
        view = visible[0] if visible else "Red"
        register_layout(view)
        if self._layout_before is None:
            self._layout_before = manager.layout
        manager.setLayout(_LAYOUT_ID)
        self._observe_layout(manager.layoutLogic().GetLayoutNode())
        # Once it has appeared, a new view goes to slice offset 0. It must not take the result's view along.
        for _turn in range(_TURNS_TO_APPEAR):
            slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)
        if self.side_by_side:
            self._align(view)
            self._link(view)
            self._fill_view(reference, look)

    def end_side_by_side(self, keep_layout: bool = False) -> None:
        """Return to the layout that the user had.

        Args:
            keep_layout: leave the layout as it is: the user has chosen another one.
        """
        if self._layout_before is None:
            return
        before, self._layout_before = self._layout_before, None
        node, tag = self._layout_observer
        node.RemoveObserver(tag)
        self._layout_observer = None
        for slice_node, composite in views():
            state = self._views_before.pop(slice_node.GetID(), None)
            if state is not None:
                composite.SetLinkedControl(state.linked)
                slice_node.SetViewGroup(state.group)
        self._views_before.clear()
        if not keep_layout:
            # While a scene is closed, the layout manager would not pass it on to the node.
            node.SetViewArrangement(before)
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

    def leave_saved_layout(self) -> None:
        """Leave the layout of two views, and part them, if a scene that was saved side by side brought that along."""
        manager = slicer.app.layoutManager()
        if manager is None or manager.layout != _LAYOUT_ID or self.side_by_side:
            return
        for node, composite in views():
            # Slicer does not restore the group's number, only that there is one.
            if node.GetViewGroup() and composite.GetLinkedControl():
                node.SetViewGroup(0)
                composite.SetLinkedControl(False)
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def end(self) -> None:
        """Stop comparing."""
        self.end_flicker()
        self.end_side_by_side()

    def forget(self) -> None:
        """Stop comparing, and touch no volume: the scene is going away, but layout and views stay."""
        self._timer.stop()
        self._input = self._result = None
        self._input_is_shown = False
        self.end_side_by_side()

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

    def _observe_layout(self, node) -> None:
        if self._layout_observer is None:
            self._layout_observer = (node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_layout))

    def _on_layout(self, node, _event) -> None:
        if self.side_by_side and node.GetViewArrangement() != _LAYOUT_ID:
            self.end_side_by_side(keep_layout=True)
            self._on_layout_left()

    def _align(self, view: str) -> None:
        nodes = {node.GetLayoutName(): node for node in visible_slice_nodes()}
        result_view, input_view = nodes[view], nodes[_VIEW]
        input_view.GetSliceToRAS().DeepCopy(result_view.GetSliceToRAS())
        # As many mm a pixel, although the views may differ in size.
        mm = result_view.GetFieldOfView()[1] / result_view.GetDimensions()[1]
        columns, rows, _slices = input_view.GetDimensions()
        input_view.SetFieldOfView(mm * columns, mm * rows, result_view.GetFieldOfView()[2])
        input_view.SetXYZOrigin(*result_view.GetXYZOrigin())
        input_view.UpdateMatrices()

    def _link(self, view: str) -> None:
        pair = [(node, composite) for node, composite in views() if node.GetLayoutName() in (view, _VIEW)]
        # All are noted before any is changed: what is set on one view, Slicer may pass on to others.
        for node, composite in pair:
            state = _ViewState(bool(composite.GetLinkedControl()), node.GetViewGroup())
            self._views_before.setdefault(node.GetID(), state)
        for node, composite in pair:
            node.SetViewGroup(_VIEW_GROUP)
            composite.SetLinkedControl(True)

    def _fill_view(self, reference, look: Look) -> None:
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if composite.GetLayoutName() == _VIEW:
                composite.SetBackgroundVolumeID(reference.GetID() if reference is not None else None)
                composite.SetForegroundVolumeID(self._input.GetID())
                composite.SetForegroundOpacity(look.opacity)
