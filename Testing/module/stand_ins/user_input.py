"""Mouse and keyboard, as a person would use them."""

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QSlider, QStyle, QStyleOptionSlider, QWidget


def click(widget: QWidget, position: QPoint | None = None) -> None:
    """Click a widget's middle, or a position in it. AssertionError where a person could not."""
    if not (widget.enabled and widget.visible):
        raise AssertionError(f"{widget.objectName or widget.className()} can't be clicked: disabled or not shown.")
    if position is None:
        position = click_position(widget)
    QTest.mouseClick(widget, Qt.LeftButton, Qt.NoModifier, position)


def click_position(widget: QWidget) -> QPoint:
    """Where a person aims: a box's indicator, a section's header, or the middle."""
    if widget.inherits("QCheckBox") or widget.inherits("QRadioButton"):
        return QPoint(8, widget.height // 2)
    if widget.className() == "ctkCollapsibleButton":
        return QPoint(widget.width // 2, 8)
    return widget.rect.center()


def _handle_positions(slider: QSlider) -> tuple[QPoint, int, int, int]:
    """The handle's middle, and the groove's start, travel and offset along the slider, pixels."""
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    style = slider.style()
    handle = style.subControlRect(QStyle.CC_Slider, option, QStyle.SC_SliderHandle, slider)
    groove = style.subControlRect(QStyle.CC_Slider, option, QStyle.SC_SliderGroove, slider)
    return handle.center(), groove.x(), groove.width() - handle.width(), handle.width() // 2


def inner_slider(widget: QWidget) -> QSlider:
    return widget if isinstance(widget, QSlider) else widget.findChild(QSlider)


def _mouse(kind, slider: QSlider, position: QPoint, button, buttons) -> None:
    place = QPointF(position)
    event = QMouseEvent(kind, place, QPointF(slider.mapToGlobal(position)), button, buttons, Qt.NoModifier)
    QApplication.sendEvent(slider, event)


def press_slider(widget: QWidget) -> None:
    slider = inner_slider(widget)
    if not (slider.enabled and slider.visible):
        raise AssertionError(f"{widget.objectName or widget.className()} can't be dragged: disabled or not shown.")
    _mouse(QEvent.MouseButtonPress, slider, _handle_positions(slider)[0], Qt.LeftButton, Qt.LeftButton)


def move_slider(widget: QWidget, fraction: float) -> None:
    """Move the pressed handle to a fraction of the slider's travel."""
    slider = inner_slider(widget)
    middle, start, travel, offset = _handle_positions(slider)
    position = QPoint(round(start + fraction * travel) + offset, middle.y())
    _mouse(QEvent.MouseMove, slider, position, Qt.NoButton, Qt.LeftButton)


def release_slider(widget: QWidget) -> None:
    slider = inner_slider(widget)
    _mouse(QEvent.MouseButtonRelease, slider, _handle_positions(slider)[0], Qt.LeftButton, Qt.NoButton)


def pick(box: QComboBox, index: int) -> None:
    """Open a box's list and click a row of it."""
    if not (box.enabled and box.visible):
        raise AssertionError(f"{box.objectName} can't be opened: disabled or not shown.")
    if index < 0:
        rows = [box.itemText(i) for i in range(box.count)]
        raise AssertionError(f"{box.objectName} doesn't offer that; it offers {rows}.")
    box.showPopup()
    view = box.view()
    row = box.model().index(index, 0)
    view.scrollTo(row)
    QTest.mouseMove(view.viewport(), view.visualRect(row).center())
    QTest.mouseClick(view.viewport(), Qt.LeftButton, Qt.NoModifier, view.visualRect(row).center())
    box.hidePopup()


def type_text(widget: QWidget, text: str) -> None:
    """Replace a line's text, then leave the line."""
    widget.setFocus()
    widget.selectAll()
    QTest.keyClick(widget, Qt.Key_Delete)
    QTest.keyClicks(widget, text)
    QTest.keyClick(widget, Qt.Key_Return)


def key(widget: QWidget, which, modifier=Qt.NoModifier) -> None:
    """Press a key. A compound widget hands it to the part that takes the keyboard."""
    target = widget
    while target.focusProxy() is not None:
        target = target.focusProxy()
    target.setFocus()
    QTest.keyClick(target, which, modifier)
