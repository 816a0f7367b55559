"""Pictures of a prepared patient: each map with what became of it on T1 and FLAIR, and how T1 and FLAIR fit."""

import io
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from inference_core.preparation.prepared_patient import PreparedMap, PreparedMaps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOUR_MAP = "inferno"
#: Slices that are shown of each map, at most.
_SLICES = 5
#: MRI voxels in the plane for each map voxel, so that overlays show the anatomy.
_FINENESS = 6
#: Share of the accepted voxels that the colour scale ends above.
_WINDOW = 99.0
#: Squares of the checkerboard, mm.
_SQUARE = 20.0
#: Ends of the patient's axes in LPS, at lower and higher coordinates.
_ENDS = (("R", "L"), ("A", "P"), ("I", "S"))


def png(figure: "Figure") -> bytes:
    """A figure as PNG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def shown_slices(selected: np.ndarray) -> list[int]:
    """A few of the selected slices, spread evenly, `(slice,)` bool to indices."""
    there = np.flatnonzero(selected)
    places = np.unique(np.linspace(0, len(there) - 1, min(_SLICES, len(there))).round().astype(int))
    return there[places].tolist()


def map_figure(name: str, own: PreparedMap, maps: PreparedMaps, t1: sitk.Image, flair: sitk.Image) -> "Figure":
    """One metabolite: as read, filtered, what was rejected, and the filtered map over T1 and FLAIR, slice by slice.

    Args:
        name: the metabolite.
        own: its map.
        maps: that it is one of.
        t1, flair: in the map's space, with their skulls where they had them.
    """
    image = own.acquired.concentration
    slices = shown_slices(maps.slices)
    acquired = np.nan_to_num(sitk.GetArrayFromImage(image))
    window = float(np.percentile(own.filtered[own.valid], _WINDOW))
    behind = {"T1": _on_slices(t1, image), "FLAIR": _on_slices(flair, image)}
    figure, axes = _canvas(5, len(slices), image)
    scale = {"cmap": _COLOUR_MAP, "vmin": 0, "vmax": window}
    shown = None
    for column, index in enumerate(slices):
        cells = axes[:, column]
        cells[0].set_title(f"slice {index + 1} of {len(acquired)}", fontsize=8)
        shown = _show(cells[0], acquired[index], image, **scale)
        _show(cells[1], own.filtered[index], image, **scale)
        _show(cells[2], _fate(own, maps, index), image, cmap=_fate_colours(), vmin=-0.5, vmax=2.5)
        masked = np.ma.masked_where(own.filtered[index] <= 0, own.filtered[index])
        for cell, mri in zip(cells[3:], behind.values(), strict=True):
            _show(cell, mri[index], image, cmap="gray", vmin=0)
            _show(cell, masked, image, alpha=0.55, **scale)
    for cell, label in zip(axes[:, 0], ("as read", "filtered", "accepted (green)", "on T1", "on FLAIR"), strict=True):
        cell.set_ylabel(label, fontsize=9)
    _mark_sides(axes[0, 0], image)
    bar = figure.colorbar(shown, ax=axes[:, -1].tolist(), shrink=0.5)
    bar.set_label(f"{name}, the source's units", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def registration_figure(fixed: sitk.Image, moved: sitk.Image, fixed_role: str, moved_role: str) -> "Figure":
    """Both images in turns on the squares of a checkerboard, in three planes through the fixed one's middle.

    Args:
        fixed: 3-D.
        moved: 3-D, in the fixed one's space.
        fixed_role, moved_role: what to call them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # In the patient's axes, whatever the images' own are.
    grid = _axial_grid(fixed)
    first, second = (_normalised(sitk.Resample(image, grid)) for image in (fixed, moved))
    square = max(1, round(_SQUARE / grid.GetSpacing()[0]))
    figure = Figure(figsize=(9.2, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    middle = [size // 2 for size in first.shape]
    for axis, cell in zip((0, 1, 2), figure.subplots(1, 3), strict=True):
        planes = [np.take(array, middle[axis], axis=axis) for array in (first, second)]
        rows, columns = np.indices(planes[0].shape) // square
        board = np.where((rows + columns) % 2, planes[0], planes[1])
        # Head up; in axial planes the front is up already.
        cell.imshow(board if axis == 0 else board[::-1], cmap="gray", vmin=0, vmax=1)
        cell.set_axis_off()
    figure.suptitle(f"{fixed_role} and {moved_role} in turns; axial, coronal, sagittal; right on the left", fontsize=9)
    return figure


def _canvas(rows: int, columns: int, image: sitk.Image) -> tuple["Figure", np.ndarray]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size, spacing = image.GetSize(), image.GetSpacing()
    height = size[1] * spacing[1] / (size[0] * spacing[0])
    figure = Figure(figsize=(1.7 * columns + 1.4, 1.7 * rows * height + 0.4), layout="compressed")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _show(axes: "Axes", array: np.ndarray, image: sitk.Image, **options) -> object:
    """A slice, of any matrix, over the field of view of the map's."""
    columns, rows, _ = image.GetSize()
    spacing = image.GetSpacing()
    shown = axes.imshow(
        array, extent=(0, columns * spacing[0], rows * spacing[1], 0), interpolation="nearest", **options
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for edge in axes.spines.values():
        edge.set_visible(False)
    return shown


def _on_slices(mri: sitk.Image, image: sitk.Image) -> np.ndarray:
    """An MRI on the map's slices, finer in the plane, `(slice, row, column)`."""
    size, spacing = list(image.GetSize()), np.array(image.GetSpacing())
    fine = spacing / [_FINENESS, _FINENESS, 1]
    axes = np.array(image.GetDirection()).reshape(3, 3)
    # The edges of the fields of view coincide, not the centres of their first voxels.
    origin = np.array(image.GetOrigin()) + axes @ ((fine - spacing) / 2)
    size[:2] = [_FINENESS * count for count in size[:2]]
    return sitk.GetArrayFromImage(
        sitk.Resample(
            mri, size, sitk.Transform(), sitk.sitkLinear, origin.tolist(), fine.tolist(), image.GetDirection(), 0.0
        )
    )


def _fate(own: PreparedMap, maps: PreparedMaps, index: int) -> np.ndarray:
    """0 outside the brain, 1 rejected, 2 accepted."""
    return np.where(own.valid[index], 2, np.where(maps.voxels.brain[index], 1, 0))


def _fate_colours():
    from matplotlib.colors import ListedColormap

    return ListedColormap(["black", "#c0392b", "#4caf50"])


def _mark_sides(axes: "Axes", image: sitk.Image) -> None:
    """Letters for the patient's sides at the ends of a slice's columns and rows."""
    directions = np.array(image.GetDirection()).reshape(3, 3)
    for axis, places in (
        (0, ((0.02, 0.5, "left"), (0.98, 0.5, "right"))),
        (1, ((0.5, 0.96, "center"), (0.5, 0.04, "center"))),
    ):
        main = int(np.abs(directions[:, axis]).argmax())
        ends = _ENDS[main] if directions[main, axis] > 0 else _ENDS[main][::-1]
        for letter, (x, y, side) in zip(ends, places, strict=True):
            axes.text(x, y, letter, transform=axes.transAxes, color="white", fontsize=8, ha=side, va="center")


def _axial_grid(image: sitk.Image) -> sitk.Image:
    """An empty grid along the patient's axes that covers an image, in voxels of 1 mm or so."""
    size = image.GetSize()
    corners = np.array(
        [
            image.TransformContinuousIndexToPhysicalPoint([(s - 1.0) * c for s, c in zip(size, corner, strict=True)])
            for corner in np.ndindex(2, 2, 2)
        ]
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = max(1.0, float((high - low).max()) / 300)
    grid = sitk.Image([int(extent / step) + 1 for extent in high - low], sitk.sitkFloat32)
    grid.SetOrigin(low.tolist())
    grid.SetSpacing([step] * 3)
    return grid


def _normalised(image: sitk.Image) -> np.ndarray:
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    inside = array[array > 0]
    return np.clip(array / np.percentile(inside, 99), 0, 1) if inside.size else array
