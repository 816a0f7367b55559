"""Qt's loader of `.ui` files, made as strict as a reader of the file would be."""

import xml.etree.ElementTree as ElementTree

from PySide6 import QtWidgets
from PySide6.QtCore import QBuffer, QObject
from PySide6.QtUiTools import QUiLoader as PlainLoader

from . import ctk_module, qmrml_widgets
from .pythonqt import connect, dropping_new_attributes, property_names

_CUSTOM = ctk_module.USABLE | qmrml_widgets.USABLE
#: What Designer writes for a rule between widgets rather than a widget.
_NOT_WIDGETS = {"Line": "QFrame"}


class UiFileError(RuntimeError):
    """A `.ui` file names something that these stand-ins, or Slicer, would not have."""


class QUiLoader:
    """`qt.QUiLoader`: loads Qt's widgets and the stand-ins; raises UiFileError on any other class or property."""

    def load(self, device, parent=None):
        root = ElementTree.fromstring(bytes(device.readAll()))
        connections = _take_connections(root)
        for element in root.iter("widget"):
            _check_widget(element)
        loader = PlainLoader()
        for cls in _CUSTOM.values():
            loader.registerCustomWidget(cls)
        buffer = QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QBuffer.ReadOnly)
        with dropping_new_attributes():
            widget = loader.load(buffer, parent)
        if widget is None:
            raise UiFileError(loader.errorString())
        for sender, signal, receiver, slot in connections:
            _connect(_named(widget, sender), signal, _named(widget, receiver), slot)
        return widget


def widget_class(name: str) -> type:
    """The class of that name in a `.ui` file; UiFileError if there is none here."""
    name = _NOT_WIDGETS.get(name, name)
    cls = _CUSTOM.get(name) or (getattr(QtWidgets, name, None) if name.startswith("Q") else None)
    if not (isinstance(cls, type) and issubclass(cls, QtWidgets.QWidget)):
        raise UiFileError(f"The .ui file names a widget class that isn't there: {name}.")
    return cls


def _check_widget(element: ElementTree.Element) -> None:
    cls = widget_class(element.get("class"))
    known = property_names(cls)
    if cls is QtWidgets.QFrame and element.get("class") == "Line":
        return
    for declared in element.findall("property"):
        name = declared.get("name")
        if name not in known and declared.get("stdset") != "0":
            raise UiFileError(f"{cls.__name__} {element.get('name')!r} has no property {name!r}.")


def _take_connections(root: ElementTree.Element) -> list[tuple[str, str, str, str]]:
    """Qt's loader drops a connection that it can't make, so they are all made here."""
    section = root.find("connections")
    if section is None:
        return []
    root.remove(section)
    return [tuple(c.findtext(part) for part in ("sender", "signal", "receiver", "slot")) for c in section]


def _named(widget, name: str) -> QObject:
    found = widget if widget.objectName == name else widget.findChild(QObject, name)
    if found is None:
        raise UiFileError(f"A connection in the .ui file names {name!r}, which isn't in it.")
    return found


def _connect(sender, signal: str, receiver, slot: str) -> None:
    method = getattr(receiver, slot.split("(")[0], None)
    if method is None:
        raise UiFileError(f"{receiver.className()} {receiver.objectName!r} has no slot {slot}.")
    connect(sender, signal, method)
