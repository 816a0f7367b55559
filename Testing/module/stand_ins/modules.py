"""Loaded modules: `slicer.modules`, the module manager, and how Slicer makes a scripted module's panel."""

# ruff: noqa: N801, N802, N815

import importlib.util
import sys
from pathlib import Path

import slicer
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout

from .pythonqt import seal
from .qmrml_widgets import qSlicerWidget


class CoreModule:
    """One of Slicer's own modules: its logic only."""

    def __init__(self, name: str, get_logic):
        self.name, self._get_logic = name, get_logic

    def logic(self):
        return self._get_logic()


@seal
class qSlicerScriptedLoadableModule(QObject):
    """What Slicer gives a scripted module's class as `parent`, and keeps as `slicer.modules.<name>`."""

    def __init__(self, path: Path):
        super().__init__()
        self._path, self._name = path, path.stem
        self._text = {"title": "", "helpText": "", "acknowledgementText": ""}
        self._list = {"categories": [], "dependencies": [], "contributors": [], "associatedNodeTypes": []}
        self._icon, self._hidden, self._index = QIcon(), False, -1
        self._widget = None
        self._instance = None

    def load(self) -> None:
        """Run the module's file, as Slicer does when it starts, and make the module's object."""
        python_module = _run_module_file(self._path)
        setattr(slicer.modules, self._name.lower(), self)
        self._instance = getattr(python_module, self._name)(self)
        setattr(slicer.modules, f"{self._name}Instance", self._instance)
        if hasattr(self._instance, "setup"):
            self._instance.setup()

    def widgetRepresentation(self):
        """The module's panel; made on the first call, as in Slicer."""
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget(self)
            self._widget.reload()
        return self._widget

    def createNewWidgetRepresentation(self):
        widget = qSlicerScriptedLoadableModuleWidget(self)
        widget.reload()
        return widget

    def has_widget(self) -> bool:
        return self._widget is not None

    def drop_widget(self) -> None:
        """The panel's end: cleanup, then its widgets."""
        if self._widget is not None:
            self._widget.self().cleanup()
            self._widget.deleteLater()
            self._widget = None

    def self(self):
        return self._instance

    def _set(self, name, value):
        (self._text if name in self._text else self._list)[name] = value

    def _set_icon(self, icon):
        self._icon = icon

    def _set_hidden(self, hidden):
        self._hidden = hidden

    name = Property(str, lambda self: self._name)
    path = Property(str, lambda self: str(self._path))
    title = Property(str, lambda self: self._text["title"], lambda self, v: self._set("title", v))
    helpText = Property(str, lambda self: self._text["helpText"], lambda self, v: self._set("helpText", v))
    acknowledgementText = Property(
        str, lambda self: self._text["acknowledgementText"], lambda self, v: self._set("acknowledgementText", v)
    )
    categories = Property(list, lambda self: self._list["categories"], lambda self, v: self._set("categories", v))
    dependencies = Property(list, lambda self: self._list["dependencies"], lambda self, v: self._set("dependencies", v))
    contributors = Property(list, lambda self: self._list["contributors"], lambda self, v: self._set("contributors", v))
    associatedNodeTypes = Property(
        list, lambda self: self._list["associatedNodeTypes"], lambda self, v: self._set("associatedNodeTypes", v)
    )
    icon = Property(QIcon, lambda self: self._icon, _set_icon)
    hidden = Property(bool, lambda self: self._hidden, _set_hidden)


@seal
class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The panel's frame: `parent` of the Python widget class. Passes on setup, enter and exit."""

    def __init__(self, module):
        super().__init__()
        self._module, self._python = module, None
        self._entered = False
        self.setObjectName(f"{module.name}ModuleWidget")
        QVBoxLayout(self)

    def reload(self) -> None:
        """Make the Python widget anew from the loaded source, and set it up."""
        name = f"{self._module.name}Widget"
        self._python = getattr(sys.modules[self._module.name], name)(self)
        setattr(slicer.modules, name, self._python)
        self.setMRMLScene(slicer.mrmlScene)
        self._python.setup()

    def self(self):
        return self._python

    def module(self):
        return self._module

    def enter(self) -> None:
        self._entered = True
        self._python.enter()

    def exit(self) -> None:
        self._entered = False
        self._python.exit()

    def _is_entered(self):
        return self._entered

    isEntered = Property(bool, _is_entered)


def _run_module_file(path: Path):
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


class ModuleFactory:
    """`slicer.app.moduleManager().factoryManager()`."""

    def __init__(self, manager):
        self._manager = manager

    def loadedModuleNames(self):
        return tuple(self._manager.loaded)

    def isLoaded(self, name) -> bool:
        return name in self._manager.loaded


@seal
class qSlicerModuleManager(QObject):
    """The modules a session has loaded, and Slicer's own that have a logic here."""

    moduleAboutToBeUnloaded = Signal(str)
    moduleLoaded = Signal(str)

    def __init__(self):
        super().__init__()
        self._loaded = {}
        self._factory = ModuleFactory(self)

    @property
    def loaded(self) -> dict:
        return self._loaded

    def add_core(self, name: str, get_logic) -> None:
        self._loaded[name] = CoreModule(name, get_logic)
        setattr(slicer.modules, name.lower(), self._loaded[name])

    def load(self, path: Path) -> qSlicerScriptedLoadableModule:
        module = qSlicerScriptedLoadableModule(path)
        module.load()
        self._loaded[module.name] = module
        self.moduleLoaded.emit(module.name)
        return module

    def module(self, name):
        return self._loaded.get(name)

    def modulesNames(self):
        return tuple(self._loaded)

    def factoryManager(self):
        return self._factory
