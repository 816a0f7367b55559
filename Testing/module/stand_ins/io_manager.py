"""`slicer.app.coreIOManager()`: reading and writing through real MRML storage, for volumes and scenes.

Of a file whose type is not told, several readers may be equally sure, and the order in which modules were loaded
decides: here, as in a Slicer without some of its modules, the reader of segmentations takes NIfTI files.
"""

# ruff: noqa: N802

from pathlib import Path

import vtk

#: Bits of the volumes logic's loading options.
_LABEL_MAP, _CENTER, _SINGLE_FILE, _AUTO_WINDOW, _NO_ORIENTATION = 1, 2, 4, 8, 16
_VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".img", ".hdr", ".tif", ".tiff")


class IOManager:
    """Loads and saves what the tests need: "VolumeFile" and "SceneFile"."""

    def __init__(self, world):
        self._world = world

    def fileType(self, filename) -> str:
        name = str(filename).lower()
        if name.endswith((".mrml", ".mrb")):
            return "SceneFile"
        if name.endswith((".nii", ".nii.gz", ".seg.nrrd")):
            return "SegmentationFile"
        return "VolumeFile" if name.endswith(_VOLUMES) else "NoFile"

    def fileWriterFileType(self, node) -> str:
        return "VolumeFile" if node.IsA("vtkMRMLVolumeNode") else "NoFile"

    def loadNodes(self, filetype, properties, loaded=None, messages=None) -> bool:
        """Load a file into the scene; the new nodes are added to the collection `loaded`."""
        loaded = loaded if loaded is not None else vtk.vtkCollection()
        if filetype == "VolumeFile":
            return self._load_volume(properties, loaded, messages)
        if filetype == "SegmentationFile":
            return self._load_segmentation(properties, loaded, messages)
        if filetype == "SceneFile":
            return self._load_scene(properties, messages)
        self._say(messages, f"No reader for {properties['fileName']} in these tests.")
        return False

    def saveNodes(self, filetype, properties, messages=None) -> bool:
        path = Path(properties["fileName"])
        if filetype == "SceneFile":
            return self._save_scene(path, messages)
        if filetype != "VolumeFile":
            self._say(messages, f"No writer for {path} in these tests.")
            return False
        node = self._world.scene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(str(path))
        return bool(node.GetStorageNode().WriteData(node))

    @staticmethod
    def _say(messages, text: str) -> None:
        if messages is not None:
            messages.AddMessage(vtk.vtkCommand.ErrorEvent, text)

    def _load_volume(self, properties, loaded, messages) -> bool:
        path = Path(properties["fileName"])
        name = properties.get("name") or path.name.removesuffix(".gz").rsplit(".", 1)[0]
        options = (
            _LABEL_MAP * bool(properties.get("labelmap"))
            + _CENTER * bool(properties.get("center"))
            + _SINGLE_FILE * bool(properties.get("singleFile"))
            + _AUTO_WINDOW * bool(properties.get("autoWindowLevel", True))
            + _NO_ORIENTATION * bool(properties.get("discardOrientation"))
        )
        if not path.exists():
            self._say(messages, f"{path} doesn't exist.")
            return False
        node = self._world.volumes_logic.AddArchetypeVolume(str(path), name, options)
        if node is None:
            self._say(messages, f"{path} can't be read as a volume.")
            return False
        if properties.get("colorNodeID"):
            node.GetDisplayNode().SetAndObserveColorNodeID(properties["colorNodeID"])
        if properties.get("show", True):
            selection = self._world.application_logic.GetSelectionNode()
            if properties.get("labelmap"):
                selection.SetActiveLabelVolumeID(node.GetID())
            else:
                selection.SetActiveVolumeID(node.GetID())
            self._world.application_logic.PropagateVolumeSelection()
        loaded.AddItem(node)
        return True

    def _load_segmentation(self, properties, loaded, messages) -> bool:
        if not Path(properties["fileName"]).exists():
            self._say(messages, f"{properties['fileName']} doesn't exist.")
            return False
        path, name = properties["fileName"], properties.get("name", "")
        node = self._world.segmentations_logic.LoadSegmentationFromFile(str(path), False, name)
        if node is None:
            self._say(messages, f"{path} can't be read as a segmentation.")
            return False
        loaded.AddItem(node)
        return True

    def _load_scene(self, properties, messages) -> bool:
        scene, path, clear = self._world.scene, properties["fileName"], bool(properties.get("clear"))
        if not Path(path).exists():
            self._say(messages, f"{path} doesn't exist.")
            return False
        if path.lower().endswith(".mrb"):
            return bool(scene.ReadFromMRB(path, clear, messages))
        scene.SetURL(path)
        return bool(scene.Connect(messages) if clear else scene.Import(messages))

    def _save_scene(self, path: Path, messages) -> bool:
        scene = self._world.scene
        if path.suffix == ".mrml":
            scene.SetURL(str(path))
            return bool(scene.Commit(str(path), messages))
        if path.suffix == ".mrb":
            return bool(scene.WriteToMRB(str(path), None, messages))
        path.mkdir(parents=True, exist_ok=True)
        return bool(scene.SaveSceneToSlicerDataBundleDirectory(str(path), None, messages))
