"""A frame around the panel that is always as high as the panel needs to be at its width.

Once a module was left and entered again, Slicer's module panel no longer notices when the height that a panel needs
for its width changes (labels that wrap): texts would be cut off and tables overlapped. A widget without a layout has
no height for its width, only a minimum size, and that always reaches Slicer.
"""

import qt


class FittingFrame(qt.QObject):
    """Keeps the minimum size of `widget`, and its contents' place in it.

    Args:
        contents: a widget with a layout that has labels which wrap.
    """

    def __init__(self, contents):
        super().__init__()
        self._contents = contents
        self._frame = qt.QWidget()
        contents.setParent(self._frame)
        self._frame.installEventFilter(self)

    @property
    def widget(self):
        """The frame, to be put into a layout."""
        return self._frame

    def eventFilter(self, _frame, event):  # noqa: N802
        """Follow the frame's width, and what the contents need."""
        if event.type() in (qt.QEvent.Resize, qt.QEvent.LayoutRequest, qt.QEvent.Show):
            self._fit()
        return False

    def _fit(self) -> None:
        layout, width = self._contents.layout(), self._frame.width
        height = layout.totalHeightForWidth(width)
        self._frame.setMinimumSize(layout.totalMinimumSize().width(), height)
        self._contents.setGeometry(0, 0, width, max(height, self._frame.height))
