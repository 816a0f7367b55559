"""The flat `qt` module that a Slicer module imports."""

import types

from PySide6 import QtCore, QtGui, QtWidgets

from . import dialogs, pythonqt
from .ui_loader import QUiLoader

#: PySide6's own additions, which PythonQt doesn't have.
_NOT_IN_PYTHONQT = {"Signal", "Slot", "Property", "SignalInstance", "ClassInfo", "SIGNAL", "SLOT", "QtMsgType"}


def make_qt() -> types.ModuleType:
    """Qt's names in one module. Changes PySide6's types (see `pythonqt`)."""
    pythonqt.install()
    dialogs.install()
    qt = types.ModuleType("qt", "A stand-in for Slicer's qt module.")
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            if name.startswith("Q") and name not in _NOT_IN_PYTHONQT:
                setattr(qt, name, getattr(module, name))
    qt.QUiLoader = QUiLoader
    return qt
