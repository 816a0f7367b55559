"""`slicer.parameterNodeWrapper`: typed parameters over a MRML parameter node, as documented.

Parameters may be int, float, str, bool, pathlib.Path, an Enum, or a MRML node, each also optional. Lists, dicts,
parameter packs and `createGui` have no stand-in; any other type raises NotImplementedError.
"""

from .annotations import (
    Choice,
    Decimals,
    Default,
    Exclude,
    IsInstance,
    Label,
    Maximum,
    Minimum,
    NotNone,
    SingleStep,
    Validator,
    WithinRange,
)
from .wrapper import parameterNodeWrapper

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "IsInstance",
    "Label",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "Validator",
    "WithinRange",
    "parameterNodeWrapper",
]
