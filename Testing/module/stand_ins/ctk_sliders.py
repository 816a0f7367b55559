"""ctk's slider with a spin box, and the parts it is made of."""

# ruff: noqa: N801, N802, N815, RUF012

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSizePolicy, QSlider, QWidget

from .pythonqt import seal


@seal
class ctkDoubleSpinBox(QDoubleSpinBox):
    """A spin box of floating-point numbers."""


@seal
class ctkDoubleSlider(QWidget):
    """A slider of floating-point numbers over Qt's slider of whole steps.

    A value set from code is kept exactly, off the steps too; the mouse and the keys move by whole steps.
    """

    valueChanged = Signal(float)
    sliderMoved = Signal(float)
    sliderPressed = Signal()
    sliderReleased = Signal()
    rangeChanged = Signal(float, float)
    cpp_signals = {
        "valueChanged(double)": "valueChanged",
        "sliderMoved(double)": "sliderMoved",
        "rangeChanged(double,double)": "rangeChanged",
    }

    def __init__(self, *arguments):
        orientation = arguments[0] if arguments and isinstance(arguments[0], Qt.Orientation) else Qt.Horizontal
        parents = [a for a in arguments if not isinstance(a, Qt.Orientation)]
        super().__init__(*parents)
        self._minimum, self._maximum, self._single_step, self._page_step = 0.0, 99.0, 1.0, 10.0
        self._value = 0.0
        self._updating = False
        self._qt_slider = QSlider(orientation, self)
        self._qt_slider.setObjectName("SliderWidget")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._qt_slider)
        self.setFocusProxy(self._qt_slider)
        self._qt_slider.connect("valueChanged(int)", self._on_position)
        self._qt_slider.connect("sliderMoved(int)", lambda p: self.sliderMoved.emit(self._from_position(p)))
        self._qt_slider.connect("sliderPressed()", self.sliderPressed.emit)
        self._qt_slider.connect("sliderReleased()", self.sliderReleased.emit)
        self._update_slider()

    def _from_position(self, position: int) -> float:
        return min(self._minimum + position * self._single_step, self._maximum)

    def _on_position(self, position: int) -> None:
        if not self._updating:
            self._set(self._from_position(position))

    def _update_slider(self) -> None:
        self._updating = True
        step = self._single_step
        self._qt_slider.setRange(0, round((self._maximum - self._minimum) / step))
        self._qt_slider.setPageStep(max(1, round(self._page_step / step)))
        self._qt_slider.setValue(round((self._value - self._minimum) / step))
        self._updating = False

    def _set(self, value: float) -> None:
        value = min(max(float(value), self._minimum), self._maximum)
        changed = value != self._value
        self._value = value
        self._update_slider()
        if changed:
            self.valueChanged.emit(value)

    def setValue(self, value):
        self._set(value)

    def setRange(self, minimum, maximum):
        self._minimum, self._maximum = float(minimum), max(float(minimum), float(maximum))
        self._set(self._value)
        self.rangeChanged.emit(self._minimum, self._maximum)

    def setMinimum(self, minimum):
        self.setRange(minimum, max(minimum, self._maximum))

    def setMaximum(self, maximum):
        self.setRange(min(maximum, self._minimum), maximum)

    def setSingleStep(self, step):
        if step <= 0:
            raise ValueError(f"A slider's step is above 0, not {step}.")
        self._single_step = float(step)
        self._update_slider()

    def setPageStep(self, step):
        self._page_step = float(step)
        self._update_slider()

    def setOrientation(self, orientation):
        self._qt_slider.setOrientation(orientation)

    def setTickInterval(self, interval):
        self._qt_slider.setTickInterval(round(interval / self._single_step))

    def setTickPosition(self, position):
        self._qt_slider.setTickPosition(position)

    def isSliderDown(self):
        return self._qt_slider.sliderDown

    value = Property(float, lambda self: self._value, setValue)
    minimum = Property(float, lambda self: self._minimum, setMinimum)
    maximum = Property(float, lambda self: self._maximum, setMaximum)
    singleStep = Property(float, lambda self: self._single_step, setSingleStep)
    pageStep = Property(float, lambda self: self._page_step, setPageStep)
    sliderDown = Property(bool, isSliderDown)
    orientation = Property(Qt.Orientation, lambda self: self._qt_slider.orientation, setOrientation)


@seal
class ctkSliderWidget(QWidget):
    """A slider and a spin box that show one value, rounded to `decimals`.

    Without `tracking`, `valueChanged` waits for the mouse button's release, and `valueIsChanging` tells meanwhile.
    """

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    cpp_signals = {
        "valueChanged(double)": "valueChanged",
        "valueIsChanging(double)": "valueIsChanging",
    }

    def __init__(self, parent=None):
        super().__init__(parent)
        self._decimals, self._tracking, self._updating = 2, True, False
        self._value = self._announced = 0.0
        self._slider, self._spin_box = ctkDoubleSlider(Qt.Horizontal, self), ctkDoubleSpinBox(self)
        self._slider.setObjectName("Slider")
        self._spin_box.setObjectName("SpinBox")
        self._spin_box.setRange(0, 99)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin_box)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.setFocusProxy(self._slider)
        self._slider.connect("valueChanged(double)", self._from_part)
        self._slider.connect("sliderReleased()", self._released)
        self._spin_box.connect("valueChanged(double)", self._from_part)

    def slider(self):
        return self._slider

    def spinBox(self):
        return self._spin_box

    def _from_part(self, value: float) -> None:
        if not self._updating:
            self._set(value, by_hand=True)

    def _released(self) -> None:
        self._announce()

    def _announce(self) -> None:
        if self._announced != self._value:
            self._announced = self._value
            self.valueChanged.emit(self._value)

    def _set(self, value: float, by_hand: bool = False) -> None:
        value = min(max(round(float(value), self._decimals), self._slider.minimum), self._slider.maximum)
        changed = value != self._value
        self._value = value
        self._updating = True
        self._slider.setValue(value)
        self._spin_box.setValue(value)
        self._updating = False
        dragging = by_hand and self._slider.isSliderDown()
        if changed and dragging:
            self.valueIsChanging.emit(value)
        if self._tracking or not dragging:
            self._announce()

    def setValue(self, value):
        self._set(value)

    def reset(self):
        self._set(0.0)

    def setRange(self, minimum, maximum):
        self._updating = True
        self._slider.setRange(minimum, maximum)
        self._spin_box.setRange(minimum, maximum)
        self._updating = False
        self._set(self._value)

    def setMinimum(self, minimum):
        self.setRange(minimum, max(minimum, self._slider.maximum))

    def setMaximum(self, maximum):
        self.setRange(min(maximum, self._slider.minimum), maximum)

    def setSingleStep(self, step):
        self._slider.setSingleStep(step)
        self._spin_box.setSingleStep(step)

    def setPageStep(self, step):
        self._slider.setPageStep(step)

    def setDecimals(self, decimals):
        self._decimals = int(decimals)
        self._updating = True
        self._spin_box.setDecimals(self._decimals)
        self._updating = False
        self._set(self._value)

    def setTracking(self, tracking):
        self._tracking = bool(tracking)

    def setPrefix(self, prefix):
        self._spin_box.setPrefix(prefix)

    def setSuffix(self, suffix):
        self._spin_box.setSuffix(suffix)

    def setSpinBoxVisible(self, visible):
        self._spin_box.setVisible(visible)

    def setTickInterval(self, interval):
        self._slider.setTickInterval(interval)

    def setTickPosition(self, position):
        self._slider.setTickPosition(position)

    def setOrientation(self, orientation):
        self._slider.setOrientation(orientation)

    value = Property(float, lambda self: self._value, setValue)
    minimum = Property(float, lambda self: self._slider.minimum, setMinimum)
    maximum = Property(float, lambda self: self._slider.maximum, setMaximum)
    singleStep = Property(float, lambda self: self._slider.singleStep, setSingleStep)
    pageStep = Property(float, lambda self: self._slider.pageStep, setPageStep)
    decimals = Property(int, lambda self: self._decimals, setDecimals)
    tracking = Property(bool, lambda self: self._tracking, setTracking)
    prefix = Property(str, lambda self: self._spin_box.prefix, setPrefix)
    suffix = Property(str, lambda self: self._spin_box.suffix, setSuffix)
    spinBoxVisible = Property(bool, lambda self: not self._spin_box.isHidden(), setSpinBoxVisible)
    orientation = Property(Qt.Orientation, lambda self: self._slider.orientation, setOrientation)
    tickInterval = Property(
        float, lambda self: self._slider._qt_slider.tickInterval * self._slider.singleStep, setTickInterval
    )
    tickPosition = Property(QSlider.TickPosition, lambda self: self._slider._qt_slider.tickPosition, setTickPosition)
