"""Figures of super-resolved maps: beside each other with their scores, and over the patient's FLAIR."""

import io
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference_core.files.atomic import write_file
from inference_core.files.own_outputs import SOFTWARE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOUR_MAP = "inferno"
#: Free space kept around the brain, in map voxels.
_MARGIN = 2
#: Share of the voxels that the colour scale ends above.
_WINDOW = 99.7


@dataclass(frozen=True)
class Panel:
    """One image of a figure.

    Attributes:
        title: above it.
        image: map `(64, 64)`, or MRI `(192, 192)`.
        caption: below it.
        grey: whether it is an MRI, shown in grey.
    """

    title: str
    image: np.ndarray
    caption: str = ""
    grey: bool = False


@dataclass(frozen=True)
class Row:
    """One row of a figure: the images of one metabolite.

    Attributes:
        label: to the left.
        panels: from left to right.
        brain: where the maps hold values, `(64, 64)` bool; the row shows its surroundings and no more.
        window: the upper end of the colour scale, in the maps' units.
        unit: of the colour scale.
        flair: `(192, 192)`, for what is drawn over it.
    """

    label: str
    panels: list[Panel]
    brain: np.ndarray
    window: float
    unit: str = "institutional units"
    flair: np.ndarray | None = field(default=None, repr=False)


def colour_window(truth: np.ndarray, brain: np.ndarray) -> float:
    """Where the colour scale of a map `(64, 64)` ends: above nearly all of its brain voxels."""
    return float(np.percentile(truth[brain], _WINDOW))


def _view(brain: np.ndarray) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the square that shows the brain, in map voxels."""
    rows, columns = np.flatnonzero(brain.any(axis=1)), np.flatnonzero(brain.any(axis=0))
    centre = (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2
    half = max(np.ptp(rows), np.ptp(columns)) / 2 + _MARGIN
    return centre[1] - half, centre[1] + half, centre[0] + half, centre[0] - half


def _show(axes, image: np.ndarray, view: tuple[float, float, float, float], **options) -> object:
    # All images cover the same field of view, whose voxels are numbered by the map's.
    side = 64
    shown = axes.imshow(image, extent=(-0.5, side - 0.5, side - 0.5, -0.5), interpolation="nearest", **options)
    axes.set_xlim(view[:2])
    axes.set_ylim(view[2:])
    axes.set_xticks([])
    axes.set_yticks([])
    for edge in axes.spines.values():
        edge.set_visible(False)
    return shown


def _canvas(rows: list[Row], note: str) -> tuple["Figure", np.ndarray]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = len(rows[0].panels)
    # Inches; captions need room below each row.
    height = 1.92 if any(panel.caption for panel in rows[0].panels) else 1.66
    figure = Figure(figsize=(1.75 * columns + 0.9, height * len(rows) + 0.55), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.02)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    figure.supxlabel(note, fontsize=8, color="0.35")
    return figure, axes


def maps_figure(rows: list[Row], note: str, over_flair: bool = False, opacity: float = 0.6) -> "Figure":
    """Maps beside each other, in the manner of the paper's Fig. 3.

    Args:
        rows: with as many panels each.
        note: below the figure: what the data are.
        over_flair: draw the maps over each row's FLAIR, which stays visible through them and outside the brain, and
            leave the captions out.
        opacity: of maps over the FLAIR, 0 to 1.
    """
    if over_flair:
        rows = [replace(row, panels=[replace(panel, caption="") for panel in row.panels]) for row in rows]
    figure, axes = _canvas(rows, note)
    for index, (row, line) in enumerate(zip(rows, axes, strict=True)):
        view = _view(row.brain)
        colours = {"cmap": _COLOUR_MAP, "vmin": 0, "vmax": row.window}
        shown = None
        for panel, cell in zip(row.panels, line, strict=True):
            if panel.grey:
                _show(cell, panel.image, view, cmap="gray", vmin=0)
            elif over_flair:
                _show(cell, row.flair, view, cmap="gray", vmin=0)
                visible = np.ma.masked_where(~row.brain, panel.image)
                shown = _show(cell, visible, view, alpha=opacity, **colours)
            else:
                shown = _show(cell, panel.image, view, **colours)
            cell.set_xlabel(panel.caption, fontsize=8, labelpad=2)
            if index == 0:
                cell.set_title(panel.title, fontsize=10)
        line[0].set_ylabel(row.label, fontsize=10)
        bar = figure.colorbar(shown, ax=list(line), shrink=0.85, pad=0.01, aspect=18)
        bar.ax.tick_params(labelsize=7)
        bar.set_label(row.unit, fontsize=7)
    return figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG or SVG, as the path's extension says, whole or not at all.

    Raises:
        InputError: if the file can't be written.
    """
    drawn, form = io.BytesIO(), path.suffix.removeprefix(".")
    figure.savefig(drawn, format=form, dpi=130, metadata={"Software": SOFTWARE} if form == "png" else {})
    write_file(path, drawn.getvalue())
