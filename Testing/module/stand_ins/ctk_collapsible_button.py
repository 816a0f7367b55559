"""ctk's collapsible section of a panel: a header to click on, and the widgets below it."""

# ruff: noqa: N801, N802, N815

from PySide6.QtCore import Property, QEvent, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QStyle, QStyleOption, QStyleOptionButton, QWidget

from .pythonqt import seal

#: QWidget's own value for "no limit".
_NO_LIMIT = 16777215


@seal
class ctkCollapsibleButton(QAbstractButton):
    """A header that shows or hides the widgets of its layout. Checked means open."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments):
        texts = [a for a in arguments if isinstance(a, str)]
        super().__init__(*[a for a in arguments if not isinstance(a, str)])
        self._collapsed, self._collapsed_height, self._flat = False, 10, False
        #: Children that are shown again when the section opens.
        self._to_show: set[QWidget] = set()
        self._hiding = False
        self.setText(texts[0] if texts else "")
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QSizePolicy.Minimum, QSizePolicy.Preferred)
        self.setContentsMargins(0, self._header_height(), 0, 0)
        self.connect("toggled(bool)", lambda opened: self.setCollapsed(not opened))

    def _header_height(self) -> int:
        return self.fontMetrics().height() + 10

    def _child_widgets(self) -> list[QWidget]:
        return [child for child in self.children() if isinstance(child, QWidget)]

    def _hide(self, child: QWidget) -> None:
        self._hiding = True
        child.hide()
        self._hiding = False

    def setCollapsed(self, collapsed):
        collapsed = bool(collapsed)
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setChecked(not collapsed)
        if collapsed:
            self._to_show = {child for child in self._child_widgets() if not child.isHidden()}
            for child in self._to_show:
                self._hide(child)
            self.setMaximumHeight(self._header_height())
        else:
            for child in self._to_show:
                child.show()
            self.setMaximumHeight(_NO_LIMIT)
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    def childEvent(self, event):
        child = event.child()
        if event.type() == QEvent.ChildAdded and child.isWidgetType():
            child.installEventFilter(self)

    def eventFilter(self, child, event):
        if self._collapsed and not self._hiding and isinstance(child, QWidget) and child.parent() is self:
            if event.type() == QEvent.ShowToParent:
                self._to_show.add(child)
                self._hide(child)
            elif event.type() == QEvent.HideToParent:
                self._to_show.discard(child)
        return False

    def hitButton(self, position):
        return position.y() < self._header_height()

    def sizeHint(self):
        if self._collapsed or self.layout() is None:
            return QSize(160, self._header_height())
        return self.layout().totalSizeHint()

    def minimumSizeHint(self):
        if self._collapsed or self.layout() is None:
            return QSize(60, self._header_height())
        return self.layout().totalMinimumSize()

    def paintEvent(self, event):
        painter = QPainter(self)
        header = QStyleOptionButton()
        header.initFrom(self)
        header.rect.setHeight(self._header_height())
        header.state |= QStyle.State_Raised
        self.style().drawPrimitive(QStyle.PE_PanelButtonCommand, header, painter, self)
        arrow = QStyleOption()
        arrow.initFrom(self)
        arrow.rect = header.rect.adjusted(6, 6, 0, -6)
        arrow.rect.setWidth(arrow.rect.height())
        element = QStyle.PE_IndicatorArrowRight if self._collapsed else QStyle.PE_IndicatorArrowDown
        self.style().drawPrimitive(element, arrow, painter, self)
        painter.setPen(self.palette.buttonText().color())
        painter.drawText(header.rect.adjusted(28, 0, -6, 0), Qt.AlignVCenter | Qt.AlignLeft, self.text)

    def setCollapsedHeight(self, height):
        self._collapsed_height = int(height)

    def setFlat(self, flat):
        self._flat = bool(flat)

    collapsed = Property(bool, lambda self: self._collapsed, setCollapsed)
    collapsedHeight = Property(int, lambda self: self._collapsed_height, setCollapsedHeight)
    flat = Property(bool, lambda self: self._flat, setFlat)
