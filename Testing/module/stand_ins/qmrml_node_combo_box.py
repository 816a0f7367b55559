"""qMRML's node selector, bound to a real MRML scene."""

# ruff: noqa: N801, N802, N815, RUF012

import slicer
import vtk
from PySide6.QtCore import Property, QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QSizePolicy, QWidget

from .pythonqt import seal

_ACTIONS = ("create", "rename", "edit", "remove")
_SCENE_EVENTS = (
    slicer.vtkMRMLScene.NodeAddedEvent,
    slicer.vtkMRMLScene.NodeRemovedEvent,
    slicer.vtkMRMLScene.EndBatchProcessEvent,
    slicer.vtkMRMLScene.EndImportEvent,
    slicer.vtkMRMLScene.EndCloseEvent,
)


@seal
class qMRMLNodeComboBox(QWidget):
    """Lists the scene's nodes of `nodeTypes`; the choice is a node, or none where `noneEnabled`.

    As in Slicer, if the current node is about to be removed, the choice moves to the next one in the list, or else to
    the one before, and the same signals tell so as if the user had chosen it.
    """

    _node_changed = Signal(object)
    _validity_changed = Signal(bool)
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeEdited = Signal(object)
    mrmlSceneChanged = Signal(object)
    cpp_signals = {
        "currentNodeChanged(vtkMRMLNode*)": "_node_changed",
        "currentNodeChanged(bool)": "_validity_changed",
        "currentNodeIDChanged(QString)": "currentNodeIDChanged",
        "currentNodeRenamed(QString)": "currentNodeRenamed",
        "nodeActivated(vtkMRMLNode*)": "nodeActivated",
        "nodeAdded(vtkMRMLNode*)": "nodeAdded",
        "nodeAddedByUser(vtkMRMLNode*)": "nodeAddedByUser",
        "nodeAboutToBeEdited(vtkMRMLNode*)": "nodeAboutToBeEdited",
        "mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged",
    }

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None
        self._observed: list[tuple[vtk.vtkObject, int]] = []
        self._node_tags: dict[str, tuple[vtk.vtkObject, int]] = {}
        self._node_types: list[str] = []
        self._attributes: dict[str, dict[str, str | None]] = {}
        self._flags = {
            "noneEnabled": False,
            "addEnabled": True,
            "removeEnabled": True,
            "editEnabled": False,
            "renameEnabled": False,
            "showHidden": False,
            "showChildNodeTypes": True,
            "selectNodeUponCreation": True,
        }
        self._none_display, self._base_name = "None", ""
        self._hide_child_types: list[str] = []
        self._current_id = self._leaving_id = ""
        self._ids: list[str] = []
        self._box = QComboBox(self)
        self._box.setObjectName("ComboBox")
        self._box.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self._box.setMinimumContentsLength(8)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.setFocusProxy(self._box)
        self._box.connect("activated(int)", self._on_activated)
        self.connect("destroyed()", self._stop_observing)
        self._rebuild()

    def comboBox(self):
        return self._box

    # The scene

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is self._scene:
            return
        self._stop_observing()
        self._scene = scene
        if scene is not None:
            self._observed = [(scene, scene.AddObserver(event, self._on_scene)) for event in _SCENE_EVENTS]
            leaving = scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._on_leaving, -10.0)
            self._observed.append((scene, leaving))
        self._rebuild()
        self.mrmlSceneChanged.emit(scene)

    def _stop_observing(self) -> None:
        for observed, tag in [*self._observed, *self._node_tags.values()]:
            observed.RemoveObserver(tag)
        self._observed, self._node_tags = [], {}

    def _on_scene(self, scene, _event) -> None:
        if not scene.IsBatchProcessing():
            self._rebuild()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_leaving(self, scene, _event, node) -> None:
        if not (scene.IsBatchProcessing() or scene.IsClosing()) and node.GetID() in self._ids:
            self._leaving_id = node.GetID()
            self._rebuild()
            self._leaving_id = ""

    def _accepts(self, node) -> bool:
        if node.GetHideFromEditors() and not self._flags["showHidden"]:
            return False
        children = self._flags["showChildNodeTypes"]
        types = [t for t in self._node_types if (node.IsA(t) if children else node.GetClassName() == t)]
        if not types or any(node.IsA(hidden) for hidden in self._hide_child_types):
            return False
        wanted = {name: value for t in types for name, value in self._attributes.get(t, {}).items()}
        return all(
            node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name))
            for name, value in wanted.items()
        )

    def _nodes(self) -> list:
        if self._scene is None:
            return []
        every = (self._scene.GetNthNode(i) for i in range(self._scene.GetNumberOfNodes()))
        return [node for node in every if node.GetID() != self._leaving_id and self._accepts(node)]

    def _watch_names(self, nodes) -> None:
        """Renaming, hiding or marking a node changes the list."""
        scene_nodes = [] if self._scene is None else nodes
        keep = {node.GetID(): node for node in scene_nodes}
        for node_id in [i for i, (node, _) in self._node_tags.items() if keep.get(i) is not node]:
            node, tag = self._node_tags.pop(node_id)
            node.RemoveObserver(tag)
        for node_id, node in keep.items():
            if node_id not in self._node_tags:
                self._node_tags[node_id] = (node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_node))

    def _on_node(self, node, _event) -> None:
        node_id = node.GetID()
        if node_id is None or self._scene is None or self._scene.IsBatchProcessing():
            return
        listed = self._accepts(node)
        index = self._box.findData(node_id)
        if listed != (index >= 0):
            self._rebuild()
        elif listed and self._box.itemText(index) != node.GetName():
            self._box.setItemText(index, node.GetName())
            if node_id == self._current_id:
                self.currentNodeRenamed.emit(node.GetName())

    def _candidates(self) -> list:
        """Nodes of the right types, listed or not: a hidden node can be shown later."""
        if self._scene is None:
            return []
        every = (self._scene.GetNthNode(i) for i in range(self._scene.GetNumberOfNodes()))
        return [node for node in every if any(node.IsA(t) for t in self._node_types)]

    def _rebuild(self) -> None:
        nodes = self._nodes()
        new = [node for node in nodes if node.GetID() not in self._ids]
        before, self._ids = self._ids, [node.GetID() for node in nodes]
        self._watch_names(self._candidates())
        with QSignalBlocker(self._box):
            self._box.clear()
            if self._flags["noneEnabled"] or not nodes:
                self._box.addItem(self._none_display if self._flags["noneEnabled"] else "Select a node", "")
            for node in nodes:
                self._box.addItem(node.GetName(), node.GetID())
            self._add_actions()
        if self._leaving_id and self._current_id == self._leaving_id:
            at = before.index(self._current_id)
            self._choose(next((i for i in (*before[at + 1 :], *reversed(before[:at])) if i in self._ids), ""))
        elif self._current_id not in self._ids:
            take_first = not self._flags["noneEnabled"] and bool(nodes)
            self._choose(nodes[0].GetID() if take_first else "")
        else:
            self._show_current()
        for node in new:
            self.nodeAdded.emit(node)

    def _add_actions(self) -> None:
        if self._scene is None or not self._node_types:
            return
        kind = self._scene.GetTagByClassName(self._node_types[0]) or self._node_types[0]
        texts = {
            "create": ("addEnabled", f"Create new {kind}"),
            "rename": ("renameEnabled", f"Rename current {kind}"),
            "edit": ("editEnabled", f"Edit current {kind}"),
            "remove": ("removeEnabled", f"Delete current {kind}"),
        }
        actions = [(action, text) for action, (flag, text) in texts.items() if self._flags[flag]]
        if actions:
            self._box.insertSeparator(self._box.count)
        for action, text in actions:
            self._box.addItem(text, action)

    def _show_current(self) -> None:
        with QSignalBlocker(self._box):
            self._box.setCurrentIndex(self._box.findData(self._current_id))

    def _choose(self, node_id: str) -> None:
        changed = node_id != self._current_id
        self._current_id = node_id
        self._show_current()
        if changed:
            node = self.currentNode()
            self._node_changed.emit(node)
            self._validity_changed.emit(node is not None)
            self.currentNodeIDChanged.emit(node_id)

    def _on_activated(self, index: int) -> None:
        chosen = self._box.itemData(index)
        if chosen not in _ACTIONS:
            self._choose(chosen)
            if chosen:
                self.nodeActivated.emit(self.currentNode())
            return
        self._show_current()
        if chosen == "create":
            node = self.addNode()
            self.nodeAddedByUser.emit(node)
        elif chosen == "remove":
            self.removeCurrentNode()
        elif chosen == "rename":
            self.renameCurrentNode()
        else:
            self.nodeAboutToBeEdited.emit(self.currentNode())

    # The choice

    def currentNode(self):
        if self._scene is None or not self._current_id:
            return None
        return self._scene.GetNodeByID(self._current_id)

    def setCurrentNode(self, node):
        if isinstance(node, str):
            self.setCurrentNodeID(node)
            return
        if node is not None and not isinstance(node, slicer.vtkMRMLNode):
            raise TypeError(f"A node selector takes a MRML node or None, not {node!r}.")
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id):
        self._choose(node_id if node_id in self._ids else "")

    def setCurrentNodeIndex(self, index):
        self._choose(self._ids[index])

    def nodeCount(self):
        return len(self._ids)

    def nodeFromIndex(self, index):
        return self._scene.GetNodeByID(self._ids[index]) if 0 <= index < len(self._ids) else None

    def nodes(self):
        return self._nodes()

    def addNode(self, class_name=None):
        class_name = class_name or self._node_types[0]
        name = self._scene.GenerateUniqueName(self._base_name or self._scene.GetTagByClassName(class_name))
        node = self._scene.CreateNodeByClass(class_name)
        node.UnRegister(None)
        node.SetName(name)
        for attribute, value in self._attributes.get(class_name, {}).items():
            node.SetAttribute(attribute, value or "")
        node = self._scene.AddNode(node)
        if self._flags["selectNodeUponCreation"]:
            self._choose(node.GetID())
        return node

    def removeCurrentNode(self):
        if self.currentNode() is not None:
            self._scene.RemoveNode(self.currentNode())

    def renameCurrentNode(self):
        node = self.currentNode()
        name = QInputDialog.getText(self, f"Rename {node.GetName()}", "New name:") if node is not None else ""
        if name:
            node.SetName(name)

    # What is listed

    def addAttribute(self, node_type, name, value=None):
        self._attributes.setdefault(node_type, {})[name] = None if value is None else str(value)
        self._rebuild()

    def removeAttribute(self, node_type, name):
        self._attributes.get(node_type, {}).pop(name, None)
        self._rebuild()

    def setNodeTypes(self, types):
        self._node_types = list(types)
        self._rebuild()

    def setHideChildNodeTypes(self, types):
        self._hide_child_types = list(types)
        self._rebuild()

    def setNoneDisplay(self, text):
        self._none_display = text
        self._rebuild()

    def setBaseName(self, name, _node_type=None):
        self._base_name = name

    def _set_flag(self, name: str, value) -> None:
        self._flags[name] = bool(value)
        self._rebuild()

    def setNoneEnabled(self, enabled):
        self._set_flag("noneEnabled", enabled)

    def setAddEnabled(self, enabled):
        self._set_flag("addEnabled", enabled)

    def setRemoveEnabled(self, enabled):
        self._set_flag("removeEnabled", enabled)

    def setRenameEnabled(self, enabled):
        self._set_flag("renameEnabled", enabled)

    def setEditEnabled(self, enabled):
        self._set_flag("editEnabled", enabled)

    def setShowHidden(self, shown):
        self._set_flag("showHidden", shown)

    def setShowChildNodeTypes(self, shown):
        self._set_flag("showChildNodeTypes", shown)

    def setSelectNodeUponCreation(self, select):
        self._set_flag("selectNodeUponCreation", select)

    nodeTypes = Property("QStringList", lambda self: self._node_types, setNodeTypes)
    hideChildNodeTypes = Property("QStringList", lambda self: self._hide_child_types, setHideChildNodeTypes)
    noneDisplay = Property(str, lambda self: self._none_display, setNoneDisplay)
    baseName = Property(str, lambda self: self._base_name, setBaseName)
    currentNodeID = Property(str, lambda self: self._current_id, setCurrentNodeID)
    noneEnabled = Property(bool, lambda self: self._flags["noneEnabled"], setNoneEnabled)
    addEnabled = Property(bool, lambda self: self._flags["addEnabled"], setAddEnabled)
    removeEnabled = Property(bool, lambda self: self._flags["removeEnabled"], setRemoveEnabled)
    renameEnabled = Property(bool, lambda self: self._flags["renameEnabled"], setRenameEnabled)
    editEnabled = Property(bool, lambda self: self._flags["editEnabled"], setEditEnabled)
    showHidden = Property(bool, lambda self: self._flags["showHidden"], setShowHidden)
    showChildNodeTypes = Property(bool, lambda self: self._flags["showChildNodeTypes"], setShowChildNodeTypes)
    selectNodeUponCreation = Property(
        bool, lambda self: self._flags["selectNodeUponCreation"], setSelectNodeUponCreation
    )
