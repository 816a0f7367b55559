"""The panel's Display section: how the result is shown, and comparing it with the input."""

from collections.abc import Callable

import slicer

from MRSISuperResLib.scene.comparison import Comparison
from MRSISuperResLib.scene.front import Front
from MRSISuperResLib.scene.legend import showing_views, update_legend
from MRSISuperResLib.scene.overlay import Look, Overlay, align_views, bring_into_view, data_window, show_colors
from MRSISuperResLib.scene.result_certainty import ResultCertainty
from MRSISuperResLib.scene.result_volume import ResultLabel, ResultVolume
from MRSISuperResLib.scene.view_watcher import ViewWatcher


class DisplayPanel:
    """Shows results as the section's widgets say.

    Args:
        ui: the panel's widgets, by name.
        on_views_changed: called when the views show other volumes than before.
    """

    def __init__(self, ui, on_views_changed: Callable[[], None]):
        self.ui = ui
        self.parameters = None
        self.overlay = Overlay()
        self.comparison = Comparison(self.overlay, self._on_layout_left)
        self._on_views_changed = on_views_changed
        self._watcher = ViewWatcher(self._views_changed)
        self._left: list[str] = []
        self.front = Front(self.overlay)
        self._certainty = ResultCertainty()
        self._result: ResultVolume | None = None
        self._applied: tuple | None = None
        self._ratio = ""
        self._window_is_rough = False
        self._windows: dict[str, tuple[float, float]] = {}
        ui.windowButton.connect("clicked(bool)", self._on_window)
        ui.alignButton.connect("clicked(bool)", self._on_align)
        ui.sideBySideButton.connect("clicked(bool)", self._on_side_by_side)
        ui.flickerButton.connect("clicked(bool)", self._on_flicker)
        ui.differenceButton.connect("clicked(bool)", self._on_difference)

    @property
    def look(self) -> Look:
        """As the section says."""
        return Look(self.parameters.colorMap, self.parameters.opacity)

    @property
    def reference(self):
        """The volume node under the overlay, or None."""
        return self.parameters.flair if self.parameters.reference == "FLAIR" else self.parameters.t1

    @property
    def is_shown(self) -> bool:
        """Whether a view shows the result, in whatever way; while it flickers, in turn with the map."""
        return self.comparison.flickering or any(showing_views(node) for node in self._result_nodes())

    def connect(self, parameters) -> None:
        """Follow a parameter node and the views, or neither for None."""
        self.parameters = parameters
        self._watcher.stop()
        if parameters is not None:
            self.comparison.leave_saved_layout()
            self._watcher.start()

    def leave(self) -> None:
        """The user turns to another module."""
        self.end_flicker()
        self._left = [view.GetLayoutName() for node in self._result_nodes() for view in showing_views(node)]

    def enter(self) -> None:
        """The user returns: views that another module has left without an overlay get the result back."""
        left, self._left = self._left, []
        if left and self._result is not None and self._result.exists:
            self.overlay.show_again(self._result.node, self.reference, self.look, left)
            self.show_front()

    def refresh(self, node) -> None:
        """Enable what makes sense for a result, or None."""
        views = slicer.app.layoutManager() is not None
        # One map is not what a ratio was measured as.
        comparable = node is not None and not ResultLabel.of(node).is_ratio
        self.ui.windowButton.enabled = node is not None
        self.ui.flickerButton.enabled = comparable
        self.ui.sideBySideButton.enabled = comparable and views
        self.ui.alignButton.enabled = self.parameters.metaboliteMap is not None and views

    def adopt(self, result: ResultVolume | None, certainty: ResultCertainty) -> None:
        """Go on with a result that is displayed already, or with none."""
        self.end_comparison()
        self._result, self._certainty = result, certainty
        self._windows.clear()
        self._applied = self._wanted()
        self._ratio = result.label.metabolite if result is not None and result.label.is_ratio else ""
        if result is not None and result.node.GetDisplayNode() is not None:
            # Its colour table may not have come back with the scene.
            show_colors(result.node, self.look)
            if self.parameters.fadeUncertain:
                # What a faded result is shown through is not saved with the scene.
                self.overlay.fill_gaps(result.node)
            self.show_front()

    def result_changed(self, result: ResultVolume, certainty: ResultCertainty, to_front: bool) -> None:
        """New pixels are in a result.

        Args:
            result: complete or not.
            certainty: what is known of it.
            to_front: lay it over the reference and bring it into view.
        """
        new = self._result is None or result.node is not self._result.node
        self._result, self._certainty = result, certainty
        ratio = result.label.metabolite if result.label.is_ratio else ""
        display = result.node.GetDisplayNode()
        if new:
            self._windows.clear()
        elif ratio != self._ratio and not self._window_is_rough:
            # Perhaps the user's: to return with what it was chosen for.
            self._windows[self._ratio] = display.GetWindowLevelMin(), display.GetWindowLevelMax()
        if new or ratio != self._ratio or display.GetColorNode() is None:
            if ratio:
                self.end_comparison()
            window = self._windows.get(ratio)
            # The map knows the range before the result is complete, and does not change with lambda.
            show_colors(result.node, self.look, window or data_window(result.node if ratio else result.map_node))
            self._window_is_rough = bool(ratio) and window is None
        self._ratio = ratio
        if to_front:
            self.overlay.show(result.node, self.reference, self.look)
            bring_into_view(result.node)
        self.show_front()
        self._applied = self._wanted()
        self.comparison.update(result.map_node, result.node, self.reference, self.look)

    def result_settled(self, result: ResultVolume, complete: bool) -> None:
        """Nothing is computed any more, and the result is whole."""
        if complete:
            self.overlay.forget()
        self.show_front()

    def result_gone(self) -> None:
        """The result was given up before it was whole: give the views back what they showed."""
        self.end_comparison()
        self.front.remove(None)
        self.overlay.take_back()
        self._result = None

    def apply(self, result: ResultVolume | None) -> None:
        """Follow the section's widgets."""
        if result is None or not result.exists or result.label is None or self._wanted() == self._applied:
            return
        self._applied = self._wanted()
        show_colors(result.node, self.look)
        self.show_front()
        for node in (result.node, self.comparison.input_node, *self.front.nodes):
            if node is not None:
                self.overlay.restyle(node, self.reference, self.look)
        self.comparison.update(result.map_node, result.node, self.reference, self.look)

    def certainty_changed(self) -> None:
        """More is known of the result that is shown."""
        if self._window_is_rough and self._certainty.volume is not None:
            # Where the denominator may be zero, a ratio was huge; now it is masked there.
            show_colors(self._result.node, self.look, data_window(self._result.node))
            self._window_is_rough = False
        self.show_front()

    def show_front(self) -> None:
        """Show the result in the way that the section says, as far as what that takes is known."""
        result = self._result
        if result is None or not result.exists or result.label is None or self.comparison.flickering:
            return
        difference = bool(self.ui.differenceButton.checked)
        self.front.show(result, self._certainty, self.look, self.parameters.fadeUncertain, difference)

    def show_plainly(self) -> None:
        """Show the result itself; `show_front` goes back."""
        if self._result is not None and self._result.exists:
            self.front.remove(self._result.node)

    def end_flicker(self) -> None:
        """Stop showing the input in turn."""
        self.comparison.end_flicker()
        self.ui.flickerButton.checked = False
        self.show_front()

    def end_comparison(self) -> None:
        """Show the result alone."""
        self.comparison.end()
        self.show_plainly()
        for button in (self.ui.sideBySideButton, self.ui.flickerButton, self.ui.differenceButton):
            button.checked = False

    def forget(self) -> None:
        """Drop all references to nodes, and change none."""
        self.comparison.forget()
        self.front.forget()
        self.overlay.forget()
        for button in (self.ui.sideBySideButton, self.ui.flickerButton, self.ui.differenceButton):
            button.checked = False
        self._result = self._applied = None
        self._left.clear()

    def _result_nodes(self) -> list:
        there = self._result is not None and self._result.exists
        return [self._result.node, *self.front.nodes] if there else []

    def _views_changed(self) -> None:
        for node in self._result_nodes():
            update_legend(node)
        self._on_views_changed()

    def _on_layout_left(self) -> None:
        self.ui.sideBySideButton.checked = False

    def _wanted(self) -> tuple:
        return self.look, self.reference, self.parameters.fadeUncertain

    def _on_window(self, _checked=False) -> None:
        node = self.parameters.result
        show_colors(node, self.look, data_window(node))
        self.show_front()
        self.comparison.update(self.parameters.metaboliteMap, node, self.reference, self.look)

    def _on_align(self, _checked=False) -> None:
        align_views(self.parameters.metaboliteMap)

    def _on_side_by_side(self, checked) -> None:
        if checked:
            self.comparison.show_side_by_side(
                self.parameters.metaboliteMap, self.parameters.result, self.reference, self.look
            )
        else:
            self.comparison.end_side_by_side()

    def _on_flicker(self, checked) -> None:
        if checked:
            # The result as it is takes turns with the map as it is.
            self.ui.differenceButton.checked = False
            self.show_plainly()
            self.comparison.start_flicker(self.parameters.metaboliteMap, self.parameters.result, self.look)
        else:
            self.end_flicker()

    def _on_difference(self, checked) -> None:
        if checked and self.comparison.flickering:
            self.end_flicker()
        self.show_front()
