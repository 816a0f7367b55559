"""What the console hands over where a node belongs: the node, or the path of a file, which is then loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import slicer

from inference_core.errors import InputError


class GivenNodes:
    """Finds the nodes; `loaded` are those that it loaded for that."""

    def __init__(self):
        self.loaded: list = []

    def volume(self, given, role: str):
        """A volume node, or None if None is given.

        Args:
            given: a node, or the path of an image.
            role: what it is for, such as "T1".

        Raises:
            InputError: for anything else, and for a file that can't be read.
        """
        return self._node(given, role, "volume", lambda path: slicer.util.loadVolume(path, {"show": False}))

    def segmentation(self, given, role: str):
        """A segmentation node; as `volume`, of a segmentation or label image."""
        return self._node(given, role, "segmentation", slicer.util.loadSegmentation)

    def _node(self, given, role: str, kind: str, load):
        if given is None or isinstance(given, slicer.vtkMRMLNode):
            return given
        if not isinstance(given, str | Path):
            raise InputError(f"The {role} is of type {type(given).__name__}: give a {kind} node or a file's path.")
        path = Path(given).expanduser()
        if not path.is_file():
            raise InputError(f"The {role} '{given}' is neither a node nor a file: give a {kind} node or a file's path.")
        try:
            node = load(str(path))
        except RuntimeError as error:
            raise InputError(f"The {role} '{given}' can't be read as a {kind}: give another file.") from error
        self.loaded.append(node)
        return node


@contextmanager
def given_nodes() -> Iterator[GivenNodes]:
    """For finding a call's nodes: if one can't be had, those that were loaded are taken out of the scene again."""
    nodes = GivenNodes()
    try:
        yield nodes
    except InputError:
        for node in nodes.loaded:
            slicer.mrmlScene.RemoveNode(node)
        raise
