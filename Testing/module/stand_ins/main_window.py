"""Slicer's main window: the module's panel at the left, the slice views at the right."""

# ruff: noqa: N801, N802, N815

from PySide6.QtCore import Property, QObject, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMainWindow, QScrollArea, QVBoxLayout, QWidget

from .pythonqt import seal


@seal
class ModuleSelector(QObject):
    """`mainWindow().moduleSelector()`: leaves one module and enters another."""

    moduleSelected = Signal(str)

    def __init__(self, window, manager):
        super().__init__(window)
        self._window, self._manager, self._selected = window, manager, ""

    def selectModule(self, name):
        """Show a module's panel; an empty name leaves the current one."""
        current = self._manager.module(self._selected) if self._selected else None
        if current is not None:
            current.widgetRepresentation().exit()
        self._selected = name
        if not name:
            self._window.show_panel(None, "")
            return
        module = self._manager.module(name)
        if module is None:
            raise RuntimeError(f"There is no module {name}.")
        self._window.show_panel(module.widgetRepresentation(), module.title)
        module.widgetRepresentation().enter()
        self.moduleSelected.emit(name)

    selectedModule = Property(str, lambda self: self._selected)


@seal
class qSlicerMainWindow(QMainWindow):
    """The window. `panel_size` and `views_size` are (width, height), pixels."""

    def __init__(self, manager, panel_size=(480, 1100), views_size=(1120, 1100)):
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer (stand-in)")
        self._selector = ModuleSelector(self, manager)
        central = QWidget(self)
        self.setCentralWidget(central)
        row = QHBoxLayout(central)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self._panel_column = QWidget(central)
        column = QVBoxLayout(self._panel_column)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._title = QLabel(self._panel_column)
        self._title.setAlignment(Qt.AlignCenter)
        self._title.setStyleSheet("background: #2a2a2a; padding: 6px; font-weight: bold")
        column.addWidget(self._title)
        self._scroll_area = QScrollArea(self._panel_column)
        self._scroll_area.setObjectName("ModulePanel")
        self._scroll_area.setWidgetResizable(True)
        self._scroll_area.setFrameShape(QFrame.NoFrame)
        self._scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        column.addWidget(self._scroll_area, 1)
        row.addWidget(self._panel_column)
        self._viewport = QWidget(central)
        self._viewport.setObjectName("CentralWidgetLayoutFrame")
        row.addWidget(self._viewport, 1)
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().hide()
        self.resize_parts(panel_size, views_size)

    def resize_parts(self, panel_size, views_size) -> None:
        self._panel_column.setFixedWidth(panel_size[0])
        self.setFixedSize(panel_size[0] + views_size[0], max(panel_size[1], views_size[1]))

    def moduleSelector(self):
        return self._selector

    def pythonConsole(self):
        return None

    def viewport(self):
        return self._viewport

    def panel_column(self):
        return self._panel_column

    def show_panel(self, panel, title: str) -> None:
        """Put a module's panel into the window, or take the one that is there out of it."""
        old = self._scroll_area.takeWidget()
        if old is not None:
            old.setParent(None)
        self._title.setText(title)
        if panel is not None:
            self._scroll_area.setWidget(panel)
            panel.show()
