"""How a widget shows a parameter, and tells when it is changed there."""

import enum
import pathlib
from collections.abc import Callable
from dataclasses import dataclass

import ctk
import qt
import slicer

from .annotations import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange
from .parameters import Parameter


@dataclass(frozen=True)
class Connector:
    """`signal`: tells that the widget's value changed; None where a widget only shows."""

    signal: str | None
    read: Callable
    write: Callable
    prepare: Callable = lambda widget, parameter: None


def _prepare_number(widget, parameter: Parameter) -> None:
    decimals = parameter.annotation(Decimals)
    if decimals is not None:
        widget.setDecimals(decimals.value)
    step = parameter.annotation(SingleStep)
    if step is not None:
        widget.setSingleStep(step.value)
    for kinds, attribute, setter in (
        ((Minimum, WithinRange), "minimum", widget.setMinimum),
        ((Maximum, WithinRange), "maximum", widget.setMaximum),
    ):
        limit = parameter.annotation(*kinds)
        if limit is not None:
            setter(getattr(limit, attribute))


def _choices(parameter: Parameter) -> list:
    if issubclass(parameter.type, enum.Enum):
        return list(parameter.type)
    return parameter.annotation(Choice).choices


def _choice_text(choice) -> str:
    if isinstance(choice, enum.Enum):
        return choice.label() if hasattr(choice, "label") else choice.name
    return str(choice)


def _choice(parameter: Parameter) -> Connector:
    def prepare(widget, _):
        with qt.QSignalBlocker(widget):
            widget.clear()
            for choice in _choices(parameter):
                widget.addItem(_choice_text(choice))

    return Connector(
        "currentIndexChanged(int)",
        lambda widget: _choices(parameter)[widget.currentIndex],
        lambda widget, value: widget.setCurrentIndex(_choices(parameter).index(value)),
        prepare,
    )


_VALUE = Connector("valueChanged(double)", lambda w: w.value, lambda w, v: w.setValue(v), _prepare_number)
_WHOLE = Connector("valueChanged(int)", lambda w: w.value, lambda w, v: w.setValue(v), _prepare_number)
_CHECKED = Connector("toggled(bool)", lambda w: w.checked, lambda w, v: w.setChecked(v))
_LINE = Connector("textChanged(QString)", lambda w: w.text, lambda w, v: w.text == v or w.setText(v))
_TEXT = Connector("textChanged()", lambda w: w.toPlainText(), lambda w, v: w.toPlainText() == v or w.setPlainText(v))
_SHOWN = Connector(None, lambda w: w.text, lambda w, v: w.setText(v))
_NODE = Connector("currentNodeChanged(vtkMRMLNode*)", lambda w: w.currentNode(), lambda w, v: w.setCurrentNode(v))


def find_connector(widget, parameter: Parameter) -> Connector:
    """The way to connect them; NotImplementedError if there is none here."""
    kind = parameter.type
    chosen = issubclass(kind, enum.Enum) or parameter.annotation(Choice) is not None
    candidates = (
        (isinstance(widget, slicer.qMRMLNodeComboBox) and parameter.is_node, _NODE),
        (isinstance(widget, qt.QComboBox) and chosen, None),
        (isinstance(widget, qt.QCheckBox | qt.QPushButton) and kind is bool, _CHECKED),
        (isinstance(widget, ctk.ctkSliderWidget | ctk.ctkDoubleSlider | qt.QDoubleSpinBox) and kind is float, _VALUE),
        (isinstance(widget, qt.QSlider | qt.QSpinBox) and kind is int, _WHOLE),
        (isinstance(widget, qt.QLineEdit) and kind is str, _LINE),
        (isinstance(widget, qt.QTextEdit) and kind is str, _TEXT),
        (isinstance(widget, qt.QLabel) and kind is str, _SHOWN),
    )
    for fits, connector in candidates:
        if fits:
            return connector or _choice(parameter)
    path = issubclass(kind, pathlib.PurePath)
    raise NotImplementedError(
        f"Nothing here connects {widget.className()} to {parameter.name}, a {'path' if path else kind.__name__}."
    )
