"""qMRML widgets that hand a scene on, and those that Slicer's Python code only names."""

# ruff: noqa: N801, N802, N815, RUF012

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QWidget

from .ctk_module import named_only
from .ctk_sliders import ctkSliderWidget
from .pythonqt import seal
from .qmrml_node_combo_box import qMRMLNodeComboBox


@seal
class qMRMLWidget(QWidget):
    """A widget with a scene; a panel's root, which hands the scene on to what is connected to it."""

    mrmlSceneChanged = Signal(object)
    cpp_signals = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


@seal
class qSlicerWidget(qMRMLWidget):
    """The same under the name that Slicer's own modules use."""


@seal
class qMRMLSliderWidget(ctkSliderWidget):
    """A slider that a scene's units could rule; the tests' scenes have no unit nodes."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._quantity = None, ""

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        self._scene = scene

    def setQuantity(self, quantity):
        self._quantity = quantity

    quantity = Property(str, lambda self: self._quantity, setQuantity)


#: The classes that a `.ui` file may name.
USABLE = {cls.__name__: cls for cls in (qMRMLNodeComboBox, qMRMLSliderWidget, qMRMLWidget, qSlicerWidget)}
NAMED_ONLY = {
    name: named_only(name)
    for name in (
        "qMRMLCheckableNodeComboBox",
        "qMRMLColorTableComboBox",
        "qMRMLRangeWidget",
        "qMRMLSpinBox",
        "qMRMLSubjectHierarchyComboBox",
        "qMRMLSubjectHierarchyTreeView",
    )
}
