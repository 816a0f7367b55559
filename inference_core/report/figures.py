"""The page's pictures: a column a metabolite, ratio and slice; rows as measured, super-resolved, and uncertainty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

import numpy as np

from inference_core.report.colours import bar, on_anatomy, on_black
from inference_core.report.columns import Column, finer
from inference_core.report.markup import Content, element
from inference_core.report.numbers import number, times
from inference_core.report.orientation import slice_view
from inference_core.report.png import data_uri
from inference_core.report.tiles import OUTLINES, Frame, frame_around, tile
from inference_core.terms.conditions import MRI_UPSAMPLING

if TYPE_CHECKING:
    from inference_core.inference.patient_result import PatientResult


_MAP_COLOURS, _UNCERTAINTY_COLOURS = "inferno", "viridis"
#: Share of the brain's voxels that anatomy is white above.
_WHITE = 99.5


@dataclass(frozen=True)
class _Slice:
    """One slice of one column.

    Attributes:
        column: which.
        index: of the slice.
        first: whether its pictures name the patient's sides.
    """

    column: Column
    index: int
    first: bool


def figures(
    result: "PatientResult",
    columns: Sequence[Column],
    slices: Sequence[int],
    regions: Mapping[str, np.ndarray],
    units: str,
) -> Element:
    """All pictures in one grid.

    Args:
        result: the patient's maps.
        columns: from `make_columns`.
        slices: that are shown.
        regions: each voxel's share in each region, `(slice, 64, 64)`, by name, in the order of `OUTLINES`.
        units: of the maps, for the colour bars.
    """
    grid, brain = result.grid, finer(result.brain)
    step = (grid.spacing[0] / MRI_UPSAMPLING, grid.spacing[1] / MRI_UPSAMPLING)
    frame = frame_around(brain[list(slices)], slice_view(grid.direction), step)
    outlines = dict(zip(OUTLINES, (finer(share) >= 0.5 for share in regions.values()), strict=False))
    drawn = [_Slice(column, index, column is columns[0]) for column in columns for index in slices]

    def row(what: str, picture) -> list[Element]:
        return [_label(what), *(_tile(own, what, picture(own.column, own.index), frame, outlines) for own in drawn)]

    cells = [element("div"), *(_heading(own, grid.slices, len(slices)) for own in drawn)]
    cells += row(f"as measured, {times(*grid.original_size)}", _measured)
    for role, mri in _anatomy(result, brain, slices).items():
        cells += row(f"super-resolved, on {role}", lambda column, index, mri=mri: _over(column, index, mri[index]))
    cells += [_label(units, "small"), *(_bar(own.column.window, _MAP_COLOURS) for own in drawn)]
    heights = "auto repeat(3, minmax(0, 1fr)) auto"
    if any(column.uncertainty is not None for column in columns):
        cells += row("±, half of the 68 % interval", _uncertainty)
        cells += [element("div"), *(_bar(own.column.uncertainty_window, _UNCERTAINTY_COLOURS) for own in drawn)]
        heights += " minmax(0, 1fr) auto"
    widths = f"var(--labels) repeat({len(drawn)}, minmax(0, 1fr))"
    style = f"grid-template-columns: {widths}; grid-template-rows: {heights}"
    return element("div", cells, class_="figures", style=style)


def _anatomy(result: "PatientResult", brain: np.ndarray, slices: Sequence[int]) -> dict[str, np.ndarray]:
    """FLAIR and T1 behind each slice, `(slice, 192, 192)` from 0 to 1."""
    prepared = next(iter(result.metabolites.values())).prepared
    shown = list(slices)
    images = {}
    for role, slabs in (("FLAIR", prepared.flair), ("T1", prepared.t1)):
        middle = slabs[..., slabs.shape[-1] // 2]
        white = float(np.percentile(middle[shown][brain[shown]], _WHITE))
        images[role] = middle / white if white > 0 else middle
    return images


def _measured(column: Column, index: int) -> np.ndarray:
    return on_black(column.measured[index], column.measured_mask[index], column.window, _MAP_COLOURS)


def _over(column: Column, index: int, mri: np.ndarray) -> np.ndarray:
    return on_anatomy(column.values[index], column.mask[index], column.window, _MAP_COLOURS, mri)


def _uncertainty(column: Column, index: int) -> np.ndarray | None:
    if column.uncertainty is None:
        return None
    return on_black(column.uncertainty[index], column.mask[index], column.uncertainty_window, _UNCERTAINTY_COLOURS)


def _tile(own: _Slice, what: str, rgb: np.ndarray | None, frame: Frame, outlines: Mapping[str, np.ndarray]) -> Element:
    if rgb is None:
        return element("div")
    here = {colour: inside[own.index] for colour, inside in outlines.items()}
    return tile(rgb, frame, f"{own.column.name}, slice {own.index + 1}: {what}", here, own.first)


def _heading(own: _Slice, of: int, shown: int) -> Element:
    where = element("small", f" slice {own.index + 1} of {of}") if shown > 1 else None
    return element("div", element("b", own.column.name), where, class_="heading")


def _label(text: Content, kind: str = "") -> Element:
    return element("div", text, class_=f"label {kind}".strip())


def _bar(window: float, colours: str) -> Element:
    ends = element("div", element("span", "0"), element("span", number(window)), class_="ends")
    return element("div", element("img", src=data_uri(bar(colours)), alt=""), ends, class_="bar")
