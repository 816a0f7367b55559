"""A result's colour legend: in the views that show it, and in no other."""

import numpy as np
import slicer

from MRSISuperResLib.scene.shown_slice import views

#: Shares of a view's width and height: small enough to leave the brain free. Slicer 5.12's letters go by the width.
_SIZE = 0.05, 0.18
#: Heights of the letters, in points, for Slicers whose letters go by that.
_TITLE_SIZE, _LABEL_SIZE = 11, 10
#: Attribute of a legend that is hidden because no view shows its map.
_NOWHERE = "MRSISuperRes.Nowhere"


def showing_views(node) -> list:
    """The slice nodes of the views that have a volume in the foreground or the background."""
    return [
        slice_node
        for slice_node, composite in views()
        if node.GetID() in (composite.GetForegroundVolumeID(), composite.GetBackgroundVolumeID())
    ]


def show_legend(node, title: str) -> None:
    """Put a colour legend of a map into the views that show it, or change its title. It is saved if the map is.

    A Slicer that was started without its Colors module has no legends.

    Args:
        node: the volume.
        title: in the letters of western Europe, which are those that VTK draws.
    """
    if not hasattr(slicer.modules, "colors"):
        return
    legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(node)
    modifying = legend.StartModify()
    try:
        legend.SetSaveWithScene(node.GetSaveWithScene())
        legend.SetTitleText(title)
        legend.GetTitleTextProperty().SetFontSize(_TITLE_SIZE)
        legend.GetLabelTextProperty().SetFontSize(_LABEL_SIZE)
        window = node.GetDisplayNode().GetWindow()
        decimals = max(0, 1 - int(np.floor(np.log10(window)))) if window > 0 else 1
        legend.SetLabelFormat(f"%.{decimals}f")
        legend.SetNumberOfLabels(3)
        legend.SetSize(*_SIZE)
        # At the lower right.
        legend.SetPosition(0.98, 0.02)
        legend.SetVisibility3D(False)
        _place(legend, node)
    finally:
        legend.EndModify(modifying)


def update_legend(node) -> None:
    """Follow a change of what the views show; a legend of a map that none shows goes away."""
    for index in range(node.GetNumberOfDisplayNodes()):
        legend = node.GetNthDisplayNode(index)
        if legend is not None and legend.IsA("vtkMRMLColorLegendDisplayNode"):
            modifying = legend.StartModify()
            _place(legend, node)
            legend.EndModify(modifying)


def _place(legend, node) -> None:
    # Slicer does not look again at what the views show when a script or another module changes that.
    wanted = [view.GetID() for view in showing_views(node)]
    if wanted != list(legend.GetViewNodeIDs()):
        legend.RemoveAllViewNodeIDs()
        for identifier in wanted:
            legend.AddViewNodeID(identifier)
    if not wanted and legend.GetVisibility():
        # No list of views would mean all of them.
        legend.SetVisibility(False)
        legend.SetAttribute(_NOWHERE, "yes")
    elif wanted and legend.GetAttribute(_NOWHERE):
        # If the user hid it, it stays hidden.
        legend.SetVisibility(True)
        legend.RemoveAttribute(_NOWHERE)
