"""The decorator that makes a class of annotations a typed view of a parameter node."""

# ruff: noqa: N802, N803

import itertools
import typing

import qt
import slicer
import vtk

from .annotations import Default
from .connectors import find_connector
from .parameters import Parameter, make_parameter


class _Connection:
    """Widgets tied to parameters, both ways, until `stop`."""

    def __init__(self, wrapper, widgets: dict):
        self._wrapper = wrapper
        self._ties = []
        self._updating = False
        for name, widget in widgets.items():
            parameter = wrapper.parameters[name]
            connector = find_connector(widget, parameter)
            connector.prepare(widget, parameter)
            slot = self._slot(name, widget, connector)
            self._ties.append((name, widget, connector, slot))
        self._update_widgets()
        for _, widget, connector, slot in self._ties:
            if connector.signal is not None:
                widget.connect(connector.signal, slot)
        self._tag = wrapper.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, self._update_widgets)

    def _slot(self, name, widget, connector):
        def changed(*_):
            if not self._updating:
                self._wrapper.setValue(name, connector.read(widget))

        return changed

    def _update_widgets(self, *_) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            for name, widget, connector, _ in self._ties:
                value = self._wrapper.getValue(name)
                if connector.read(widget) != value:
                    connector.write(widget, value)
        finally:
            self._updating = False

    def stop(self) -> None:
        self._wrapper.parameterNode.RemoveObserver(self._tag)
        for _, widget, connector, slot in self._ties:
            if connector.signal is not None:
                widget.disconnect(connector.signal, slot)


def parameterNodeWrapper(cls):
    """Give a class of annotations a constructor from a vtkMRMLScriptedModuleNode, and typed attributes."""
    hints = typing.get_type_hints(cls, include_extras=True)
    assigned = {name: Default(vars(cls)[name]) for name in hints if name in vars(cls)}
    parameters = {name: make_parameter(name, hint, assigned.get(name)) for name, hint in hints.items()}

    def _property(name):
        return property(lambda self: self.getValue(name), lambda self, value: self.setValue(name, value))

    members = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    members.update({name: _property(name) for name in parameters})
    members["parameters"] = parameters
    return type(cls.__name__, (_Wrapper,), members)


class _Wrapper:
    parameters: typing.ClassVar[dict[str, Parameter]] = {}

    def __init__(self, parameterNode, prefix=None):
        if prefix:
            raise NotImplementedError("Prefixed parameter nodes have no stand-in in these tests.")
        if not isinstance(parameterNode, slicer.vtkMRMLScriptedModuleNode):
            raise TypeError(f"A parameter node is needed, not {parameterNode!r}.")
        self.__dict__.update(parameterNode=parameterNode, _cache={}, _connections={}, _tags=itertools.count())
        for name, parameter in self.parameters.items():
            if not parameter.is_written(parameterNode) and not (parameter.is_node and parameter.default is None):
                self.setValue(name, parameter.default)

    def __setattr__(self, name, value):
        if name not in self.parameters and not hasattr(type(self), name) and not name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no parameter {name!r}.")
        object.__setattr__(self, name, value)

    def getValue(self, name):
        parameter = self.parameters[name]
        if parameter.is_node:
            return parameter.read(self.parameterNode)
        if name not in self._cache:
            self._cache[name] = parameter.read(self.parameterNode)
        return self._cache[name]

    def setValue(self, name, value):
        parameter = self.parameters[name]
        parameter.validate(value)
        self._cache.pop(name, None)
        parameter.write(self.parameterNode, value)

    def default(self, name):
        return self.parameters[name].default_holder

    def dataType(self, name):
        return self.parameters[name].type

    def isCached(self, name):
        return name in self._cache

    # As the parameter node itself

    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        return self.parameterNode.RemoveObserver(tag)

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, was_modifying):
        return self.parameterNode.EndModify(was_modifying)

    def Modified(self):
        return self.parameterNode.Modified()

    # Widgets

    def connectGui(self, gui):
        """Tie the widgets whose property `SlicerParameterName` names a parameter. Returns a tag for `disconnectGui`."""
        widgets = {}
        for widget in slicer.util.findChildren(gui) if isinstance(gui, qt.QWidget) else vars(gui).values():
            name = widget.property("SlicerParameterName") if hasattr(widget, "property") else None
            if name:
                if name not in self.parameters:
                    raise ValueError(f"A widget names the parameter {name!r}, which {type(self).__name__} lacks.")
                widgets[name] = widget
        return self.connectParametersToGui(widgets)

    def connectParametersToGui(self, mapping):
        tag = next(self._tags)
        self._connections[tag] = _Connection(self, mapping)
        return tag

    def disconnectGui(self, tag):
        self._connections.pop(tag).stop()
