"""Slice views: a coloured bar with the offset slider over the painted blend of the real slice logic."""

# ruff: noqa: N801, N802

import vtk
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from .color_legend import paint_legend, visible_legends
from .ctk_sliders import ctkSliderWidget
from .pythonqt import seal
from .slice_blend import slice_rgba

#: vtkCornerAnnotation's text index -> where it is painted.
_CORNERS = {
    0: Qt.AlignLeft | Qt.AlignBottom,
    1: Qt.AlignRight | Qt.AlignBottom,
    2: Qt.AlignLeft | Qt.AlignTop,
    3: Qt.AlignRight | Qt.AlignTop,
}


@seal
class qMRMLSliceView(QWidget):
    """Paints what Slicer would render: the blend, corner texts and colour legends."""

    def __init__(self, parent, slice_logic, scene):
        super().__init__(parent)
        self._logic, self._scene = slice_logic, scene
        self._corner_annotation = vtk.vtkCornerAnnotation()
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode()

    def cornerAnnotation(self):
        return self._corner_annotation

    def scheduleRender(self):
        self.update()

    def forceRender(self):
        self.repaint()

    def sizeHint(self):
        return QSize(256, 256)

    def resizeEvent(self, event):
        self._logic.ResizeSliceNode(event.size().width(), event.size().height())

    def paintEvent(self, event):
        painter = QPainter(self)
        painter.fillRect(self.rect, Qt.black)
        if not self.mrmlSliceNode().IsMappedInLayout():
            return
        rgba = slice_rgba(self._logic)
        rows, columns = rgba.shape[:2]
        painter.drawImage(0, 0, QImage(rgba.tobytes(), columns, rows, 4 * columns, QImage.Format_RGBA8888))
        view = QRectF(0, 0, columns, rows)
        for legend, display in visible_legends(self._scene, self._logic):
            if display is not None:
                paint_legend(painter, view, legend, display)
        painter.setPen(QColor(*(round(255 * c) for c in self._corner_annotation.GetTextProperty().GetColor())))
        for corner, alignment in _CORNERS.items():
            text = self._corner_annotation.GetText(corner)
            if text:
                painter.drawText(view.adjusted(6, 4, -6, -4), alignment, text)


@seal
class qMRMLSliceControllerWidget(QWidget):
    """The bar above a slice view: its colour, its label and the slice offset, mm."""

    def __init__(self, parent, slice_logic):
        super().__init__(parent)
        self._logic = slice_logic
        self._label = QLabel(self)
        self._label.setAlignment(Qt.AlignCenter)
        self._label.setMinimumWidth(26)
        self._slider = ctkSliderWidget(self)
        self._slider.setSuffix("mm")
        self._slider.setDecimals(3)
        self._updating = False
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 1, 2, 1)
        layout.addWidget(self._label)
        layout.addWidget(self._slider)
        self._slider.connect("valueChanged(double)", self._on_slider)
        self.setAutoFillBackground(True)

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode()

    def sliceLogic(self):
        return self._logic

    def sliceOffsetSlider(self):
        return self._slider

    def setSliceOffsetValue(self, offset):
        self._slider.setValue(offset)

    def fitSliceToBackground(self):
        self._logic.FitSliceToBackground()

    def setSliceLink(self, linked):
        self._logic.GetSliceCompositeNode().SetLinkedControl(bool(linked))

    def setHotLinked(self, linked):
        self._logic.GetSliceCompositeNode().SetHotLinkedControl(bool(linked))

    def _on_slider(self, value: float) -> None:
        if not self._updating:
            self._logic.StartSliceOffsetInteraction()
            self._logic.SetSliceOffset(value)
            self._logic.EndSliceOffsetInteraction()

    def update_from_mrml(self) -> None:
        node = self.mrmlSliceNode()
        color = QColor.fromRgbF(*node.GetLayoutColor())
        self._label.setText(node.GetLayoutLabel() or node.GetLayoutName()[:1])
        self._label.setStyleSheet(f"background: {color.name()}; color: black; font-weight: bold; border-radius: 2px")
        palette = self.palette
        palette.setColor(self.backgroundRole(), color)
        self.setPalette(palette)
        self._updating = True
        scale, resolution = [0.0, 0.0], vtk.reference(1.0)
        if self._logic.GetSliceOffsetRangeResolution(scale, resolution):
            self._slider.setSingleStep(max(float(resolution), 1e-3))
            self._slider.setRange(*scale)
        self._slider.setPrefix({"Axial": "S: ", "Coronal": "A: ", "Sagittal": "R: "}.get(node.GetOrientation(), ""))
        self._slider.setValue(self._logic.GetSliceOffset())
        self._updating = False


@seal
class qMRMLSliceWidget(QWidget):
    """One slice view with its bar, following its MRML nodes."""

    def __init__(self, slice_node, world):
        super().__init__()
        self.setObjectName(f"qMRMLSliceWidget{slice_node.GetLayoutName()}")
        self._logic = world.add_slice_logic(slice_node)
        self._controller = qMRMLSliceControllerWidget(self, self._logic)
        self._view = qMRMLSliceView(self, self._logic, world.scene)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._controller)
        layout.addWidget(self._view, 1)
        self._logic.ResizeSliceNode(256, 256)
        self._observed = [
            (observed, observed.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_modified))
            for observed in (self._logic, slice_node, self._logic.GetSliceCompositeNode())
        ]
        self._on_modified()

    def _on_modified(self, *_) -> None:
        self._controller.update_from_mrml()
        self._view.update()

    def stop(self) -> None:
        """Leave the scene alone from now on."""
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []

    def sliceLogic(self):
        return self._logic

    def sliceView(self):
        return self._view

    def sliceController(self):
        return self._controller

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self):
        return self._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self):
        self._logic.FitSliceToBackground()

    @property
    def sliceOrientation(self):
        return self.mrmlSliceNode().GetOrientation()

    def setSliceOrientation(self, orientation):
        self.mrmlSliceNode().SetOrientation(orientation)
