"""The input's resolution in words, as the panel states it."""

from dataclasses import dataclass

import SimpleITK as sitk
from slicer.i18n import tr as _

from inference_core.errors import InputError, collected_warnings
from inference_core.imaging.geometry import super_resolved_grid
from inference_core.imaging.measured_support import as_measured
from inference_core.imaging.reading import check_map
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX, check_resolution


@dataclass(frozen=True)
class Readout:
    """What the panel says of a map.

    Attributes:
        text: such as "22 x 22 -> 64 x 64, 10.0 -> 3.4 mm, x2.9", with typographic signs.
        warning: a sentence on what to mind, or "".
        usable: whether the map can be super-resolved.
    """

    text: str
    warning: str
    usable: bool


def _size(first: float, second: float, pattern: str) -> str:
    a, b = pattern.format(first), pattern.format(second)
    return a if a == b else f"{a} \u00d7 {b}"


def describe(image: sitk.Image) -> Readout:
    """Read a map's resolution from its voxels and header.

    Args:
        image: the map.
    """
    try:
        with collected_warnings() as notices:
            loaded = check_map(image)
            measured, support = as_measured(loaded)
            grid = super_resolved_grid(measured)
            n = check_resolution(grid.rows, grid.columns)
    except InputError as error:
        return Readout(text="\u2013", warning=str(error), usable=False)
    columns, rows, _slices = measured.GetSize()
    spacing, fine = measured.GetSpacing(), grid.spacing
    text = _("{rows} \u00d7 {columns} \u2192 {N} \u00d7 {N}, {spacing} \u2192 {fine} mm, \u00d7{factor:.1f}").format(
        rows=rows,
        columns=columns,
        N=SUPER_RESOLVED_MATRIX,
        spacing=_size(spacing[0], spacing[1], "{:.1f}"),
        fine=_size(fine[0], fine[1], "{:.1f}"),
        factor=SUPER_RESOLVED_MATRIX / n,
    )
    if support.interpolation is not None:
        notices.insert(0, support.notice(loaded))
    return Readout(text=text, warning=" ".join(notices), usable=True)
