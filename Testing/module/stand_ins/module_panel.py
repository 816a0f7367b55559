"""The place at the left of the main window that shows one module's panel at a time."""

# ruff: noqa: N801, N802

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtWidgets import QFrame, QLayout, QScrollArea, QSizePolicy, QSpacerItem, QVBoxLayout, QWidget

from .ctk_collapsible_button import ctkCollapsibleButton
from .pythonqt import seal


@seal
class qSlicerModulePanel(QWidget):
    """Scrolls up and down only, and is never narrower than what the module's panel would like to be.

    As in Slicer, a panel that is taken out and put back gets a new item in the layout, while the old one stays
    registered with Qt: from then on the layout no longer hears that the panel's height for its width has changed.
    """

    def __init__(self, parent, width: int):
        super().__init__(parent)
        self._wanted_width = width
        self._module_widget = None
        self._items = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._scroll_area = QScrollArea(self)
        self._scroll_area.setObjectName("ScrollArea")
        self._scroll_area.setFrameShape(QFrame.NoFrame)
        self._scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self._scroll_area.setWidgetResizable(True)
        contents = QWidget()
        contents.setObjectName("scrollAreaWidgetContents")
        contents.setSizePolicy(QSizePolicy.Minimum, QSizePolicy.Preferred)
        self._layout = QVBoxLayout(contents)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSizeConstraint(QLayout.SetMinAndMaxSize)
        self._help = ctkCollapsibleButton("Help && Acknowledgement", contents)
        self._help.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        self._help.setCollapsed(True)
        self._layout.addWidget(self._help)
        self._layout.addItem(QSpacerItem(0, 0, QSizePolicy.Minimum, QSizePolicy.MinimumExpanding))
        self._scroll_area.setWidget(contents)
        column.addWidget(self._scroll_area)
        self.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Expanding)

    def set_width(self, width: int) -> None:
        self._wanted_width = width
        self.updateGeometry()

    def add_module(self, widget) -> None:
        """Show a module's panel and enter it."""
        self._module_widget = widget
        widget.layout().setContentsMargins(0, 0, 0, 0)
        self._layout.insertWidget(1, widget, 1)
        widget.setSizePolicy(QSizePolicy.Minimum, widget.sizePolicy.verticalPolicy())
        widget.setVisible(True)
        widget.installEventFilter(self)
        self.updateGeometry()
        widget.enter()

    def remove_module(self) -> None:
        """Exit the module whose panel is shown, if one is, and take it out."""
        widget, self._module_widget = self._module_widget, None
        if widget is None:
            return
        widget.exit()
        widget.removeEventFilter(self)
        self._items.append(self._layout.takeAt(self._layout.indexOf(widget)))
        widget.setVisible(False)
        widget.setParent(None)

    def eventFilter(self, _module_widget, event):
        if event.type() == QEvent.Resize:
            self.updateGeometry()
        return False

    def minimumSizeHint(self):
        contents = self._scroll_area.widget().minimumSizeHint().width()
        return QSize(contents + self._scroll_area.verticalScrollBar().sizeHint().width(), 80)

    def sizeHint(self):
        return self.minimumSizeHint().expandedTo(QSize(self._wanted_width, 0))
