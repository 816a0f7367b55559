"""What overlays the reference: a result, the result faded where it is uncertain, or the network's part of it."""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from MRSISuperResLib.scene.derived_volume import DerivedVolume
from MRSISuperResLib.scene.fading import faded, finer_matrix
from MRSISuperResLib.scene.legend import show_legend, update_legend
from MRSISuperResLib.scene.overlay import Look, Overlay, show_colors
from MRSISuperResLib.scene.result_certainty import ResultCertainty
from MRSISuperResLib.scene.result_volume import ResultVolume
from MRSISuperResLib.scene.volumes import matrix_of

#: Of the differences' sizes, the percentile at which their colours end.
_WINDOW_PERCENTILE = 99.5


class Front:
    """Swaps a result in the views for a way of looking at it, and back.

    Args:
        overlay: shows the result.
    """

    def __init__(self, overlay: Overlay):
        self._overlay = overlay
        self._faded = DerivedVolume("MRSISuperRes faded result", interpolated=False)
        self._difference = DerivedVolume("MRSISuperRes difference", interpolated=True)
        self._faded_from: tuple | None = None

    @property
    def nodes(self) -> list:
        """The volumes made here that there are."""
        return [volume.node for volume in (self._faded, self._difference) if volume.node is not None]

    def show(self, result: ResultVolume, certainty: ResultCertainty, look: Look, fade: bool, difference: bool) -> None:
        """Show a result in one of its ways, as far as what that takes is known; else itself.

        Args:
            result: in the views, or one of the volumes made from it.
            certainty: what is known of it.
            look: for what is made from it.
            fade: fade it where it is uncertain.
            difference: show what the network added instead.
        """
        if difference and certainty.added is not None:
            front, title = self._show_difference(result, certainty.added), _("Network, {0}")
        elif fade and certainty.volume is not None:
            front, title = self._show_faded(result, certainty.volume.node, look), "{0}"
        else:
            front, title = result.node, "{0}"
        for node in (result.node, *self.nodes):
            if node is not front:
                self._overlay.swap(node, front)
        for volume in (self._faded, self._difference):
            if volume.node is not front:
                volume.remove()
        show_legend(front, title.format(result.label.title))
        if front is not result.node:
            update_legend(result.node)

    def remove(self, result_node) -> None:
        """Show the result itself, or nothing if it is None, and remove what was made from it."""
        for node in self.nodes:
            if result_node is not None:
                self._overlay.swap(node, result_node)
        self._faded.remove()
        self._difference.remove()

    def forget(self) -> None:
        """Touch no node any more: the scene is going away."""
        self._faded.forget()
        self._difference.forget()

    def _show_faded(self, result: ResultVolume, uncertainty, look: Look):
        made_from = result.node.GetImageData().GetMTime(), uncertainty.GetImageData().GetMTime()
        if self._faded.node is None or made_from != self._faded_from:
            values, widths = (slicer.util.arrayFromVolume(node) for node in (result.node, uncertainty))
            matrix = finer_matrix(_ijk_to_ras(result.node))
            self._faded.show(faded(values, widths), matrix, result.node.GetTransformNodeID())
            self._faded_from = made_from
        display = result.node.GetDisplayNode()
        show_colors(self._faded.node, look, (display.GetWindowLevelMin(), display.GetWindowLevelMax()))
        return self._faded.node

    def _show_difference(self, result: ResultVolume, added: np.ndarray):
        node = self._difference.show(added, _ijk_to_ras(result.node), result.node.GetTransformNodeID())
        sizes = np.abs(added[added != 0])
        largest = float(np.percentile(sizes, _WINDOW_PERCENTILE)) if sizes.size else 1.0
        show_colors(node, Look("Difference", 1.0), (-largest, largest))
        # It is negative where the network took away.
        node.GetDisplayNode().SetApplyThreshold(False)
        return node


def _ijk_to_ras(node) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix_of(matrix)
