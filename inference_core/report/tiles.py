"""One picture of the page: a slice in its true proportions, with outlines of regions and letters for the sides."""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from inference_core.report.markup import element
from inference_core.report.orientation import SliceView
from inference_core.report.png import data_uri

#: Colours of the outlines, in the order of the regions; beyond, they begin again.
OUTLINES = ("#ffffff", "#00e5ff", "#76ff03", "#ff80ab")
#: Free space kept around the brain, mm.
_MARGIN = 4.0
#: Height of letters and width of outlines, as shares of the picture's height.
_LETTER, _LINE = 0.1, 0.007


@dataclass(frozen=True)
class Frame:
    """What all pictures of a page have in common.

    Attributes:
        view: how slices are turned.
        rows, columns: the part of a turned slice that is shown.
        step: mm between its columns and between its rows.
    """

    view: SliceView
    rows: slice
    columns: slice
    step: tuple[float, float]

    def shown(self, array: np.ndarray) -> np.ndarray:
        """A slice `(row, column, ...)` as it is shown."""
        return self.view(array)[self.rows, self.columns]


def frame_around(brain: np.ndarray, view: SliceView, step: tuple[float, float]) -> Frame:
    """A frame that holds the brain and little else.

    Args:
        brain: `(slice, row, column)` bool, of the slices that are shown.
        view: how slices are turned.
        step: mm between columns and between rows, not turned yet.
    """
    turned = view(brain.any(axis=0))
    steps = view.spacing(*step)
    parts = []
    for along, own in ((turned.any(axis=1), steps[1]), (turned.any(axis=0), steps[0])):
        there, margin = np.flatnonzero(along), round(_MARGIN / own)
        first, last = (there[0], there[-1]) if there.size else (0, along.size - 1)
        parts.append(slice(max(int(first) - margin, 0), min(int(last) + margin + 1, along.size)))
    return Frame(view, parts[0], parts[1], steps)


def tile(rgb: np.ndarray, frame: Frame, title: str, outlines: Mapping[str, np.ndarray], letters: bool) -> Element:
    """A picture that keeps its proportions at any size.

    Args:
        rgb: the slice, `(row, column, 3)` uint8.
        frame: of the page.
        title: what a mouse over it, or a voice, says.
        outlines: regions of the slice, `(row, column)` bool, by colour.
        letters: whether it names the patient's sides.
    """
    picture = frame.shown(rgb)
    width, height = picture.shape[1] * frame.step[0], picture.shape[0] * frame.step[1]
    return element(
        "svg",
        element("title", title),
        element(
            "image", href=data_uri(picture), width=f"{width:.1f}", height=f"{height:.1f}", preserveAspectRatio="none"
        ),
        [_outline(frame.shown(inside), frame.step, colour, height) for colour, inside in outlines.items()],
        _letters(frame.view, width, height) if letters else None,
        viewBox=f"0 0 {width:.1f} {height:.1f}",
        role="img",
    )


def _outline(inside: np.ndarray, step: tuple[float, float], colour: str, height: float) -> Element | None:
    """The edges between voxels that are in a region and those that are not."""
    if not inside.any():
        return None
    padded = np.pad(inside, 1)
    across, down = step
    between_rows = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])
    between_columns = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])
    path = "".join(f"M{c * across:.1f} {r * down:.1f}h{across:.2f}" for r, c in between_rows)
    path += "".join(f"M{c * across:.1f} {r * down:.1f}v{down:.2f}" for r, c in between_columns)
    return element("path", d=path, stroke=colour, stroke_width=f"{_LINE * height:.2f}", stroke_linecap="square")


def _letters(view: SliceView, width: float, height: float) -> list[Element]:
    size = _LETTER * height
    inset = 0.6 * size
    places = (
        (view.left, inset, height / 2),
        (view.right, width - inset, height / 2),
        (view.top, width / 2, inset),
        (view.bottom, width / 2, height - inset),
    )
    return [
        element("text", letter, class_="side", x=f"{x:.1f}", y=f"{y:.1f}", font_size=f"{size:.1f}")
        for letter, x, y in places
    ]
