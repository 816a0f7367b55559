"""The output volume. Its pixels and its label always agree: it never holds slices of two different settings.

When the first slice of new settings comes in, all other slices become empty (transparent in the views) and name and
attributes change with it. Giving up restores the last complete result, label included.
"""

from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from inference_core import __version__
from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.terms.detail import DEFAULT_CONSISTENCY, DEFAULT_DETAIL
from inference_core.terms.quantity import Quantity
from MRSISuperResLib.scene.volumes import grid_matrix, matrix_of, vtk_matrix_of

_PREFIX = "MRSISuperRes."
_FORMER_DETAIL, _FORMER_CONSISTENCY = "network", "hard"
#: Role of the node reference from a result to the map that it was made from.
MAP_ROLE = "MRSISuperRes.map"
#: Likewise, from a map of uncertainties.
_UNCERTAINTY_ROLE = "MRSISuperRes.uncertaintyOf"


@dataclass(frozen=True)
class ResultLabel:
    """What a result was made from and how; everything but strings is written as users read it.

    Attributes:
        metabolite: or ratio.
        segmentation_name: of that with the tissue that a ratio is compared with; "" if there is none.
        detail, consistency: as of `inference_core.terms.detail`. Results that do not say have the network's detail and
            hard consistency: they were made before there was a choice.
    """

    metabolite: str
    sharpness: float
    n: int
    map_name: str
    t1_name: str
    flair_name: str
    weights: str
    device: str
    segmentation_name: str = ""
    detail: str = _FORMER_DETAIL
    consistency: str = _FORMER_CONSISTENCY

    @property
    def node_name(self) -> str:
        """Also a good file name, which Slicer makes of it: `tCho_n22_lambda0.02`, and what is not the default."""
        name = f"{Quantity.parse(self.metabolite).label}_n{self.n}_lambda{self.sharpness:.3g}"
        if self.detail != DEFAULT_DETAIL:
            name += f"_{self.detail}"
        return name if self.consistency == DEFAULT_CONSISTENCY else f"{name}_{self.consistency}"

    @property
    def is_ratio(self) -> bool:
        """Whether it is a ratio of metabolites."""
        return Quantity.parse(self.metabolite).ratio is not None

    @property
    def title(self) -> str:
        """For the colour legend, whose font has no Greek letters: quantity and lambda."""
        quantity, _of, tissue = self.metabolite.partition(" of ")
        return f"{quantity} {self.sharpness:.3g}" + (f"\nof {tissue}" if tissue else "")

    def attributes(self) -> dict[str, str]:
        """As node attributes, by their names."""
        values = {
            "Metabolite": self.metabolite,
            "Sharpness": f"{self.sharpness:.6g}",
            "InputResolution": str(self.n),
            "Map": self.map_name,
            "T1": self.t1_name,
            "FLAIR": self.flair_name,
            "Segmentation": self.segmentation_name,
            "Detail": self.detail,
            "Consistency": self.consistency,
            "WeightsSHA256": self.weights,
            "Device": self.device,
            "Version": __version__,
            "Use": "research only, not for diagnosis",
        }
        return {_PREFIX + name: value for name, value in values.items()}

    @classmethod
    def of(cls, node) -> "ResultLabel | None":
        """What a volume node's attributes say; None if it is no result."""

        def read(name: str) -> str:
            return node.GetAttribute(_PREFIX + name) or ""

        if not read("Metabolite"):
            return None
        return cls(
            metabolite=read("Metabolite"),
            sharpness=float(read("Sharpness")),
            n=int(read("InputResolution")),
            map_name=read("Map"),
            t1_name=read("T1"),
            flair_name=read("FLAIR"),
            weights=read("WeightsSHA256"),
            device=read("Device"),
            segmentation_name=read("Segmentation"),
            detail=read("Detail") or _FORMER_DETAIL,
            consistency=read("Consistency") or _FORMER_CONSISTENCY,
        )


def is_result(node) -> bool:
    """Whether a volume node is a super-resolved map of ours."""
    return node is not None and bool(node.GetAttribute(_PREFIX + "Metabolite"))


def result_of(map_node):
    """The newest result in the scene that was made from a map and is not kept aside, or None."""
    return _made_from(map_node, MAP_ROLE)


def uncertainty_of(map_node):
    """The newest map of uncertainties in the scene of a map's result that is not kept aside, or None."""
    return _made_from(map_node, _UNCERTAINTY_ROLE)


def _made_from(map_node, role: str):
    found = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if node.GetNodeReferenceID(role) == map_node.GetID()
        # A scene may come without its files.
        and node.GetImageData() is not None
    ]
    return found[-1] if found else None


class ResultVolume:
    """Writes results into one volume node, in place.

    Args:
        node: the volume node; empty, or holding a complete result.
        map_node: the map; the result lies under the same transform.
    """

    _role, _suffix, _kind = MAP_ROLE, "", "super-resolved map"

    def __init__(self, node, map_node):
        self.node = node
        self.map_node = map_node
        self._label = ResultLabel.of(node)
        self._request = None
        self._done: set[int] = set()
        self._complete = None
        if self._label is not None and self.is_complete:
            self._remember()

    @classmethod
    def create(cls, map_node) -> "ResultVolume":
        """A new, empty volume in the scene."""
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MRSISuperRes result")
        node.CreateDefaultDisplayNodes()
        return cls(node, map_node)

    @property
    def exists(self) -> bool:
        """Whether the node is still in the scene."""
        return self.node.GetScene() is not None

    @property
    def is_complete(self) -> bool:
        """Whether all slices are there."""
        return self.node.GetAttribute(_PREFIX + "Complete") == "yes"

    @property
    def complete_request(self):
        """Which super-resolution the last complete result is of; None if the scene brought it, or there is none."""
        return self._complete[3] if self._complete else None

    @property
    def label(self) -> ResultLabel | None:
        """What the volume shows now; None while it is empty."""
        return self._label

    @property
    def slices_done(self) -> frozenset[int]:
        """Indices of the slices that are there while a request is worked on."""
        return frozenset(self._done)

    def shows(self, request) -> bool:
        """Whether slices of a super-resolution are there, and no others."""
        return self.exists and self._request is request

    def write(self, request, label: ResultLabel, grid: SuperResolvedGrid, indices, values: np.ndarray) -> None:
        """Put slices in place.

        Args:
            request: whatever tells one super-resolution from the next; slices of another one are emptied.
            label: what it is.
            grid: where the result lies in the map's own frame.
            indices: of the slices.
            values: `(len(indices), 64, 64)`.
        """
        # One event for all, so that no observer sees pixels and label that disagree.
        modifying = self.node.StartModify()
        try:
            if request is not self._request:
                self._empty(grid)
                self._set_label(label, complete=False)
                self._request, self._done = request, set()
            array = slicer.util.arrayFromVolume(self.node)
            array[list(indices)] = values
            self._done.update(indices)
            if len(self._done) == grid.slices:
                self._set_label(label, complete=True)
                self._remember()
            slicer.util.arrayFromVolumeModified(self.node)
        finally:
            self.node.EndModify(modifying)

    def abandon(self) -> bool:
        """Return to the last complete result, or remove the volume if there was none.

        Returns:
            Whether the volume is still there.
        """
        self._request, self._done = None, set()
        if not self.exists:
            return False
        if self._complete is None:
            slicer.mrmlScene.RemoveNode(self.node)
            return False
        if not self.is_complete:
            array, matrix, label, _ = self._complete
            modifying = self.node.StartModify()
            try:
                self._place(matrix)
                slicer.util.updateVolumeFromArray(self.node, array.copy())
                self._set_label(label, complete=True)
            finally:
                self.node.EndModify(modifying)
        return True

    def detach(self) -> None:
        """Leave the complete result to the user: no later result is written into it."""
        self.node.RemoveNodeReferenceIDs(self._role)

    def keep_copy(self):
        """A copy of the complete result that later results leave alone; the new node.

        The copy shares the display settings of the moment, not the display node.
        """
        array, matrix, label, _ = self._complete
        name = f"{label.node_name}{self._suffix}_kept"
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        node.SetIJKToRASMatrix(vtk_matrix_of(matrix))
        node.SetAndObserveTransformNodeID(self.map_node.GetTransformNodeID())
        slicer.util.updateVolumeFromArray(node, array.copy())
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().CopyContent(self.node.GetDisplayNode())
        for name, value in self._attributes(label, complete=True).items():
            node.SetAttribute(name, value)
        return node

    def _attributes(self, label: ResultLabel, complete: bool) -> dict[str, str]:
        return {
            **label.attributes(),
            _PREFIX + "Kind": self._kind,
            _PREFIX + "Complete": "yes" if complete else "no",
        }

    def _remember(self) -> None:
        array = slicer.util.arrayFromVolume(self.node)
        self._complete = (np.array(array), self._current_matrix(), self._label, self._request)

    def _current_matrix(self) -> np.ndarray:
        matrix = vtk.vtkMatrix4x4()
        self.node.GetIJKToRASMatrix(matrix)
        return matrix_of(matrix)

    def _place(self, matrix: np.ndarray) -> None:
        self.node.SetIJKToRASMatrix(vtk_matrix_of(matrix))
        self.node.SetAndObserveTransformNodeID(self.map_node.GetTransformNodeID())

    def _empty(self, grid: SuperResolvedGrid) -> None:
        self._place(grid_matrix(grid))
        shape = grid.size[::-1]
        image = self.node.GetImageData()
        if image is not None and image.GetDimensions() == grid.size:
            slicer.util.arrayFromVolume(self.node)[:] = 0
        else:
            slicer.util.updateVolumeFromArray(self.node, np.zeros(shape, dtype=np.float32))

    def _set_label(self, label: ResultLabel, complete: bool) -> None:
        self._label = label
        self.node.SetName(label.node_name + self._suffix)
        for name, value in self._attributes(label, complete).items():
            self.node.SetAttribute(name, value)
        self.node.SetNodeReferenceID(self._role, self.map_node.GetID())


class UncertaintyVolume(ResultVolume):
    """Beside a result, the half-widths of its 68 % intervals, in the result's units."""

    _role, _suffix = _UNCERTAINTY_ROLE, "_uncertainty"
    _kind = "half-width of the interval that is to hold the true value in 68 % of voxels"

    def remove(self) -> None:
        """Take the volume out of the scene: there is no result any more that it belongs to."""
        if self.exists:
            slicer.mrmlScene.RemoveNode(self.node)
