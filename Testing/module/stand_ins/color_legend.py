"""Colour legends painted from their MRML nodes. A stand-in: Slicer draws them with OpenGL.

Title, bar and labels are painted where the node says; fonts and spacing are not Slicer's.
"""

import slicer
import vtk
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter


def visible_legends(scene, slice_logic) -> list[tuple]:
    """(legend, volume's display node) of the volumes that the view shows."""
    composite = slice_logic.GetSliceCompositeNode()
    shown = []
    for volume_id in (composite.GetForegroundVolumeID(), composite.GetBackgroundVolumeID()):
        volume = scene.GetNodeByID(volume_id) if volume_id else None
        if volume is None:
            continue
        for i in range(volume.GetNumberOfDisplayNodes()):
            legend = volume.GetNthDisplayNode(i)
            if (
                isinstance(legend, slicer.vtkMRMLColorLegendDisplayNode)
                and legend.GetVisibility()
                and legend.GetVisibility2D()
                and legend.IsDisplayableInView(slice_logic.GetSliceNode().GetID())
            ):
                shown.append((legend, legend.GetPrimaryDisplayNode() or volume.GetDisplayNode()))
    return shown


def _color(display, fraction: float) -> QColor:
    color_node = display.GetColorNode()
    table = color_node.GetLookupTable() if color_node is not None else None
    rgb = [fraction] * 3
    if table is not None:
        table.GetColor(fraction * (table.GetRange()[1] - table.GetRange()[0]) + table.GetRange()[0], rgb)
    elif color_node is not None:
        function = color_node.GetScalarsToColors()
        low, high = function.GetRange()
        function.GetColor(low + fraction * (high - low), rgb)
    return QColor.fromRgbF(*rgb)


def _value_range(display) -> tuple[float, float]:
    if isinstance(display, slicer.vtkMRMLScalarVolumeDisplayNode):
        return display.GetWindowLevelMin(), display.GetWindowLevelMax()
    return display.GetScalarRange()


def _text_color(text_property: vtk.vtkTextProperty) -> QColor:
    return QColor.fromRgbF(*text_property.GetColor())


def paint_legend(painter: QPainter, view: QRectF, legend, display) -> None:
    """Paint one legend into a view's rectangle, pixels."""
    width, height = legend.GetSize()[0] * view.width(), legend.GetSize()[1] * view.height()
    x, y = legend.GetPosition()
    area = QRectF(
        view.left() + x * (view.width() - width), view.top() + (1 - y) * (view.height() - height), width, height
    )
    font = QFont(painter.font())
    font.setPixelSize(12)
    painter.setFont(font)
    line = painter.fontMetrics().height()
    if legend.GetTitleText():
        painter.setPen(_text_color(legend.GetTitleTextProperty()))
        title = QRectF(view.left(), area.top(), area.right() - view.left(), line)
        painter.drawText(title, Qt.AlignRight | Qt.AlignVCenter, legend.GetTitleText())
    body = area.adjusted(0, line + 12, 0, -4)
    if legend.GetOrientation() == legend.Vertical:
        _paint_vertical(painter, body, legend, display)
    else:
        _paint_horizontal(painter, body, legend, display)


def _labels(legend, display) -> list[tuple[float, str]]:
    low, high = _value_range(display)
    count = max(2, legend.GetNumberOfLabels())
    fractions = [i / (count - 1) for i in range(count)]
    return [(f, legend.GetLabelFormat() % (low + f * (high - low))) for f in fractions]


def _paint_vertical(painter: QPainter, body: QRectF, legend, display) -> None:
    bar = QRectF(body.right() - 16, body.top(), 16, body.height())
    rows = max(1, int(bar.height()))
    for row in range(rows):
        painter.fillRect(
            QRectF(bar.left(), bar.bottom() - row - 1, bar.width(), 1.5), _color(display, row / max(1, rows - 1))
        )
    painter.setPen(_text_color(legend.GetLabelTextProperty()))
    painter.drawRect(bar)
    line = painter.fontMetrics().height()
    for fraction, text in _labels(legend, display):
        middle = bar.bottom() - fraction * bar.height()
        painter.drawText(QRectF(bar.left() - 90, middle - line / 2, 84, line), Qt.AlignRight | Qt.AlignVCenter, text)


def _paint_horizontal(painter: QPainter, body: QRectF, legend, display) -> None:
    bar = QRectF(body.left(), body.top(), body.width(), 16)
    columns = max(1, int(bar.width()))
    for column in range(columns):
        color = _color(display, column / max(1, columns - 1))
        painter.fillRect(QRectF(bar.left() + column, bar.top(), 1.5, bar.height()), color)
    painter.setPen(_text_color(legend.GetLabelTextProperty()))
    painter.drawRect(bar)
    line = painter.fontMetrics().height()
    for fraction, text in _labels(legend, display):
        middle = bar.left() + fraction * bar.width()
        painter.drawText(QRectF(middle - 40, bar.bottom() + 2, 80, line), Qt.AlignCenter, text)
