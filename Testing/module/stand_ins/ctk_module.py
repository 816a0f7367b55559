"""The `ctk` module that a Slicer module imports."""

import types

from PySide6.QtWidgets import QCheckBox, QComboBox, QPushButton, QWidget

from .ctk_collapsible_button import ctkCollapsibleButton
from .ctk_sliders import ctkDoubleSlider, ctkDoubleSpinBox, ctkSliderWidget
from .dialogs import ctkMessageBox
from .pythonqt import seal

#: ctk's name -> the Qt widget whose behaviour it shares.
_LIKE_QT = {"ctkCheckBox": QCheckBox, "ctkComboBox": QComboBox, "ctkPushButton": QPushButton}
#: Classes that Slicer's Python code names, to tell widgets apart; nothing here can show what they do.
_NAMED_ONLY = (
    "ctkCheckablePushButton",
    "ctkCollapsibleGroupBox",
    "ctkColorPickerButton",
    "ctkCoordinatesWidget",
    "ctkDirectoryButton",
    "ctkDoubleRangeSlider",
    "ctkExpandableWidget",
    "ctkFittedTextBrowser",
    "ctkMatrixWidget",
    "ctkPathLineEdit",
    "ctkRangeSlider",
    "ctkRangeWidget",
)


def _refuse(self, *_):
    raise NotImplementedError(f"{type(self).__name__} has no stand-in in these tests.")


def named_only(name: str) -> type:
    """A widget class that can be named, in `isinstance` for one, but not made."""
    return seal(type(name, (QWidget,), {"__init__": _refuse}))


#: The classes that a `.ui` file may name.
USABLE = {
    "ctkCollapsibleButton": ctkCollapsibleButton,
    "ctkDoubleSlider": ctkDoubleSlider,
    "ctkDoubleSpinBox": ctkDoubleSpinBox,
    "ctkSliderWidget": ctkSliderWidget,
} | {name: seal(type(name, (base,), {})) for name, base in _LIKE_QT.items()}


def make_ctk() -> types.ModuleType:
    ctk = types.ModuleType("ctk", "A stand-in for Slicer's ctk module.")
    vars(ctk).update(USABLE, ctkMessageBox=ctkMessageBox)
    vars(ctk).update({name: named_only(name) for name in _NAMED_ONLY})
    return ctk
