"""PySide6's types made to behave as PythonQt presents them in Slicer.

What PythonQt does and PySide6 does not: Qt properties are attributes, so `button.text()` fails; unknown
attributes are rejected; `connect("signal(args)", f)`; a slot gets as many arguments as it takes; `className()`,
`name`, `exec_()`, `delete()`. The types are changed in place, so objects that Qt itself makes behave the same.
"""

import contextlib
import ctypes
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets

#: Virtual methods: Qt calls a Python attribute of this name as a method.
_VIRTUAL = {"sizeHint", "minimumSizeHint"}
#: Types that reject attributes that they don't declare, as C++ objects do under PythonQt.
_sealed: set[type] = set()
#: Qt's own types. Read once: PySide6 may let go of a meta-object that Python still holds.
_native: dict[type, "NativeType"] = {}
#: Above 0, new attributes are dropped without an error.
_dropping = 0
#: (C++ address, signal) -> [(what the caller connected, what Qt was given)]
_connections: dict[tuple[int, str], list[tuple[Callable, object]]] = {}

_plain_getattribute = QtCore.QObject.__getattribute__
_plain_connect = QtCore.QObject.connect
_plain_disconnect = QtCore.QObject.disconnect
_SignalInstance = QtCore.SignalInstance


@dataclass(frozen=True)
class NativeType:
    """What Qt's meta-object says of a type: its properties, and its signals' signatures, more arguments first."""

    properties: tuple[str, ...]
    signals: tuple[str, ...]


class QtProperty:
    """A Q_PROPERTY as an attribute; on the class it is still the method of the same name, if there is one."""

    def __init__(self, name: str, owner: type, writable: bool):
        self.name, self.writable = name, writable
        capital = name[0].upper() + name[1:]
        self.on_class = owner.__dict__.get(name)
        self.getter = self._method(owner, name, f"is{capital}", f"has{capital}")
        self.setter = self._method(owner, f"set{capital}")

    @staticmethod
    def _method(owner: type, *names: str):
        for name in names:
            found = owner.__dict__.get(name)
            if found is not None and callable(found) and not isinstance(found, staticmethod | QtProperty):
                return found
        return None

    def __get__(self, instance, owner):
        if instance is None:
            if self.on_class is None:
                raise AttributeError(f"type object {owner.__name__!r} has no attribute {self.name!r}")
            return self.on_class.__get__(None, owner) if hasattr(self.on_class, "__get__") else self.on_class
        if self.getter is not None:
            try:
                return self.getter(instance)
            except TypeError:  # a method of the same name that takes arguments
                pass
        return QtCore.QObject.property(instance, self.name)

    def __set__(self, instance, value):
        if not self.writable:
            raise AttributeError(f"Property {self.name!r} of {type(instance).__name__} can't be written.")
        if self.setter is None:
            if not QtCore.QObject.setProperty(instance, self.name, value):
                raise TypeError(f"Property {self.name!r} of {type(instance).__name__} doesn't take {value!r}.")
            return
        try:
            self.setter(instance, value)
        except TypeError:
            current = self.__get__(instance, type(instance))
            if not isinstance(value, int) or not hasattr(type(current), "__members__"):
                raise
            self.setter(instance, type(current)(value))  # PythonQt takes enumerators as plain integers


class BoundSignal:
    """`object.signal`: connects with PythonQt's rules."""

    def __init__(self, instance, name: str, signal):
        self._instance, self._name, self._signal = instance, name, signal

    def connect(self, function: Callable) -> bool:
        return connect(self._instance, self._full_name(), function)

    def disconnect(self, *function: Callable) -> bool:
        return disconnect(self._instance, self._full_name(), *function)

    def emit(self, *arguments) -> None:
        self._signal.emit(*arguments)

    __call__ = emit

    def _full_name(self) -> str:
        cls = type(self._instance)
        for declared in _python_signals(cls):
            if declared.split("(")[0] == self._name:
                return declared
        for declared in _native[_native_type(cls)].signals:
            if declared.split("(")[0] == self._name:
                return declared
        raise AttributeError(f"{cls.__name__} has no signal {self._name!r}.")


def _native_type(cls: type) -> type:
    """The nearest of Qt's own types."""
    return next(base for base in cls.__mro__ if base in _native)


def property_names(cls: type) -> set[str]:
    """The Qt properties of a widget class, Qt's own or a stand-in."""
    names = set(_native[_native_type(cls)].properties)
    for base in cls.__mro__:
        names |= {name for name, member in vars(base).items() if isinstance(member, QtCore.Property)}
    return names


def _python_signals(cls: type) -> dict[str, str]:
    """The signals of Python classes: signature -> attribute."""
    signals = {}
    for base in reversed(cls.__mro__):
        if base not in _native:
            for name, member in vars(base).items():
                if isinstance(member, QtCore.Signal):
                    signals[_normalized(str(member))] = name
    signals.update({_normalized(cpp): python for cpp, python in declared_signals(cls).items()})
    return signals


def declared_signals(cls: type) -> dict[str, str]:
    """A stand-in widget's signals with C++ arguments that Qt can't know here: C++ signature -> Python signal."""
    signals = {}
    for base in reversed(cls.__mro__):
        signals.update(base.__dict__.get("cpp_signals", {}))
    return signals


def seal(cls: type) -> type:
    """Make a stand-in widget reject unknown public attributes, as the C++ widget does. A class decorator."""
    _sealed.add(cls)
    return cls


@contextlib.contextmanager
def dropping_new_attributes() -> Iterator[None]:
    """While PySide6's loader of `.ui` files works: it would make each named widget an attribute of the root."""
    global _dropping
    _dropping += 1
    try:
        yield
    finally:
        _dropping -= 1


def _argument_limit(function: Callable) -> int | None:
    """How many positional arguments a function takes; None if that can't be told or there is no limit."""
    if not (inspect.isfunction(function) or inspect.ismethod(function) or hasattr(function, "func")):
        return None
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _slot(function: Callable) -> Callable:
    if inspect.isbuiltin(function) or inspect.ismethoddescriptor(function):

        def call(*arguments):
            for count in range(len(arguments), 0, -1):
                try:
                    return function(*arguments[:count])
                except TypeError:
                    continue
            return function()

        return call
    limit = _argument_limit(function)
    return lambda *arguments: function(*arguments[:limit])


def _normalized(signal: str) -> str:
    return bytes(QtCore.QMetaObject.normalizedSignature(signal)).decode()


def _address(instance) -> int:
    return shiboken6.getCppPointer(instance)[0]


def connect(instance, signal: str, receiver, slot: str | None = None) -> bool:
    """Connect `signal`, written as in C++, to a function, or to the `receiver`'s slot of that name.

    Raises ValueError if the object has no such signal, TypeError if the receiver can't be called.
    """
    function = receiver if slot is None else getattr(receiver, slot.split("(")[0])
    if not callable(function):
        raise TypeError(f"{signal} can't be connected to {function!r}, which can't be called.")
    name = _normalized(signal)
    key = (_address(instance), name)
    target = _slot(function)
    own = _python_signals(type(instance))
    if name in own:
        _plain_getattribute(instance, own[name]).connect(target)
    elif name in _native[_native_type(type(instance))].signals:
        _plain_connect(instance, QtCore.SIGNAL(name), target)
    else:
        raise ValueError(f"{type(instance).__name__} has no signal {signal}.")
    if not any(address == key[0] for address, _ in _connections):
        _plain_connect(instance, QtCore.SIGNAL("destroyed()"), lambda address=key[0]: _forget(address))
    _connections.setdefault(key, []).append((function, target))
    return True


def disconnect(instance, signal: str | None = None, *receiver) -> bool:
    """Undo `connect`. Without a receiver, all Python functions of the signal; without a signal, of the object."""
    address = _address(instance)
    names = [name for a, name in _connections if a == address] if signal is None else [_normalized(signal)]
    function = (
        receiver[0] if len(receiver) == 1 else getattr(receiver[0], receiver[1].split("(")[0]) if receiver else None
    )
    own = _python_signals(type(instance))
    found = False
    for name in names:
        kept = []
        for connected, target in _connections.get((address, name), []):
            if function is not None and connected != function:
                kept.append((connected, target))
                continue
            found = True
            if name in own:
                _plain_getattribute(instance, own[name]).disconnect(target)
            else:
                _plain_disconnect(instance, QtCore.SIGNAL(name), target)
        _connections[address, name] = kept
    return found


def _forget(address: int) -> None:
    for key in [key for key in _connections if key[0] == address]:
        del _connections[key]


def _connect_method(instance):
    def method(*arguments):
        if isinstance(arguments[0], QtCore.QObject):  # PySide6 itself calls it so, inside QTimer.singleShot
            return _plain_connect(*arguments)
        return connect(instance, *arguments)

    return method


def _disconnect_method(instance):
    return lambda *arguments: disconnect(instance, *arguments)


def _find_children(instance):
    plain = _plain_getattribute(instance, "findChildren")

    def find_children(kind=QtCore.QObject, name: str = ""):
        """Children of a class, given as a type or as a class name, with an object name."""
        if isinstance(kind, str):
            return [
                child
                for child in plain(QtCore.QObject)
                if (child.className() == kind or child.inherits(kind)) and name in ("", child.objectName)
            ]
        return plain(kind, name) if name else plain(kind)

    return find_children


def _find_child(instance):
    return lambda *arguments: next(iter(_find_children(instance)(*arguments)), None)


def _class_name(cls: type) -> str:
    """The C++ class's name; a Python class goes by the C++ class that it extends."""
    return next(base for base in cls.__mro__ if base in _sealed).__name__


#: What PythonQt adds to, or does otherwise with, every QObject.
_SPECIAL = {
    "connect": _connect_method,
    "disconnect": _disconnect_method,
    "findChildren": _find_children,
    "findChild": _find_child,
    "name": lambda instance: instance.objectName,
    "className": lambda instance: lambda: _class_name(type(instance)),
    "delete": lambda instance: lambda: shiboken6.delete(instance),
}


def _getattribute(self, name: str):
    special = _SPECIAL.get(name)
    if special is not None and not (name == "name" and "name" in type(self).__dict__):
        return special(self)
    try:
        found = _plain_getattribute(self, name)
    except AttributeError:
        if not name.startswith("__") and name.encode() in [bytes(n) for n in self.dynamicPropertyNames()]:
            return QtCore.QObject.property(self, name)
        for signature, signal in declared_signals(type(self)).items():
            if signature.split("(")[0] == name:
                return BoundSignal(self, name, _plain_getattribute(self, signal))
        raise
    return BoundSignal(self, name, found) if type(found) is _SignalInstance else found


def _setattr(self, name: str, value) -> None:
    cls = type(self)
    if name == "name" and "name" not in cls.__dict__:
        name = "objectName"
    descriptor = next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), None)
    if isinstance(descriptor, QtCore.Property):
        if descriptor.fset is None:
            raise AttributeError(f"Property {name!r} of {cls.__name__} can't be written.")
        descriptor.fset(self, value)
    elif hasattr(type(descriptor), "__set__"):
        descriptor.__set__(self, value)
    elif cls not in _sealed or name.startswith("_") or type(value) is _SignalInstance:  # PySide6 keeps signals so
        self.__dict__[name] = value  # Python refuses the types' own __setattr__ once it has been replaced
    elif name.encode() in [bytes(n) for n in self.dynamicPropertyNames()]:
        QtCore.QObject.setProperty(self, name, value)
    elif not _dropping:
        raise AttributeError(
            f"Attribute {name!r} does not exist in {cls.__name__}; a Qt object can't be given new attributes."
        )


def _qt_types() -> list[type]:
    types = {QtCore.QObject}
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            found = getattr(module, name)
            if isinstance(found, type) and issubclass(found, QtCore.QObject):
                types.add(found)
    return sorted(types, key=lambda t: len(t.__mro__))


def _read(cls: type) -> NativeType:
    meta = cls.staticMetaObject
    methods = (meta.method(i) for i in range(meta.methodCount()))
    return NativeType(
        tuple(meta.property(i).name() for i in range(meta.propertyCount())),
        tuple(m.methodSignature().data().decode() for m in methods if m.methodType() == QtCore.QMetaMethod.Signal),
    )


def _make_properties(cls: type) -> None:
    meta = cls.staticMetaObject
    new = {}
    for i in range(meta.propertyCount()):
        declared = meta.property(i)
        name = declared.name()
        if name not in _VIRTUAL and (i >= meta.propertyOffset() or name in cls.__dict__):
            new[name] = QtProperty(name, cls, declared.isWritable())
    for name, attribute in new.items():
        setattr(cls, name, attribute)


def _keep_singletons_alive() -> None:
    """Make up for PySide6 6.12, which gives away a reference to None with each call that returns nothing.

    From Python 3.12 on None, True and False are immortal; before, the process aborts after some thousand calls.
    """
    if sys.version_info < (3, 12):
        for singleton in (None, True, False):
            ctypes.c_ssize_t.from_address(id(singleton)).value += 1 << 40


def install() -> None:
    """Change PySide6's types, once per process. Everything in the process that uses PySide6 sees the change."""
    if _native:
        return
    _keep_singletons_alive()
    types = _qt_types()
    _native.update({cls: _read(cls) for cls in types})
    _sealed.update(types)
    for cls in types:
        _make_properties(cls)
    for cls in types:
        cls.__setattr__ = _setattr
        if "exec" in dir(cls) and "exec_" not in dir(cls):
            cls.exec_ = cls.exec
    QtCore.QObject.__getattribute__ = _getattribute
