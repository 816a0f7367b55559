"""One parameter: its type, its checks, and how it is kept in the parameter node."""

import enum
import pathlib
import types
import typing
from dataclasses import dataclass

import slicer

from .annotations import Default, IsInstance, NotNone, Validator

_SIMPLE = {int: 0, float: 0.0, str: "", bool: False}
_TO_TEXT = {int: str, float: repr, str: str, bool: lambda value: "true" if value else "false"}
_FROM_TEXT = {int: int, float: float, str: str, bool: lambda text: text == "true"}


@dataclass(frozen=True)
class Parameter:
    """`types`: what it may be, one kind of value or several node classes; `optional`: it may also be None."""

    name: str
    types: tuple[type, ...]
    optional: bool
    annotations: tuple
    default_holder: Default

    @property
    def type(self) -> type:
        return self.types[0]

    @property
    def is_node(self) -> bool:
        return issubclass(self.type, slicer.vtkMRMLNode)

    @property
    def default(self):
        return self.default_holder.value

    def annotation(self, *kinds):
        """The first annotation of one of these kinds, or None."""
        return next((a for a in self.annotations if isinstance(a, kinds)), None)

    def validate(self, value) -> None:
        """TypeError or ValueError if the value can't be kept."""
        if value is None and (self.is_node or self.optional):
            checks = []
        elif self.is_node:
            checks = [IsInstance(self.types)]
        else:
            checks = [NotNone(), IsInstance((float, int) if self.type is float else self.type)]
        own = [a for a in self.annotations if isinstance(a, Validator)]
        for check in checks + own:
            check.validate(value)

    def write(self, node, value) -> None:
        if self.is_node:
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
        elif value is None:
            node.SetParameter(self.name, "None")
        else:
            node.SetParameter(self.name, self._to_text(value))

    def read(self, node):
        if self.is_node:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if self.optional and text == "None":
            return None
        if issubclass(self.type, enum.Enum):
            return self.type[text]
        if issubclass(self.type, pathlib.PurePath):
            return self.type(text)
        return _FROM_TEXT[self.type](text)

    def is_written(self, node) -> bool:
        if self.is_node:
            return node.GetNodeReferenceID(self.name) is not None
        return self.name in (node.GetParameterNames() or ())

    def _to_text(self, value) -> str:
        if isinstance(value, enum.Enum):
            return value.name
        if isinstance(value, pathlib.PurePath):
            return str(value)
        return _TO_TEXT[self.type](self.type(value))


def make_parameter(name: str, hint, assigned: Default | None) -> Parameter:
    """From a class attribute's annotation. NotImplementedError for a type without a stand-in."""
    annotations = ()
    if typing.get_origin(hint) is typing.Annotated:
        hint, *rest = typing.get_args(hint)
        annotations = tuple(rest)
    types_, optional = (hint,), False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = typing.get_args(hint)
        optional = type(None) in members
        types_ = tuple(m for m in members if m is not type(None))
    nodes = all(isinstance(t, type) and issubclass(t, slicer.vtkMRMLNode) for t in types_)
    simple = len(types_) == 1 and isinstance(types_[0], type)
    if simple and not nodes:
        simple = types_[0] in _SIMPLE or issubclass(types_[0], enum.Enum | pathlib.PurePath)
    if not (nodes or simple):
        raise NotImplementedError(f"The tests' parameter node has no stand-in for {name}: {hint}.")
    given = assigned or next((a for a in annotations if isinstance(a, Default)), None)
    if given is None:
        given = Default(None if nodes or optional else _implicit_default(types_[0]))
    return Parameter(name, types_, optional, annotations, given)


def _implicit_default(kind: type):
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    return next(iter(kind)) if issubclass(kind, enum.Enum) else kind()
