"""Dataclasses from tables of a TOML file: every name known, every value of its field's type."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from inference_core.errors import InputError

_T = TypeVar("_T")


def _range(value: Mapping[str, Any], where: str) -> list[int]:
    """Whole numbers written as a table with "from", "to" and, if it is not 1, "step"."""
    parts = {"step": 1, **value}
    numbers = all(type(part) is int for part in parts.values())
    if set(parts) != {"from", "to", "step"} or not numbers or parts["step"] < 1 or parts["from"] > parts["to"]:
        raise InputError(f"{where}: write a range as {{ from = 8, to = 32 }}, or with a step of at least 1.")
    return list(range(parts["from"], parts["to"] + 1, parts["step"]))


def _converted(value: Any, wanted: Any, where: str) -> Any:
    origin, own = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return _converted(value, next(option for option in own if option is not type(None)), where)
    if origin is tuple:
        value = _range(value, where) if isinstance(value, Mapping) else value
        endless = own[-1] is Ellipsis
        if not isinstance(value, list) or (not endless and len(value) != len(own)):
            count = "a list" if endless else f"a list of {len(own)}"
            raise InputError(f"{where} is {value!r}: {count} is expected.")
        kinds = [own[0]] * len(value) if endless else own
        return tuple(_converted(part, kind, where) for part, kind in zip(value, kinds, strict=True))
    if is_dataclass(wanted):
        if not isinstance(value, Mapping):
            raise InputError(f"{where} is {value!r}: a table is expected.")
        return read_table(wanted, value, where)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise InputError(f"{where} is {value!r}: a value of type {wanted.__name__} is expected.")
    return value


def read_table(kind: type[_T], table: Mapping[str, Any], where: str, **given: Any) -> _T:
    """A dataclass whose fields a table names; those that it does not name keep their defaults.

    Args:
        kind: the dataclass; fields of int, float, str, bool, tuples of these, other such dataclasses, and any of these
            or None.
        table: as a TOML file holds it.
        where: the table's name, for errors.
        given: fields that are not the table's to say.

    Raises:
        InputError: for a name that is unknown, a value of another type, or a field that is missing; and as the
            dataclass itself.
    """
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind) if field.name not in given]
    for name in table:
        if name not in names:
            raise InputError(f"{where} has an unknown entry '{name}': it may have {', '.join(names)}.")
    required = [
        field.name
        for field in fields(kind)
        if field.name in names and field.default is MISSING and field.default_factory is MISSING
    ]
    for name in required:
        if name not in table:
            raise InputError(f"{where} lacks the entry '{name}'.")
    values = {name: _converted(value, hints[name], f"{where}.{name}") for name, value in table.items()}
    try:
        return kind(**values, **given)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
