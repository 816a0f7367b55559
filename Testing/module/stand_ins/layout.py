"""The layout manager: widgets for the real layout logic's view nodes, arranged as the layout's description says."""

# ruff: noqa: N801, N802, N815

import xml.etree.ElementTree as ElementTree

import slicer
import vtk
from PySide6.QtCore import Property, QObject, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QPainter
from PySide6.QtWidgets import QBoxLayout, QGridLayout, QTabWidget, QVBoxLayout, QWidget

from .pythonqt import seal
from .slice_views import qMRMLSliceWidget


class UnpaintedView(QWidget):
    """A 3D, table or plot view's place in the layout, said to be empty."""

    def __init__(self, kind: str):
        super().__init__()
        self._text = {"vtkMRMLViewNode": "3D view"}.get(kind, kind)

    def paintEvent(self, event):
        painter = QPainter(self)
        gradient = QLinearGradient(0, 0, 0, self.height)
        gradient.setColorAt(0, QColor(116, 120, 190))
        gradient.setColorAt(1, QColor(193, 195, 232))
        painter.fillRect(self.rect, gradient)
        painter.setPen(QColor(60, 60, 110))
        painter.drawText(self.rect, Qt.AlignCenter, f"{self._text}\n(not drawn without OpenGL)")


@seal
class qSlicerLayoutManager(QObject):
    """`slicer.app.layoutManager()`: slice views for each slice node in the scene, shown or not."""

    layoutChanged = Signal(int)

    def __init__(self, world, viewport: QWidget):
        super().__init__()
        self._world, self._viewport = world, viewport
        self._slice_widgets: dict[str, qMRMLSliceWidget] = {}
        self._root: QWidget | None = None
        self._arrangement: tuple[int, str] | None = None
        self._updating = False
        if viewport.layout() is None:
            QVBoxLayout(viewport).setContentsMargins(0, 0, 0, 0)
        self._logic = world.add_layout_logic()
        node = self._logic.GetLayoutNode()
        scene = world.scene
        self._observed = [
            (scene, scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, self._on_scene)),
            (scene, scene.AddObserver(slicer.vtkMRMLScene.NodeRemovedEvent, self._on_scene)),
            # Below the logic's own priority: it makes the view nodes first.
            (node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_layout, -1.0)),
        ]
        self._on_scene()
        self._on_layout()

    def stop(self) -> None:
        """Leave the scene, and take the views out of the window."""
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []
        for widget in self._slice_widgets.values():
            widget.stop()
        self._clear_viewport()
        for widget in self._slice_widgets.values():
            widget.deleteLater()
        self._slice_widgets = {}

    # Following the scene

    def _on_scene(self, *_) -> None:
        if not self._updating:  # a new slice logic adds nodes of its own
            self._updating = True
            try:
                self._update_slice_widgets()
            finally:
                self._updating = False

    def _update_slice_widgets(self) -> None:
        scene = self._world.scene
        nodes = [
            scene.GetNthNodeByClass(i, "vtkMRMLSliceNode")
            for i in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode"))
        ]
        present = {node.GetLayoutName(): node for node in nodes}
        for name in [n for n, w in self._slice_widgets.items() if present.get(n) is not w.mrmlSliceNode()]:
            widget = self._slice_widgets.pop(name)
            widget.stop()
            self._world.slice_logics.RemoveItem(widget.sliceLogic())
            widget.setParent(None)
            widget.deleteLater()
        for name, node in present.items():
            if name not in self._slice_widgets:
                self._slice_widgets[name] = qMRMLSliceWidget(node, self._world)
                node.SetMappedInLayout(False)

    def _on_layout(self, *_) -> None:
        node = self._logic.GetLayoutNode()
        arrangement = (node.GetViewArrangement(), node.GetCurrentLayoutDescription())
        if arrangement == self._arrangement or not arrangement[1]:
            return
        self._arrangement = arrangement
        shown = self._logic.GetViewNodes()
        shown = [shown.GetItemAsObject(i) for i in range(shown.GetNumberOfItems())]
        self._clear_viewport()
        self._root = self._make_layout(ElementTree.fromstring(arrangement[1]))
        self._viewport.layout().addWidget(self._root)
        for widget in self._slice_widgets.values():
            mapped = widget.mrmlSliceNode() in shown
            widget.mrmlSliceNode().SetMappedInLayout(mapped)
            widget.setVisible(mapped)
        self.layoutChanged.emit(arrangement[0])

    def _clear_viewport(self) -> None:
        for widget in self._slice_widgets.values():
            widget.setParent(None)
        if self._root is not None:
            self._viewport.layout().removeWidget(self._root)
            self._root.deleteLater()
            self._root = None

    def _make_layout(self, element: ElementTree.Element) -> QWidget:
        kind = element.get("type", "horizontal")
        items = element.findall("item")
        if kind == "tab":
            widget = QTabWidget()
            for item in items:
                widget.addTab(self._make_item(item), item.get("name", ""))
            return widget
        widget = QWidget()
        if kind == "grid":
            grid = QGridLayout(widget)
            for item in items:
                place = [int(item.get(key, default)) for key, default in (("row", 0), ("column", 0))]
                span = [int(item.get(key, 1)) for key in ("rowspan", "colspan")]
                grid.addWidget(self._make_item(item), *place, *span)
        else:
            direction = QBoxLayout.LeftToRight if kind == "horizontal" else QBoxLayout.TopToBottom
            box = QBoxLayout(direction, widget)
            for place, item in enumerate(items):
                # A splitter's parts are seldom of one size, asked for or not.
                size = 100 * int(item.get("splitSize", 1))
                box.addWidget(
                    self._make_item(item), size + (size // 20 if element.get("split") == "true" and place == 0 else 0)
                )
        widget.layout().setContentsMargins(0, 0, 0, 0)
        widget.layout().setSpacing(3)
        return widget

    def _make_item(self, item: ElementTree.Element) -> QWidget:
        nested = item.find("layout")
        if nested is not None:
            return self._make_layout(nested)
        view = item.find("view")
        if view.get("class") != "vtkMRMLSliceNode":
            return UnpaintedView(view.get("class"))
        if item.get("multiple") == "true":
            raise NotImplementedError("Layout items with several views in one place have no stand-in in these tests.")
        return self._slice_widgets[view.get("singletontag")]

    # What Slicer offers

    def layoutLogic(self):
        return self._logic

    def setLayout(self, layout):
        node = self._logic.GetLayoutNode()
        if not node.IsLayoutDescription(layout):
            raise ValueError(f"There is no layout {layout}.")
        node.SetViewArrangement(layout)

    layout = Property(int, lambda self: self._logic.GetLayoutNode().GetViewArrangement(), setLayout)

    def sliceViewNames(self):
        return tuple(self._slice_widgets)

    def sliceWidget(self, name):
        return self._slice_widgets.get(name)

    def mrmlSliceLogics(self):
        return self._world.slice_logics

    def setRenderPaused(self, paused):
        for widget in self._slice_widgets.values():
            widget.sliceView().setRenderPaused(paused)

    def resetSliceViews(self):
        for widget in self._slice_widgets.values():
            widget.fitSliceToBackground()

    def viewport(self):
        return self._viewport

    #: Views that nothing here draws.
    threeDViewCount = Property(int, lambda self: 0)
    tableViewCount = Property(int, lambda self: 0)
    plotViewCount = Property(int, lambda self: 0)
