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


def _prepare_nodes(widget, parameter: Parameter) -> None:
    """The selector lists what the parameter takes. Slicer asks an instance of each class for its name."""
    widget.nodeTypes = [node_class().GetClassName() for node_class in parameter.types]


_NODE = Connector(
    "currentNodeChanged(vtkMRMLNode*)", lambda w: w.currentNode(), lambda w, v: w.setCurrentNode(v), _prepare_nodes
)


def find_connector(widget, parameter: Parameter) -> Connector:
    """The way to connect them; NotImplementedError if there is none here.

    As in Slicer, a widget's class has to be the very one that is known, not one that extends it.
    """
    kind, cls = parameter.type, type(widget)
    chosen = issubclass(kind, enum.Enum) or parameter.annotation(Choice) is not None
    number = kind in (float, int)
    bounded = parameter.annotation(WithinRange) or (parameter.annotation(Minimum) and parameter.annotation(Maximum))
    sliders = (ctk.ctkSliderWidget, slicer.qMRMLSliderWidget)
    if number and cls in sliders and not bounded:
        raise RuntimeError(f"Parameter {parameter.name} is unbounded: it can't be connected to {cls.__name__}.")
    candidates = (
        (cls is slicer.qMRMLNodeComboBox and parameter.is_node, _NODE),
        (cls in (qt.QComboBox, ctk.ctkComboBox) and chosen, None),
        (cls in (qt.QCheckBox, ctk.ctkCheckBox, qt.QPushButton) and kind is bool, _CHECKED),
        (cls in (*sliders, ctk.ctkDoubleSlider, qt.QDoubleSpinBox, ctk.ctkDoubleSpinBox) and kind is float, _VALUE),
        (cls in (qt.QSlider, qt.QSpinBox) and kind is int, _WHOLE),
        (cls is qt.QLineEdit and kind is str, _LINE),
        (cls is qt.QTextEdit and kind is str, _TEXT),
        (cls is qt.QLabel and kind is str, _SHOWN),
    )
    for fits, connector in candidates:
        if fits:
            return connector or _choice(parameter)
    path = issubclass(kind, pathlib.PurePath)
    raise NotImplementedError(
        f"Nothing here connects {widget.className()} to {parameter.name}, a {'path' if path else kind.__name__}."
    )
