"""Colour legends painted from their MRML nodes. A stand-in: Slicer draws them with OpenGL.

Title, bar and labels are painted where the node says, in letters whose size goes by the legend's width as in Slicer
5.12 (not by the node's font sizes), and without the letters that VTK's font lacks; spacing is not Slicer's.
"""

import slicer
import vtk
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter

#: Size of the letters, as a share of the legend's width.
_LETTER = 0.45


class LegendManager:
    """Which legends one view shows.

    As in Slicer, that is found out when a legend changes, not when the view gets other volumes; and a view that was
    made after a legend does not know which volumes it shows, so that only the legend's own list of views keeps the
    legend out of it.
    """

    def __init__(self, scene, slice_logic, on_change):
        self._scene, self._logic, self._on_change = scene, slice_logic, on_change
        self._observed: list[tuple] = [(scene, scene.AddObserver(scene.NodeAddedEvent, self._on_node_added))]
        self._shown: dict[str, bool] = {}
        self._older: set[str] = set()
        for i in range(scene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode")):
            legend = scene.GetNthNodeByClass(i, "vtkMRMLColorLegendDisplayNode")
            self._older.add(legend.GetID())
            self._observe(legend)

    def stop(self) -> None:
        """Leave the scene alone from now on."""
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []

    def shown(self) -> list[tuple]:
        """(legend, volume's display node) of the legends in the view."""
        legends = (self._scene.GetNodeByID(identifier) for identifier, shown in self._shown.items() if shown)
        shown = [legend for legend in legends if legend is not None and legend.GetDisplayableNode() is not None]
        return [(each, each.GetPrimaryDisplayNode() or each.GetDisplayableNode().GetDisplayNode()) for each in shown]

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_added(self, _scene, _event, node) -> None:
        if isinstance(node, slicer.vtkMRMLColorLegendDisplayNode):
            self._observe(node)

    def _observe(self, legend) -> None:
        self._observed.append((legend, legend.AddObserver(vtk.vtkCommand.ModifiedEvent, self._update)))
        self._update(legend)

    def _update(self, legend, _event=None) -> None:
        view = self._logic.GetSliceNode().GetID()
        before = self._shown.get(legend.GetID(), False)
        visible = bool(legend.GetVisibility() and legend.GetVisibility2D() and legend.IsDisplayableInView(view))
        self._shown[legend.GetID()] = visible and (legend.GetID() in self._older or self._shows_volume_of(legend))
        if before or self._shown[legend.GetID()]:
            self._on_change()

    def _shows_volume_of(self, legend) -> bool:
        composite, volume = self._logic.GetSliceCompositeNode(), legend.GetDisplayableNode()
        layers = composite.GetForegroundVolumeID(), composite.GetBackgroundVolumeID()
        return volume is not None and volume.GetID() in layers


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


def drawable(text: str) -> str:
    """What VTK's font draws of a text: it has the letters of western Europe only, no Greek ones for example."""
    return "".join(letter for letter in text if ord(letter) < 256)


def paint_legend(painter: QPainter, view: QRectF, legend, display) -> None:
    """Paint one legend into a view's rectangle, pixels."""
    width, height = legend.GetSize()[0] * view.width(), legend.GetSize()[1] * view.height()
    x, y = legend.GetPosition()
    area = QRectF(
        view.left() + x * (view.width() - width), view.top() + (1 - y) * (view.height() - height), width, height
    )
    font = QFont(painter.font())
    font.setPixelSize(max(6, round(_LETTER * width)))
    painter.setFont(font)
    title_height = 0
    if title := drawable(legend.GetTitleText()):
        title_height = painter.fontMetrics().height() * (title.count("\n") + 1)
        painter.setPen(_text_color(legend.GetTitleTextProperty()))
        place = QRectF(view.left(), area.top(), area.right() - view.left(), title_height)
        painter.drawText(place, Qt.AlignRight | Qt.AlignVCenter, title)
    body = area.adjusted(0, title_height + 12, 0, -4)
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
