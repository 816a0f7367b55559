"""A small scripted module that scales volumes, as Slicer's documentation has them written: for the stand-ins' tests."""

# ruff: noqa: N802, N815

from typing import Annotated

import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class Toy(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Toy")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Examples")]
        self.parent.helpText = _("It multiplies.")
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)
        self.started = False

    def onStartupCompleted(self):
        self.started = True


@parameterNodeWrapper
class ToyParameterNode:
    """What the panel remembers."""

    inputVolume: vtkMRMLScalarVolumeNode
    outputVolume: vtkMRMLScalarVolumeNode
    factor: Annotated[float, WithinRange(0, 0.1)] = 0.02
    label: str = "tCho"
    live: bool = True
    rounds: int = 3
    metabolite: Annotated[str, Choice(["tCho", "NAA", "Ins"])] = "tCho"


class ToyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._tag = None
        self.calls = []

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        ui_widget = slicer.util.loadUI(self.resourcePath("UI/Toy.ui"))
        self.layout.addWidget(ui_widget)
        self.ui = slicer.util.childWidgetVariables(ui_widget)
        ui_widget.setMRMLScene(slicer.mrmlScene)
        self.logic = ToyLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.timer = qt.QTimer()
        self.timer.interval = 5
        self.timer.connect("timeout()", self.onTimeout)
        self.useParameterNode()

    def cleanup(self):
        self.calls.append("cleanup")
        self.timer.stop()
        self.forgetParameterNode()
        self.removeObservers()

    def enter(self):
        self.calls.append("enter")
        self.useParameterNode()

    def exit(self):
        self.calls.append("exit")
        self.forgetParameterNode()

    def onStartClose(self, caller, event):
        self.forgetParameterNode()

    def onEndClose(self, caller, event):
        if self.parent.isEntered:
            self.useParameterNode()

    def forgetParameterNode(self):
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._tag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onModified)
            self._parameterNode = None

    def useParameterNode(self):
        self.forgetParameterNode()
        self._parameterNode = self.logic.getParameterNode()
        self._tag = self._parameterNode.connectGui(self.ui)
        self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onModified)
        self.onModified()

    def onModified(self, caller=None, event=None):
        self.ui.applyButton.enabled = self._parameterNode.inputVolume is not None
        self.ui.statusLabel.text = f"{self._parameterNode.metabolite} x {self._parameterNode.factor:g}"

    def onTimeout(self):
        self.calls.append("timeout")

    def onApply(self):
        with slicer.util.tryWithErrorDisplay(_("It did not work."), waitCursor=True):
            self._parameterNode.outputVolume = self.logic.scale(
                self._parameterNode.inputVolume, self._parameterNode.factor
            )


class ToyLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return ToyParameterNode(super().getParameterNode())

    def scale(self, volume, factor):
        if factor == 0:
            raise ValueError("A factor of 0 leaves nothing to see.")
        array = slicer.util.arrayFromVolume(volume) * factor
        output = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, volume, f"{volume.GetName()} scaled")
        slicer.util.updateVolumeFromArray(output, array)
        return output
