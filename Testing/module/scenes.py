"""What the module's tests have in common: the sample patient in a scene, results to compare with, a slow network."""

import threading
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

import numpy as np
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "MRSISuperRes" / "MRSISuperRes.py"
SAMPLE = ROOT / "Resources" / "SamplePatient"
#: Seconds that a busy machine may take for a handful of slices.
TIMEOUT_S = 60


def sample_file(name: str) -> Path:
    """A file of the bundled patient: "T1w", "FLAIR", or a map such as "res-n16_desc-acquired_tCho"."""
    folder = "anat" if name in ("T1w", "FLAIR") else "mrsi"
    return SAMPLE / folder / f"sub-5014_{name}.nii.gz"


def sample_images(map_name: str = "res-n16_desc-acquired_tCho") -> tuple[sitk.Image, ...]:
    """Map, T1 and FLAIR of the bundled patient."""
    return tuple(sitk.ReadImage(str(sample_file(name))) for name in (map_name, "T1w", "FLAIR"))


def expected(metabolite: str, sharpness: float, map_name: str = "res-n16_desc-acquired_tCho") -> sitk.Image:
    """What the core makes of the bundled patient: the oracle for the module's results."""
    from inference_core import SuperResolver

    return SuperResolver.load()(*sample_images(map_name), metabolite=metabolite, sharpness=sharpness)


def pixels(node) -> np.ndarray:
    """A copy of a volume's voxels, `(slice, row, column)`."""
    import slicer

    return np.array(slicer.util.arrayFromVolume(node))


def ijk_to_ras(node) -> np.ndarray:
    """A volume's own matrix."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def image_matrix(image: sitk.Image) -> np.ndarray:
    """From voxel indices to RAS, of a SimpleITK image."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ matrix


def apply_and_wait(session, widget):
    """Press Apply and wait for the result; its node."""
    session.click(widget.ui.applyButton)
    session.wait_until(lambda: not widget.panel.live.working, TIMEOUT_S)
    return widget.panel.parameters.result


def wait_for_certainty(session, widget):
    """Wait until the result's uncertainty is known, too; its node."""
    session.wait_until(lambda: not widget.panel.live.busy, TIMEOUT_S)
    return widget.panel.live.certainty.volume.node


def volumes() -> list:
    """The scene's volumes, hidden ones too, but for uncertainties, which may or may not be there yet."""
    import slicer

    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in nodes if not node.GetName().endswith("_uncertainty")]


def show_slice_of(node, index: int) -> None:
    """Turn the Red view into a volume's plane, and scroll it to a slice, as a user does."""
    import slicer

    view = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    centre = ijk_to_ras(node) @ (32, 32, index, 1)
    view.RotateToVolumePlane(node)
    view.JumpSliceByCentering(*centre[:3])


def tumour_mask():
    """The bundled patient's tumour on the T1's grid, `(slice, row, column)`."""
    mask = sitk.ReadImage(str(sample_file("res-high_desc-tumour_mask")))
    return sitk.GetArrayFromImage(sitk.Resample(mask, sitk.ReadImage(str(sample_file("T1w"))), sitk.Transform(), 1))


def add_segmentation(t1, **segments):
    """A segmentation in the scene, of arrays on the T1's grid by name."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Tumour segments")
    node.SetReferenceImageGeometryParameterFromVolumeNode(t1)
    for name, array in segments.items():
        identifier = node.GetSegmentation().AddEmptySegment(name, name)
        if array is not None:
            slicer.util.updateSegmentBinaryLabelmapFromArray(array.astype(np.uint8), node, identifier, t1)
    return node


def point_at(node, column, row, index):
    """Move the mouse onto a voxel."""
    import slicer

    position = ijk_to_ras(node) @ (column, row, index, 1)
    slicer.util.getNode("Crosshair").SetCursorPositionRAS(position[:3].tolist())


def use_segment_editor(session, source) -> None:
    """Turn to the Segment Editor, which shows the volume to be segmented alone, and back to the module."""
    import slicer

    session.leave_panel()
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        composite.SetBackgroundVolumeID(source.GetID())
        composite.SetForegroundVolumeID(None)
        composite.SetLabelVolumeID(None)
    session.process_events(20)
    session.open_panel()


class SlowNetwork:
    """Lets a test decide when each call of the network may go on."""

    def __init__(self):
        self.calls: list[tuple] = []
        self._allowed = threading.Semaphore(0)
        self.open = False

    def allow(self, calls: int = 1) -> None:
        """Let so many calls through."""
        for _ in range(calls):
            self._allowed.release()

    def allow_all(self) -> None:
        """Let all calls through from now on."""
        self.open = True
        self.allow(1000)

    def wait(self, *call) -> None:
        """What a call does first."""
        self.calls.append(call)
        if not self.open and not self._allowed.acquire(timeout=TIMEOUT_S):
            raise TimeoutError("no test allowed this call")


@contextmanager
def slow_network(monkeypatch):
    """Every call of `SuperResolver.super_resolve` waits until the test allows it."""
    from inference_core.inference.super_resolver import SuperResolver

    network, original = SlowNetwork(), SuperResolver.super_resolve

    @wraps(original)
    def super_resolve(self, prepared, metabolite="tCho", sharpness=0.0, slices=None, *others, **named):
        network.wait(metabolite, sharpness, slices)
        return original(self, prepared, metabolite, sharpness, slices, *others, **named)

    monkeypatch.setattr(SuperResolver, "super_resolve", super_resolve)
    try:
        yield network
    finally:
        network.allow_all()
