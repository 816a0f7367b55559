"""Slice views: a coloured bar with the offset slider over the painted blend of the real slice logic."""

# ruff: noqa: N801, N802, N815

import time

import slicer
import vtk
from PySide6.QtCore import Property, QCoreApplication, QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QImage, QPainter
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from .color_legend import LegendManager, paint_legend
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


#: Seconds between two pictures of a view at least, unless something takes longer than that.
_FRAME = 1 / 60


@seal
class qMRMLSliceView(QWidget):
    """Paints what Slicer would render: the blend, corner texts and colour legends.

    `renders()` counts the pictures that Slicer would render. Requests within a sixtieth of a second make one picture;
    one that comes later, before the event loop had its turn, makes one at once, unless rendering is paused.
    """

    def __init__(self, parent, slice_logic, scene):
        super().__init__(parent)
        self._logic = slice_logic
        self._legends = LegendManager(scene, slice_logic, self.scheduleRender)
        self._corner_annotation = vtk.vtkCornerAnnotation()
        self._pauses, self._renders = 0, 0
        self._requested_at: float | None = None
        self._timer = 0
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)

    def stop(self) -> None:
        self._legends.stop()

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode()

    def cornerAnnotation(self):
        return self._corner_annotation

    def legends(self) -> list:
        """The legends that it shows."""
        return [legend for legend, _ in self._legends.shown()]

    def renders(self) -> int:
        return self._renders

    def scheduleRender(self):
        if self._requested_at is None:
            self._requested_at = time.monotonic()
            self._timer = self.startTimer(round(1000 * _FRAME))
        elif time.monotonic() - self._requested_at > _FRAME:
            self._render_unless_paused()

    def timerEvent(self, _event):
        self._stop_timer()
        self._render_unless_paused()

    def _stop_timer(self) -> None:
        if self._timer:
            self.killTimer(self._timer)
            self._timer = 0

    def _render_unless_paused(self) -> None:
        if self._pauses == 0:
            self.forceRender()

    def forceRender(self):
        self._stop_timer()
        self._requested_at = None
        if self.isVisible():
            self._renders += 1
            self.update()

    def pauseRender(self):
        self._pauses += 1

    def resumeRender(self):
        self._pauses -= 1
        if self._pauses == 0 and self._requested_at is not None:
            self.scheduleRender()

    def setRenderPaused(self, paused):
        (self.pauseRender if paused else self.resumeRender)()

    renderPaused = Property(bool, lambda self: self._pauses > 0, setRenderPaused)

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
        for legend, display in self._legends.shown():
            if display is not None:
                paint_legend(painter, view, legend, display)
        painter.setPen(QColor(*(round(255 * c) for c in self._corner_annotation.GetTextProperty().GetColor())))
        for corner, alignment in _CORNERS.items():
            text = self._corner_annotation.GetText(corner)
            if text:
                painter.drawText(view.adjusted(6, 4, -6, -4), alignment, text)


@seal
class qMRMLSliceControllerWidget(QWidget):
    """The bar above a slice view: its colour, its label and the slice offset, mm.

    As in Slicer, linking one view from its bar links all, its hot link, wherever it was set, goes to all, and a bar
    that has appeared sends the 0 that its slider began with, once the event loop has its turn.
    """

    def __init__(self, parent, slice_logic):
        super().__init__(parent)
        self._logic = slice_logic
        self._label = QLabel(self)
        self._label.setAlignment(Qt.AlignCenter)
        self._label.setMinimumWidth(26)
        self._slider = ctkSliderWidget(self)
        self._slider.setSuffix("mm")
        self._slider.setDecimals(3)
        self._hot_link = QAction(self)
        self._hot_link.setCheckable(True)
        self._hot_link.connect("toggled(bool)", self.setHotLinked)
        self._updating = self._appeared = False
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 1, 2, 1)
        layout.addWidget(self._label)
        layout.addWidget(self._slider)
        self._slider.connect("valueChanged(double)", self._on_slider)
        self.setAutoFillBackground(True)

    def showEvent(self, _event):
        if not self._appeared:
            self._appeared = True
            QCoreApplication.postEvent(self, QEvent(QEvent.User))

    def customEvent(self, _event):
        self.setSliceOffsetValue(0.0)

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode()

    def sliceLogic(self):
        return self._logic

    def sliceOffsetSlider(self):
        return self._slider

    def setSliceOffsetValue(self, offset):
        self._logic.StartSliceOffsetInteraction()
        self._logic.SetSliceOffset(offset)
        self._logic.EndSliceOffsetInteraction()

    def fitSliceToBackground(self):
        self._logic.FitSliceToBackground()

    def setSliceLink(self, linked):
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            composite.SetLinkedControl(bool(linked))

    def setHotLinked(self, linked):
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            composite.SetHotLinkedControl(bool(linked))

    def _on_slider(self, value: float) -> None:
        if not self._updating:
            self.setSliceOffsetValue(value)

    def update_from_mrml(self) -> None:
        node = self.mrmlSliceNode()
        self._hot_link.setChecked(bool(self._logic.GetSliceCompositeNode().GetHotLinkedControl()))
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
        self._view.scheduleRender()

    def stop(self) -> None:
        """Leave the scene alone from now on."""
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []
        self._view.stop()

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
