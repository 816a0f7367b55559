"""How a result is shown: over FLAIR or T1 in the slice views, in colours; nothing else is touched."""

from collections.abc import Container
from dataclasses import dataclass

import numpy as np
import slicer

from MRSISuperResLib.scene.color_maps import color_node
from MRSISuperResLib.scene.shown_slice import visible_slice_nodes
from MRSISuperResLib.scene.volumes import check_volume_node

#: Share of the positive voxels that the colours span from 0; the few above are hot spots and failed fits.
_WINDOW_PERCENTILE = 99.5
#: Views that this module makes have names that begin so, and are not part of the user's layout.
OWN_VIEW_PREFIX = "MRSISuperRes"


@dataclass(frozen=True)
class Look:
    """How to show a result: the colour map's name, and the overlay's opacity from 0 to 1."""

    color_map: str
    opacity: float


def data_window(node) -> tuple[float, float]:
    """The range of values that the colours shall span, in the volume's units: from 0 to nearly the largest."""
    array = slicer.util.arrayFromVolume(node)
    positive = array[np.isfinite(array) & (array > 0)]
    return (0.0, float(np.percentile(positive, _WINDOW_PERCENTILE))) if positive.size else (0.0, 1.0)


def show_colors(node, look: Look, window: tuple[float, float] | None = None) -> None:
    """Set up a map's display node: colours, window, and voxels of 0 transparent.

    Args:
        node: the volume.
        look: for the colour map.
        window: lowest and highest value; None to leave what the user set.
    """
    display = node.GetDisplayNode()
    modifying = display.StartModify()
    try:
        display.SetAndObserveColorNodeID(color_node(look.color_map).GetID())
        if window is not None:
            display.AutoWindowLevelOff()
            display.SetWindowLevelMinMax(*window)
        # Everything outside the brain is exactly 0; every measured value, however low, stays visible.
        display.AutoThresholdOff()
        display.SetLowerThreshold(np.finfo(np.float32).tiny)
        display.SetUpperThreshold(np.finfo(np.float32).max)
        display.SetApplyThreshold(True)
    finally:
        display.EndModify(modifying)


def user_composite_nodes() -> list:
    """The composite nodes of the user's slice views, without those that this module made."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return [node for node in nodes if not (node.GetLayoutName() or "").startswith(OWN_VIEW_PREFIX)]


@dataclass(frozen=True)
class _Layers:
    background: str | None
    foreground: str | None
    opacity: float


class Overlay:
    """Lays results over the reference in all of the user's slice views, and can take that back."""

    def __init__(self):
        self._before: dict[str, _Layers] = {}

    def show(self, node, reference, look: Look) -> None:
        """Show a result over a reference.

        Args:
            node: the result, or any volume in its place.
            reference: FLAIR or T1; None to leave what is in the background.
            look: its opacity is set.
        """
        for composite in user_composite_nodes():
            own = self._before.setdefault(
                composite.GetID(),
                _Layers(
                    composite.GetBackgroundVolumeID(),
                    composite.GetForegroundVolumeID(),
                    composite.GetForegroundOpacity(),
                ),
            )
            if reference is not None:
                composite.SetBackgroundVolumeID(reference.GetID())
            composite.SetForegroundVolumeID(node.GetID())
            composite.SetForegroundOpacity(look.opacity)
            if own.background is None and slicer.app.layoutManager() is not None:
                # Nothing was in the view, so its field of view is of nothing either.
                widget = slicer.app.layoutManager().sliceWidget(composite.GetLayoutName())
                if widget is not None:
                    widget.sliceLogic().FitSliceToAll()

    def restyle(self, node, reference, look: Look) -> None:
        """Change reference and opacity in those views that have the volume in their foreground."""
        for composite in user_composite_nodes():
            if composite.GetForegroundVolumeID() == node.GetID():
                composite.SetBackgroundVolumeID(reference.GetID() if reference is not None else None)
                composite.SetForegroundOpacity(look.opacity)

    def swap(self, node, other) -> None:
        """Show `other` wherever `node` is in the foreground."""
        for composite in user_composite_nodes():
            if composite.GetForegroundVolumeID() == node.GetID():
                composite.SetForegroundVolumeID(other.GetID())

    def fill_gaps(self, node) -> None:
        """Show `node` in the foreground of those views that have none there, or one that is not in the scene."""
        for composite in user_composite_nodes():
            if _has_no_foreground(composite):
                composite.SetForegroundVolumeID(node.GetID())

    def show_again(self, node, reference, look: Look, view_names: Container[str]) -> None:
        """Show a volume again in those of some views, by layout name, that have lost it and show nothing instead."""
        for composite in user_composite_nodes():
            if composite.GetLayoutName() in view_names and _has_no_foreground(composite):
                composite.SetForegroundVolumeID(node.GetID())
        self.restyle(node, reference, look)

    def take_back(self) -> None:
        """Give the views the layers that they had before `show`, as far as those are still there."""
        for composite in user_composite_nodes():
            before = self._before.get(composite.GetID())
            if before is None:
                continue
            for volume, set_volume in (
                (before.background, composite.SetBackgroundVolumeID),
                (before.foreground, composite.SetForegroundVolumeID),
            ):
                set_volume(volume if volume and slicer.mrmlScene.GetNodeByID(volume) else None)
            composite.SetForegroundOpacity(before.opacity)
        self.forget()

    def forget(self) -> None:
        """Keep what the views show."""
        self._before.clear()


def _has_no_foreground(composite) -> bool:
    shown = composite.GetForegroundVolumeID()
    return not shown or slicer.mrmlScene.GetNodeByID(shown) is None


def bring_into_view(node) -> None:
    """Move those slice views that miss a volume entirely to its centre; leave the others where they are."""
    check_volume_node(node, "result")
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    corners = np.array([[bounds[axis * 2 + side] for axis, side in enumerate(sides)] for sides in np.ndindex(2, 2, 2)])
    for slice_node in visible_slice_nodes():
        to_ras = slice_node.GetSliceToRAS()
        normal = np.array([to_ras.GetElement(axis, 2) for axis in range(3)])
        position = np.array([to_ras.GetElement(axis, 3) for axis in range(3)])
        distances = (corners - position) @ normal
        if distances.min() > 0 or distances.max() < 0:
            slice_node.JumpSliceByCentering(*corners.mean(axis=0))


def align_views(node) -> None:
    """Turn the slice views into the plane of a volume's slices, and to its centre."""
    check_volume_node(node, "metabolite map")
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    centre = [(bounds[2 * axis] + bounds[2 * axis + 1]) / 2 for axis in range(3)]
    for slice_node in visible_slice_nodes():
        slice_node.RotateToVolumePlane(node)
        slice_node.JumpSliceByCentering(*centre)
