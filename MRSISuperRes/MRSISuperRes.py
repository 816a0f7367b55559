"""MRSISuperRes: super-resolution of MR spectroscopic imaging maps with adjustable sharpness, in 3D Slicer."""

import sys
import time

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from MRSISuperResLib.compute.computation import close_shared_computation
from MRSISuperResLib.compute.logic import super_resolve, super_resolve_folder
from MRSISuperResLib.compute.region_measurement import measure_regions
from MRSISuperResLib.compute.torch_setup import install_missing, missing_packages
from MRSISuperResLib.panels.fitting_frame import FittingFrame
from MRSISuperResLib.panels.panel import Panel
from MRSISuperResLib.scene.comparison import register_layout
from MRSISuperResLib.scene.parameters import MRSISuperResParameterNode
from MRSISuperResLib.scene.sample_data import load_sample_patient, register_sample_data


class MRSISuperRes(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus and help."""

    def __init__(self, parent):
        super().__init__(parent)
        self.parent.title = _("MRSI Super-Resolution")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Spectral Imaging")]
        self.parent.dependencies = ["Segmentations"]
        self.parent.contributors = ["MRSISuperRes team"]
        self.parent.helpText = _(
            "Super-resolves maps of MR spectroscopic imaging to 64 \u00d7 64 with the patient's T1 and FLAIR. Choose a "
            "metabolite map, T1 and FLAIR, or load the simulated sample patient; press Apply; move the sharpness "
            "slider. The weights that come with the module were trained on simulated patients: for research, not for "
            "diagnosis."
        )
        self.parent.acknowledgementText = _(
            "The method is that of S. Dong et al., Multi-scale Super-resolution Magnetic Resonance Spectroscopic "
            "Imaging with Adjustable Sharpness, MICCAI 2022."
        )
        slicer.app.connect("startupCompleted()", self._on_startup_completed)

    @staticmethod
    def _on_startup_completed():
        register_sample_data()
        if slicer.app.layoutManager() is not None:
            register_layout()


class MRSISuperResWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Shows the panel, and tells it when the scene changes."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None
        self._frame = None
        self._entered = False

    def setup(self):
        """Called once, when the module is opened first."""
        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/MRSISuperRes.ui"))
        self._frame = FittingFrame(widget)
        self.layout.addWidget(self._frame.widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = MRSISuperResLogic()
        self.panel = Panel(self.ui)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_start_close)
        self.addObserver(scene, scene.EndCloseEvent, self._on_scene_end_change)
        self.addObserver(scene, scene.EndImportEvent, self._on_scene_end_change)
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self._on_node_about_to_be_removed)
        # Slicer opens a reloaded module without entering it.
        self._entered = True
        self._connect()

    def enter(self):
        """Called each time the user opens the module."""
        self._entered = True
        self._connect()
        self.panel.enter()

    def exit(self):
        """Called each time the user opens another module; what is being computed goes on."""
        self._entered = False
        self.panel.leave()

    def cleanup(self):
        """Called when the application closes or the module is reloaded."""
        self.removeObservers()
        self.panel.close()
        close_shared_computation()

    def onReload(self):
        """Called by the developer's Reload button: the library is read again, too."""
        for name in [name for name in sys.modules if name.partition(".")[0] in ("MRSISuperResLib", "inference_core")]:
            del sys.modules[name]
        super().onReload()

    def _connect(self):
        if self.panel.parameters is None or self.panel.parameters.parameterNode.GetScene() is None:
            self.panel.connect_parameters(self.logic.getParameterNode())

    def _on_scene_start_close(self, _caller, _event):
        self.panel.scene_closing()

    def _on_scene_end_change(self, _caller, _event):
        # Otherwise `enter` will: a scene gets no node of ours before the user turns to the module.
        if self._entered:
            self.panel.connect_parameters(self.logic.getParameterNode())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_about_to_be_removed(self, _caller, _event, node):
        self.panel.node_removed(node)


class MRSISuperResLogic(ScriptedLoadableModuleLogic):
    """For the Python console; see `MRSISuperResLib.compute.logic`."""

    def getParameterNode(self):
        """The panel's state."""
        return MRSISuperResParameterNode(super().getParameterNode())

    def superResolve(self, mapNode, t1Node, flairNode, metabolite=None, sharpness=0.0, **options):
        """Super-resolve a map; returns the new volume node. See `MRSISuperResLib.compute.logic.super_resolve`."""
        return super_resolve(mapNode, t1Node, flairNode, metabolite, sharpness, **options)

    def measureRegions(self, segmentationNode, mapNode, t1Node, flairNode, sharpness=0.0, **options):
        """Measure a patient's metabolites in segments; returns the table's rows.

        See `MRSISuperResLib.compute.region_measurement.measure_regions`.
        """
        return measure_regions(segmentationNode, mapNode, t1Node, flairNode, sharpness, **options)

    def superResolveFolder(self, inputFolder, outputFolder, sharpness=(0.0,), **options):
        """Super-resolve a folder of patients; returns a row for each output.

        See `MRSISuperResLib.compute.logic.super_resolve_folder`.
        """
        return super_resolve_folder(inputFolder, outputFolder, sharpness, **options)

    def installPackages(self):
        """Install PyTorch and what else is missing, after asking."""
        install_missing()


class MRSISuperResTest(ScriptedLoadableModuleTest):
    """Slicer's own self-test: really super-resolves the sample patient, from the console and in the panel."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run all tests."""
        for test in (self.test_panel, self.test_super_resolve_sample_patient):
            self.setUp()
            test()

    def test_super_resolve_sample_patient(self):
        """The sample patient's result lies over its map, holds its signal, and says how it was made."""
        if missing := missing_packages():
            self.fail(f"install {' and '.join(missing)} first")
        patient = load_sample_patient()
        source = patient.maps[0]
        node = MRSISuperResLogic().superResolve(source, patient.t1, patient.flair, sharpness=0.02)
        array, original = slicer.util.arrayFromVolume(node), slicer.util.arrayFromVolume(source)
        self.assertEqual(array.shape, (original.shape[0], 64, 64))
        # The field of view is the same, so that the mean is the signal.
        self.assertAlmostEqual(array.mean() / original.mean(), 1.0, delta=0.1)
        self.assertEqual(node.GetAttribute("MRSISuperRes.Metabolite"), "tCho")
        self.assertEqual(node.GetName(), "tCho_n16_lambda0.02")
        self.delayDisplay("Test passed")

    def test_panel(self):
        """The panel in use: sample patient, Apply, slider, side by side and back, a segmentation, the scene closed."""
        if missing := missing_packages():
            self.fail(f"install {' and '.join(missing)} first")
        if slicer.util.mainWindow() is not None:
            slicer.util.selectModule("MRSISuperRes")
        widget = slicer.util.getModuleWidget("MRSISuperRes")
        widget.enter()
        ui, panel = widget.ui, widget.panel
        ui.sampleButton.click()
        self.assertIs(ui.t1Selector.currentNode(), panel.parameters.t1)
        self.assertEqual(panel.parameters.metabolite, "tCho")
        ui.applyButton.click()
        self._wait_until(lambda: not panel.live.working, "the result after Apply")
        result = panel.parameters.result
        smooth = slicer.util.arrayFromVolume(result).copy()
        self.assertEqual(smooth.shape[1:], (64, 64))
        ui.sharpnessSlider.value = 0.03
        self._wait_until(lambda: not panel.live.working, "the result after the slider's move")
        self.assertEqual(result.GetAttribute("MRSISuperRes.Sharpness"), "0.03")
        self.assertTrue((slicer.util.arrayFromVolume(result) != smooth).any())
        if slicer.app.layoutManager() is not None:
            self._compare_side_by_side(ui)
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        ui.segmentationSelector.setCurrentNode(segmentation)
        self.assertIs(panel.parameters.segmentation, segmentation)
        slicer.mrmlScene.Clear()
        slicer.app.processEvents()
        self.assertIsNone(panel.parameters.metaboliteMap)
        self.assertFalse(ui.applyButton.enabled)
        self.delayDisplay("Test passed")

    def _compare_side_by_side(self, ui):
        manager = slicer.app.layoutManager()
        layout, offset = manager.layout, manager.sliceWidget("Red").mrmlSliceNode().GetSliceOffset()
        ui.sideBySideButton.click()
        slicer.app.processEvents()
        self.assertNotEqual(manager.layout, layout)
        for name in ("Red", "MRSISuperResInput"):
            node = manager.sliceWidget(name).mrmlSliceNode()
            self.assertAlmostEqual(node.GetSliceOffset(), offset, places=3)
        ui.sideBySideButton.click()
        self.assertEqual(manager.layout, layout)

    def _wait_until(self, condition, what, timeout_s=300):
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                self.fail(f"Not within {timeout_s} s: {what}.")
            slicer.app.processEvents()
