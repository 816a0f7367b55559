"""The stand-ins themselves: do they refuse what Slicer would refuse, and do what its documentation says?"""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

TOY = Path(__file__).parent / "toy" / "Toy.py"


@pytest.fixture
def toy(session):
    session.load_module(TOY)
    return session.open_panel()


@pytest.fixture
def volume(session):
    """A volume of 20 x 60 x 80 voxels of 1 mm, bright in its middle."""
    import slicer

    array = np.zeros((20, 60, 80), np.float32)
    array[5:15, 20:40, 30:50] = 100
    return slicer.util.addVolumeFromArray(array, name="map")


class TestPythonQt:
    def test_properties_are_attributes(self, session):
        import qt

        button = qt.QPushButton("Apply")
        assert button.text == "Apply"
        assert button.enabled is True
        with pytest.raises(TypeError):
            button.text()
        button.enabled = False
        button.toolTip = "why"
        assert not button.isEnabled()
        button.setText("Cancel")
        assert (button.text, button.toolTip, button.className()) == ("Cancel", "why", "QPushButton")
        button.name = "applyButton"
        assert button.objectName == "applyButton"

    def test_unknown_attributes_are_rejected(self, session):
        import ctk
        import qt

        for widget in (qt.QPushButton(), ctk.ctkSliderWidget(), ctk.ctkCollapsibleButton()):
            with pytest.raises(AttributeError):
                widget.colour = "red"
            with pytest.raises(AttributeError):
                widget.colour  # noqa: B018
        with pytest.raises(AttributeError, match="written"):
            qt.QComboBox().count = 3

    def test_a_python_class_may_have_attributes(self, session):
        import qt

        class Panel(qt.QWidget):
            def __init__(self):
                super().__init__()
                self.colour = "red"

        assert Panel().colour == "red"

    def test_dynamic_properties(self, session):
        import qt

        label = qt.QLabel()
        label.setProperty("SlicerParameterName", "factor")
        assert label.SlicerParameterName == label.property("SlicerParameterName") == "factor"

    def test_signals_by_signature_drop_surplus_arguments(self, session):
        import qt

        button, seen = qt.QPushButton(), []
        button.checkable = True
        button.connect("clicked()", lambda: seen.append("none"))
        button.connect("toggled(bool)", lambda: seen.append("dropped"))
        button.connect("toggled(bool)", seen.append)
        button.clicked.connect(lambda checked: seen.append(("clicked", checked)))
        button.click()
        assert seen == ["dropped", True, "none", ("clicked", True)]
        with pytest.raises(ValueError, match="has no signal"):
            button.connect("klicked()", lambda: None)
        with pytest.raises(TypeError):
            button.connect("clicked()", None)

    def test_disconnect(self, session):
        import qt

        button, seen = qt.QPushButton(), []

        class Receiver:
            def slot(self):
                seen.append(1)

        receiver = Receiver()
        button.connect("clicked()", receiver.slot)
        assert button.disconnect("clicked()", receiver.slot)
        assert not button.disconnect("clicked()", receiver.slot)
        button.click()
        assert seen == []

    def test_timer(self, session):
        import qt

        timer, seen = qt.QTimer(), []
        timer.singleShot = True
        timer.interval = 1
        timer.connect("timeout()", lambda: seen.append("timer"))
        timer.start()
        qt.QTimer.singleShot(1, lambda: seen.append("static"))
        session.wait_until(lambda: len(seen) == 2)
        assert sorted(seen) == ["static", "timer"]
        assert not timer.active

    def test_combo_box_data(self, session):
        import qt

        box = qt.QComboBox()
        box.addItem("choline", "tCho")
        box.addItem("NAA", {"column": 2})
        box.currentIndex = 1
        assert (box.count, box.currentText, box.currentData, box.itemData(0)) == (2, "NAA", {"column": 2}, "tCho")
        assert box.findData("tCho") == box.findText("choline") == 0

    def test_many_calls_do_not_use_up_pythons_singletons(self, session):
        import qt

        label = qt.QLabel()
        for _ in range(30_000):
            label.setText("x")
            label.enabled = True
        assert label.text == "x"


class TestUiLoader:
    @staticmethod
    def load(tmp_path, body, connections=""):
        import slicer

        path = tmp_path / "panel.ui"
        path.write_text(f'<ui version="4.0">{body}<connections>{connections}</connections></ui>')
        return slicer.util.loadUI(str(path))

    @pytest.mark.parametrize("kind", ["ctkSpecialButton", "QMadeUp", "qMRMLVolumeThing", "ctkRangeWidget"])
    def test_unknown_class(self, session, tmp_path, kind):
        with pytest.raises(RuntimeError, match=kind):
            self.load(tmp_path, f'<widget class="QWidget" name="a"><widget class="{kind}" name="b"/></widget>')

    def test_unknown_property(self, session, tmp_path):
        body = '<widget class="QLabel" name="a"><property name="colour"><string>red</string></property></widget>'
        with pytest.raises(RuntimeError, match="colour"):
            self.load(tmp_path, body)

    def test_connection_to_a_slot_that_is_not_there(self, session, tmp_path):
        connection = (
            "<connection><sender>a</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>"
            "<receiver>b</receiver><slot>setScene(vtkMRMLScene*)</slot></connection>"
        )
        body = '<widget class="qMRMLWidget" name="a"><widget class="qMRMLNodeComboBox" name="b"/></widget>'
        with pytest.raises(RuntimeError, match="setScene"):
            self.load(tmp_path, body, connection)

    def test_a_panel_knows_its_widgets(self, toy):
        assert toy.ui.factorSlider.maximum == 0.1
        assert toy.ui.inputSelector.nodeTypes == ["vtkMRMLScalarVolumeNode"]
        assert toy.ui.inputSelector.mrmlScene() is not None


class TestNodeSelector:
    @pytest.fixture
    def selector(self, session):
        import slicer

        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        selector.noneEnabled = True
        selector.setMRMLScene(slicer.mrmlScene)
        selector.show()
        yield selector
        selector.setMRMLScene(None)
        selector.delete()

    def test_both_signatures(self, session, selector, volume):
        nodes, states = [], []
        selector.connect("currentNodeChanged(vtkMRMLNode*)", nodes.append)
        selector.connect("currentNodeChanged(bool)", states.append)
        session.choose(selector, volume)
        session.choose(selector, None)
        assert nodes == [volume, None]
        assert states == [True, False]

    def test_follows_the_scene(self, session, selector, volume):
        import slicer

        assert selector.nodeCount() == 1
        selector.setCurrentNode(volume)
        volume.SetName("NAA")
        assert selector.comboBox().currentText == "NAA"
        volume.SetHideFromEditors(True)
        assert selector.nodeCount() == 0
        assert selector.currentNode() is None
        volume.SetHideFromEditors(False)
        selector.setCurrentNodeID(volume.GetID())
        slicer.mrmlScene.RemoveNode(volume)
        assert selector.currentNode() is None
        assert selector.currentNodeID == ""

    def test_a_node_that_goes_makes_room_for_its_neighbour(self, session, selector):
        """Qt's combo box under Slicer's moves on when its row is removed, and says so as if the user had chosen."""
        import slicer

        names = "T1", "FLAIR", "tCho"
        t1, flair, tcho = (slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name) for name in names)
        told = []
        selector.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
        selector.setCurrentNode(t1)
        slicer.mrmlScene.RemoveNode(t1)
        assert selector.currentNode() is flair
        selector.setCurrentNode(tcho)
        slicer.mrmlScene.RemoveNode(tcho)
        assert selector.currentNode() is flair
        slicer.mrmlScene.RemoveNode(flair)
        assert selector.currentNode() is None
        assert told == [t1, flair, tcho, flair, None]

    def test_lists_only_its_types(self, selector, volume):
        import slicer

        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
        assert selector.nodeCount() == 2  # a label map is a scalar volume
        selector.showChildNodeTypes = False
        assert selector.nodes() == [volume]

    def test_without_none_takes_the_first(self, session, selector, volume):
        selector.noneEnabled = False
        assert selector.currentNode() is volume


class TestSliders:
    def test_a_drag_moves_in_steps(self, session, toy):
        values = []
        toy.ui.factorSlider.connect("valueChanged(double)", values.append)
        reached = session.drag_slider(toy.ui.factorSlider, 0.08, steps=6)
        assert reached == pytest.approx(0.08, abs=0.002)
        assert len(values) >= 4
        assert values == sorted(values)
        assert toy.ui.factorSlider.slider().findChild("QSlider") is not None

    def test_without_tracking_it_waits_for_the_release(self, session, toy):
        slider, changed, changing = toy.ui.factorSlider, [], []
        slider.tracking = False
        slider.connect("valueChanged(double)", changed.append)
        slider.connect("valueIsChanging(double)", changing.append)
        session.drag_slider(slider, 0.08, release=False)
        assert changed == []
        assert len(changing) >= 3
        session.release_slider(slider)
        assert changed == [changing[-1]]

    def test_keys_and_limits(self, session, toy):
        import qt

        slider = toy.ui.factorSlider
        session.key(slider, qt.Qt.Key_Right)
        assert slider.value == pytest.approx(0.021)
        slider.value = 7
        assert slider.value == slider.spinBox().value == 0.1

    def test_what_is_disabled_cannot_be_dragged(self, session, toy):
        toy.ui.factorSlider.enabled = False
        with pytest.raises(AssertionError, match="disabled"):
            session.drag_slider(toy.ui.factorSlider, 0.05)


class TestPanel:
    def test_life_of_a_panel(self, session, toy):
        import slicer

        assert slicer.modules.ToyInstance.started
        assert slicer.modules.toy.widgetRepresentation().self() is slicer.modules.ToyWidget is toy
        assert slicer.util.getModuleWidget("Toy") is toy
        session.leave_panel()
        assert session.open_panel() is toy
        assert toy.calls == ["enter", "exit", "enter"]
        reloaded = session.reload_module()
        assert reloaded is not toy
        assert toy.calls[-1] == "cleanup"
        session.close_panel()
        assert reloaded.calls[-1] == "cleanup"

    def test_a_section_folds(self, session, toy):
        session.click(toy.ui.inputsButton)
        assert toy.ui.inputsButton.collapsed
        assert not toy.ui.inputSelector.visible
        toy.ui.inputsButton.collapsed = False
        assert toy.ui.inputSelector.visible

    def test_once_left_a_panel_is_no_longer_asked_how_high_it_has_to_be(self, session, toy):
        """Qt tells only the layout's first item for a widget that its height for its width has changed."""
        import qt

        label = qt.QLabel("Short.")
        label.wordWrap = True
        label.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)
        toy.layout.addWidget(label)
        session.resize((300, 200), (500, 200))
        cut_off = []
        for _ in range(2):
            label.text = "A long text. " * 60
            session.process_events(50)
            cut_off.append(label.height < label.heightForWidth(label.width))
            label.text = "Short."
            session.leave_panel()
            session.open_panel()
        assert cut_off == [False, True]

    def test_a_panel_is_never_narrower_than_it_would_like_to_be(self, session, toy):
        import qt

        panel = session.main_window.module_panel()
        before = panel.width
        label = qt.QLabel("several words " * 30)
        label.wordWrap = True
        toy.layout.addWidget(label)
        label.setMinimumWidth(before + 100)
        session.wait_until(lambda: panel.width > before)

    def test_a_disabled_button_cannot_be_clicked(self, session, toy):
        with pytest.raises(AssertionError, match="applyButton"):
            session.click(toy.ui.applyButton)

    def test_errors_are_shown_and_kept(self, session, toy, volume):
        session.choose(toy.ui.inputSelector, volume)
        toy.ui.factorSlider.value = 0
        session.click(toy.ui.applyButton)
        assert "leaves nothing to see" in session.dialogs.texts[-1]
        assert len(session.errors) == 1  # tryWithErrorDisplay raises again, as in Slicer
        session.errors.clear()

    def test_without_a_main_window(self, windowless_session):
        import slicer

        windowless_session.load_module(TOY)
        windowless_session.open_panel()
        assert slicer.app.layoutManager() is None
        assert slicer.util.mainWindow() is None
        slicer.util.infoDisplay("nobody is there")
        assert windowless_session.dialogs.shown == []


class TestParameterNode:
    def test_both_ways(self, session, toy, volume):
        session.choose(toy.ui.inputSelector, volume)
        session.choose_text(toy.ui.metaboliteBox, "NAA")
        session.type_text(toy.ui.labelEdit, "late")
        session.click(toy.ui.liveBox)
        parameters = toy._parameterNode  # another wrapper's writing would not reach this one's cache, as in Slicer
        assert (parameters.inputVolume, parameters.metabolite, parameters.label) == (volume, "NAA", "late")
        assert parameters.live is False
        parameters.factor = 0.07
        parameters.metabolite = "Ins"
        assert toy.ui.factorSlider.value == 0.07
        assert toy.ui.metaboliteBox.currentText == "Ins"
        with pytest.raises(ValueError, match="range"):
            parameters.factor = 3.0
        with pytest.raises(ValueError, match="Cr"):
            parameters.metabolite = "Cr"

    @staticmethod
    def connect(annotation, widget):
        import slicer

        class Parameters:
            parameter: annotation

        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
        wrapper = slicer.parameterNodeWrapper.parameterNodeWrapper(Parameters)(node)
        widget.setProperty("SlicerParameterName", "parameter")
        return wrapper.connectGui(SimpleNamespace(widget=widget))

    def test_an_abstract_class_of_nodes_is_refused(self, session):
        """Slicer makes an instance of a parameter's class to learn what a node selector may list."""
        import slicer

        selector = slicer.qMRMLNodeComboBox()
        with pytest.raises(TypeError, match="abstract class"):
            self.connect(slicer.vtkMRMLDisplayableNode, selector)
        self.connect(slicer.vtkMRMLSegmentationNode, selector)
        assert list(selector.nodeTypes) == ["vtkMRMLSegmentationNode"]

    def test_an_unbounded_number_is_refused_by_a_slider(self, session):
        import ctk

        with pytest.raises(RuntimeError, match="unbounded"):
            self.connect(float, ctk.ctkSliderWidget())

    def test_a_removed_node_is_none(self, toy, volume):
        import slicer

        toy._parameterNode.inputVolume = volume
        slicer.mrmlScene.RemoveNode(volume)
        assert toy._parameterNode.inputVolume is None

    @pytest.mark.parametrize("name", ["scene.mrb", "folder", "folder/scene.mrml"])
    def test_survives_a_saved_scene(self, session, toy, volume, tmp_path, name):
        import slicer

        (tmp_path / "folder").mkdir()
        if name.endswith(".mrml"):  # such a scene only names its volumes' files
            assert slicer.util.saveNode(volume, str(tmp_path / "folder" / "map.nrrd"), {})
        seen_at_end = []

        def look(scene, _event):
            seen_at_end.append(slicer.util.arrayFromVolume(scene.GetFirstNodeByName("map")).max())

        session.choose(toy.ui.inputSelector, volume)
        session.drag_slider(toy.ui.factorSlider, 0.06)
        factor = toy.ui.factorSlider.value
        session.choose_text(toy.ui.metaboliteBox, "Ins")
        session.save_scene(tmp_path / name)
        session.close_scene()
        assert toy.ui.inputSelector.currentNode() is None
        assert toy.ui.metaboliteBox.currentText == "tCho"
        slicer.mrmlScene.AddObserver(slicer.mrmlScene.EndImportEvent, look)
        saved = tmp_path / name
        session.load_scene(saved if saved.is_file() else next(saved.glob("*.mrml")))
        loaded = toy.ui.inputSelector.currentNode()
        assert loaded.GetName() == "map"
        assert slicer.util.arrayFromVolume(loaded).max() == 100
        assert toy.ui.factorSlider.value == factor
        assert toy.ui.metaboliteBox.currentText == "Ins"
        assert seen_at_end == [100]


class TestViews:
    LAYOUT = (
        '<layout type="horizontal"><item><view class="vtkMRMLSliceNode" singletontag="Compare">'
        '<property name="orientation" action="default">Axial</property>'
        '<property name="viewlabel" action="default">C</property>'
        '<property name="viewcolor" action="default">#3070F0</property></view></item>'
        '<item><view class="vtkMRMLSliceNode" singletontag="Red"/></item></layout>'
    )

    def test_default_layout(self, session):
        import slicer

        manager = slicer.app.layoutManager()
        assert set(manager.sliceViewNames()) == {"Red", "Green", "Yellow"}
        assert all(manager.sliceWidget(n).mrmlSliceNode().IsMappedInLayout() for n in manager.sliceViewNames())

    def test_layout_with_a_view_of_its_own(self, session, volume):
        import slicer

        manager = slicer.app.layoutManager()
        changes = []
        manager.connect("layoutChanged(int)", changes.append)
        manager.layoutLogic().GetLayoutNode().AddLayoutDescription(747, self.LAYOUT)
        manager.setLayout(747)
        session.process_events()
        assert (manager.layout, changes) == (747, [747])
        widget = manager.sliceWidget("Compare")
        assert widget.mrmlSliceNode().GetOrientation() == "Axial"
        assert widget.mrmlSliceNode().GetLayoutLabel() == "C"
        assert widget.mrmlSliceCompositeNode().GetLayoutName() == "Compare"
        assert isinstance(widget.sliceLogic(), slicer.vtkMRMLSliceLogic)
        mapped = {
            name: manager.sliceWidget(name).mrmlSliceNode().IsMappedInLayout() for name in manager.sliceViewNames()
        }
        assert mapped == {"Red": True, "Green": False, "Yellow": False, "Compare": True}
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        assert session.slice_rgba("Compare")[..., :3].max() > 0
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        assert not widget.mrmlSliceNode().IsMappedInLayout()
        assert widget.mrmlSliceNode().GetScene() is not None
        with pytest.raises(ValueError, match="12345"):
            manager.setLayout(12345)

    def test_linked_views_scroll_together(self, session, volume):
        import slicer

        manager = slicer.app.layoutManager()
        manager.layoutLogic().GetLayoutNode().AddLayoutDescription(747, self.LAYOUT)
        manager.setLayout(747)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        before = manager.sliceWidget("Compare").mrmlSliceNode().GetSliceOffset()
        session.scroll("Red", 3.0)
        assert manager.sliceWidget("Compare").mrmlSliceNode().GetSliceOffset() == before
        for name in ("Red", "Compare"):
            manager.sliceWidget(name).sliceController().setSliceLink(True)
        session.scroll("Red", -5.0)
        red = manager.sliceWidget("Red").mrmlSliceNode().GetSliceOffset()
        assert manager.sliceWidget("Compare").mrmlSliceNode().GetSliceOffset() == pytest.approx(red)

    def test_a_new_view_goes_to_0_and_takes_linked_views_along(self, session, volume):
        import slicer

        manager = slicer.app.layoutManager()
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        session.scroll("Red", 3.0)
        manager.layoutLogic().GetLayoutNode().AddLayoutDescription(747, self.LAYOUT)
        manager.setLayout(747)
        new = manager.sliceWidget("Compare")
        new.mrmlSliceNode().SetSliceOffset(5.0)
        new.mrmlSliceCompositeNode().SetLinkedControl(True)
        session.wait_until(lambda: new.mrmlSliceNode().GetSliceOffset() == 0)
        assert manager.sliceWidget("Red").mrmlSliceNode().GetSliceOffset() == 0

    def test_hot_link_goes_to_all_views_and_linking_by_hand_too(self, session):
        import slicer

        composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        composites[0].SetLinkedControl(True)
        composites[0].SetHotLinkedControl(True)
        assert [node.GetLinkedControl() for node in composites] == [1, 0, 0]
        assert [node.GetHotLinkedControl() for node in composites] == [1, 1, 1]
        slicer.app.layoutManager().sliceWidget("Red").sliceController().setSliceLink(True)
        assert [node.GetLinkedControl() for node in composites] == [1, 1, 1]

    def test_a_legend_does_not_follow_what_a_script_shows(self, session, volume):
        import slicer

        slicer.util.setSliceViewerLayers(background=volume)
        legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(volume)
        view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
        slicer.util.setSliceViewerLayers(background=None)
        assert view.legends() == [legend]
        legend.Modified()
        assert view.legends() == []

    def test_vtks_font_has_no_greek_letters(self, session):
        from stand_ins.color_legend import drawable

        assert drawable("tCho, λ = 0.02 °") == "tCho,  = 0.02 °"

    def test_requests_to_render_make_one_picture_unless_time_passes(self, session):
        import slicer

        view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
        session.process_events(50)
        before = view.renders()
        for _ in range(3):
            view.scheduleRender()
        session.process_events(50)
        assert view.renders() == before + 1
        for _ in range(3):
            view.scheduleRender()
            time.sleep(0.02)
        assert view.renders() == before + 2
        with slicer.util.RenderBlocker():
            for _ in range(3):
                view.scheduleRender()
                time.sleep(0.02)
            assert view.renders() == before + 2
        session.process_events(50)
        assert view.renders() == before + 3

    def test_pixels_of_an_overlay(self, session, volume):
        """Half of a red overlay on a grey background, where it is; the background alone elsewhere."""
        import slicer

        background = slicer.util.addVolumeFromArray(np.full((20, 60, 80), 50, np.float32), name="T1")
        background.GetDisplayNode().SetAutoWindowLevel(False)
        background.GetDisplayNode().SetWindowLevelMinMax(0, 100)
        display = volume.GetDisplayNode()
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeRed")
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(0, 100)
        display.SetThreshold(50, 100)
        display.SetApplyThreshold(True)
        slicer.util.setSliceViewerLayers(background=background, foreground=volume, foregroundOpacity=0.5, fit=True)
        session.process_events()
        pixels = session.slice_rgba("Red")
        inside, outside = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2], pixels[pixels.shape[0] // 2, 40]
        assert np.allclose(outside[:3], 127, atol=2)
        assert np.allclose(inside[:3], [191, 63, 63], atol=3)

    def test_up_is_up(self, session, volume):
        """The upper row of an axial view is anterior, the left column the patient's right."""
        import slicer

        array = np.zeros((20, 60, 80), np.float32)
        array[:, 45:, 65:] = 100  # anterior, on the patient's right
        slicer.util.updateVolumeFromArray(volume, array)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        session.process_events()
        pixels = session.slice_rgba("Red")[..., 0].astype(float)
        rows, columns = np.nonzero(pixels > 100)
        assert rows.mean() < pixels.shape[0] / 2
        assert columns.mean() < pixels.shape[1] / 2

    def test_pictures_repeat(self, session, toy, volume, tmp_path):
        import slicer

        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(volume)
        first = session.grab(tmp_path / "panel.png")
        assert first == session.grab() == (tmp_path / "panel.png").read_bytes()
        legend.SetVisibility(False)
        assert session.grab() != first

    def test_corner_text_is_painted(self, session, volume):
        import slicer

        widget = slicer.app.layoutManager().sliceWidget("Red")
        before = session.grab(widget=widget)
        widget.sliceView().cornerAnnotation().SetText(2, "input")
        widget.sliceView().scheduleRender()
        assert session.grab(widget=widget) != before


class TestSurroundings:
    def test_missing_system_libraries_are_named(self, monkeypatch):
        import importlib

        from stand_ins.environment import check_system_libraries

        def fail(name):
            raise ImportError("libEGL.so.1: cannot open shared object file: No such file or directory")

        monkeypatch.setattr(importlib, "import_module", fail)
        with pytest.raises(RuntimeError, match=r"apt-get install .*libegl1"):
            check_system_libraries()

    def test_what_slicer_does_not_have(self, session):
        import slicer

        for name in ("getNode", "arrayFromVolume", "loadVolume"):
            assert not hasattr(slicer, name)
        assert hasattr(slicer.util, "getNode")
        with pytest.raises(ImportError):
            import slicer.packaging

    def test_slicers_own_python_is_used_where_it_is_named(self, session):
        import os

        import slicer

        own = os.environ.get("SLICER_PYTHON")
        expected = Path(own) if own else Path(__file__).parent / "stand_ins"
        for module in (slicer.ScriptedLoadableModule, slicer.parameterNodeWrapper, slicer.i18n):
            assert Path(module.__file__).is_relative_to(expected)

    def test_blocked_imports(self, tmp_path):
        import importlib

        from stand_ins.missing_modules import NOT_IN_SLICER, blocked

        (tmp_path / "code_under_test.py").write_text(
            "import importlib, importlib.util\n"
            "def direct():\n    import matplotlib\n"
            "def by_name():\n    importlib.import_module('matplotlib')\n"
            "def found():\n    return importlib.util.find_spec('matplotlib')\n"
        )
        spec = importlib.util.spec_from_file_location("code_under_test", tmp_path / "code_under_test.py")
        code = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(code)
        with blocked([tmp_path], NOT_IN_SLICER.__contains__):
            for attempt in (code.direct, code.by_name):
                with pytest.raises(ModuleNotFoundError, match="matplotlib"):
                    attempt()
            assert code.found() is None
            assert importlib.util.find_spec("matplotlib") is not None
        assert code.found() is not None

    def test_sample_data(self, session, tmp_path):
        import hashlib

        import SampleData
        import slicer

        source = slicer.util.addVolumeFromArray(np.ones((3, 4, 5), np.float32))
        assert slicer.util.saveNode(source, str(tmp_path / "map.nrrd"), {})
        digest = hashlib.sha256((tmp_path / "map.nrrd").read_bytes()).hexdigest()
        for name, checksum in (("good", f"SHA256:{digest}"), ("bad", f"SHA256:{'0' * 64}")):
            SampleData.SampleDataLogic.registerCustomSampleDataSource(
                category="Toy",
                sampleName=name,
                uris=(tmp_path / "map.nrrd").as_uri(),
                fileNames="toy.nrrd",
                nodeNames="toy map",
                checksums=checksum,
            )
        nodes = SampleData.SampleDataLogic().downloadSamples("good")
        assert [node.GetName() for node in nodes] == ["toy map"]
        assert slicer.util.arrayFromVolume(nodes[0]).shape == (3, 4, 5)
        with pytest.raises(ValueError, match="checksum"):
            SampleData.SampleDataLogic().downloadSamples("bad")
        with pytest.raises(FileNotFoundError, match="thumbnail"):
            SampleData.SampleDataLogic.registerCustomSampleDataSource(
                sampleName="x", thumbnailFileName=str(tmp_path / "no.png")
            )

    def test_the_type_of_a_file_has_to_be_told(self, session, tmp_path):
        """Two readers take a NIfTI file; which one does depends on the order in which modules were loaded."""
        import SampleData
        import slicer

        source = slicer.util.addVolumeFromArray(np.ones((3, 4, 5), np.float32))
        assert slicer.util.saveNode(source, str(tmp_path / "map.nii.gz"), {})
        kinds = []
        for name, file_type in (("told", "VolumeFile"), ("untold", None)):
            SampleData.SampleDataLogic.registerCustomSampleDataSource(
                sampleName=name, uris=(tmp_path / "map.nii.gz").as_uri(), nodeNames="map", loadFileTypes=file_type
            )
            kinds += [node.GetClassName() for node in SampleData.SampleDataLogic().downloadSamples(name)]
        assert kinds == ["vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode"]

    def test_torch_states(self, session):
        import PyTorchUtils
        from stand_ins.pytorch_utils import TorchState

        logic = PyTorchUtils.PyTorchUtilsLogic()
        session.set_torch(TorchState.DECLINED)
        assert not logic.torchInstalled()
        assert logic.installTorch(askConfirmation=True, torchVersionRequirement=">=2.2") is None
        session.set_torch("offline")
        with pytest.raises(RuntimeError):
            logic.installTorch(askConfirmation=True)
        session.set_torch(TorchState.ABSENT)
        assert logic.installTorch(askConfirmation=True).__name__ == "torch"
        assert logic.torchInstalled()
        assert session.torch.installs[0]["torchVersionRequirement"] == ">=2.2"

    def test_dialogs_never_wait(self, session, tmp_path):
        import qt
        import slicer

        session.dialogs.answer(qt.QMessageBox.Cancel, qt.QMessageBox.Ok, str(tmp_path))
        assert not slicer.util.confirmOkCancelDisplay("Install?")
        assert slicer.util.confirmOkCancelDisplay("Install?")
        assert qt.QFileDialog.getExistingDirectory(None, "Folder") == str(tmp_path)
        assert session.dialogs.texts == ["Install?", "Install?", "Folder"]
        with pytest.raises(AssertionError, match="no answer"):
            slicer.util.confirmOkCancelDisplay("And this?")
        slicer.app.commandOptions().testingEnabled = True
        slicer.util.errorDisplay("Not shown")
        assert session.dialogs.texts[-1] == "And this?"

    def test_pip_only_notes(self, session):
        import slicer

        slicer.util.pip_install("safetensors>=0.4")
        assert session.pip_installs == [("safetensors>=0.4", {})]

    def test_settings_start_empty(self, session):
        import qt

        settings = qt.QSettings()
        assert settings.value("Toy/folder") is None
        settings.setValue("Toy/folder", "/data")
        assert qt.QSettings().value("Toy/folder") == "/data"

    def test_uncaught_exceptions_are_noticed(self, session):
        import qt
        import vtk

        def fail(*_):
            raise ValueError("unnoticed otherwise")

        observed = vtk.vtkObject()
        observed.AddObserver("ModifiedEvent", fail)
        observed.Modified()
        button = qt.QPushButton()
        button.connect("clicked()", fail)
        button.click()
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        assert ["unnoticed" in error for error in session.errors] == [True] * 3
        session.errors.clear()

    def test_a_running_timer_is_noticed(self, session):
        import qt

        timer = qt.QTimer()
        timer.start(1000)
        assert session.active_timers() == [timer]
        timer.stop()
        assert session.active_timers() == []
