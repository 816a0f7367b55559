"""The console's arguments for nodes: a node, or the path of a file, which is then loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer
import vtk

from inference_core.errors import InputError, collected_warnings
from inference_core.imaging.nifti import check_itk_place
from inference_core.imaging.reading import read_image
from MRSISuperResLib.scene.volumes import matrix_of, vtk_matrix_of

#: Matrices of one place agree within this, in mm: headers are rounded.
_SAME_PLACE = 1e-3
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


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
            InputError: for anything else, and for a file that can't be read, or that the commands would refuse.
        """
        node = self._node(given, role, "volume", lambda path: slicer.util.loadVolume(path, {"show": False}))
        if node is not None and node is not given:
            _as_the_core_reads_it(node, Path(given).expanduser(), role)
        return node

    def volumes_of_patient(self, map_node, t1_node, flair_node) -> list:
        """The volume nodes of a metabolite map, T1 and FLAIR; each as `volume`."""
        roles = {"metabolite map": map_node, "T1": t1_node, "FLAIR": flair_node}
        return [self.volume(given, role) for role, given in roles.items()]

    def segmentation(self, given, role: str):
        """A segmentation node; as `volume`, of a segmentation or label image."""
        if isinstance(given, str | Path):
            check_itk_place(Path(given).expanduser(), f"{role} '{given}'")
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


def _as_the_core_reads_it(node, path: Path, role: str) -> None:
    """Give a loaded volume the place and values that the commands would take from its file.

    Slicer takes the qform of many NIfTI files whose sform tells where they were registered to.
    """
    with collected_warnings() as notices:
        image = read_image(path, role)
    for notice in notices:
        print(f"{node.GetName()}: {notice}")
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    loaded = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(loaded)
    if not np.allclose(_RAS_TO_LPS @ matrix_of(loaded), matrix, rtol=0, atol=_SAME_PLACE):
        node.SetIJKToRASMatrix(vtk_matrix_of(_RAS_TO_LPS @ matrix))
    array = sitk.GetArrayFromImage(image)
    if not np.array_equal(slicer.util.arrayFromVolume(node), array, equal_nan=array.dtype.kind == "f"):
        slicer.util.updateVolumeFromArray(node, array)


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
