"""Slicer's main window: the module's panel at the left, the slice views at the right."""

# ruff: noqa: N801, N802, N815

from PySide6.QtCore import Property, QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMainWindow, QSizePolicy, QVBoxLayout, QWidget

from .module_panel import qSlicerModulePanel
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
        if name == self._selected:
            return
        module = self._manager.module(name) if name else None
        if name and module is None:
            raise RuntimeError(f"There is no module {name}.")
        self._selected = name
        self._window.show_panel(module.widgetRepresentation() if module else None, module.title if module else "")
        if name:
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
        column = QVBoxLayout()
        column.setSpacing(0)
        self._title = QLabel(central)
        self._title.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        self._title.setAlignment(Qt.AlignCenter)
        self._title.setStyleSheet("background: #2a2a2a; padding: 6px; font-weight: bold")
        column.addWidget(self._title)
        self._panel = qSlicerModulePanel(central, panel_size[0])
        self._panel.setObjectName("ModulePanel")
        column.addWidget(self._panel, 1)
        row.addLayout(column)
        self._viewport = QWidget(central)
        self._viewport.setObjectName("CentralWidgetLayoutFrame")
        row.addWidget(self._viewport, 1)
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().hide()
        self.resize_parts(panel_size, views_size)

    def resize_parts(self, panel_size, views_size) -> None:
        self._panel.set_width(panel_size[0])
        self.setFixedSize(panel_size[0] + views_size[0], max(panel_size[1], views_size[1]))

    def moduleSelector(self):
        return self._selector

    def pythonConsole(self):
        return None

    def viewport(self):
        return self._viewport

    def module_panel(self):
        return self._panel

    def show_panel(self, panel, title: str) -> None:
        """Leave the module that is open, and enter the one whose panel is given, if any."""
        self._panel.remove_module()
        self._title.setText(title)
        if panel is not None:
            self._panel.add_module(panel)
