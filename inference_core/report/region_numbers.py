"""What is in the regions, in the figures' columns: super-resolved, as measured, and whether signal was kept."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from inference_core.regions.table import RegionRow
from inference_core.report.columns import Column
from inference_core.report.markup import Content, element
from inference_core.report.numbers import number, with_half_width


def numbers_table(
    columns: Sequence[Column],
    span: int,
    regions: Mapping[str, Sequence[RegionRow]],
    outlines: Mapping[str, str],
    explained: Mapping[str, float | None] | None = None,
    detail: bool = True,
) -> Element:
    """A table whose columns stand below the figures'.

    Args:
        columns: of the figures.
        span: slices that are shown of each.
        regions: their rows by name.
        outlines: colours by the region's name, of those that the figures show.
        explained: which share of the held-back detail each metabolite's self-check found, None where it could not.
        detail: whether it begins with each result's share of measured detail and what the self-check found; otherwise
            with the columns' names.
    """
    if detail:
        body = [_row("measured detail", [_percent(column.measured_share) for column in columns], span, "detail")]
        if explained:
            body.append(_row("self-check", [_percent(explained.get(column.name)) for column in columns], span))
    else:
        body = [_row("", [element("b", column.name) for column in columns], span, "detail")]
    for name, rows in regions.items():
        body += _region(name, {row.quantity: row for row in rows}, columns, span, outlines.get(name))
    widths = [element("col", class_="labels"), *(element("col") for _ in range(len(columns) * span))]
    return element("table", element("colgroup", widths), element("tbody", body), class_="numbers")


def _region(
    name: str, rows: Mapping[str, RegionRow], columns: Sequence[Column], span: int, outline: str | None
) -> list[Element]:
    found = [rows.get(column.name) for column in columns]
    volume = max((row.volume_ml for row in rows.values()), default=0.0)
    swatch = outline and element("i", class_="swatch", style=f"background: {outline}")
    label = [swatch, element("b", name), f" {volume:.1f} mL"]
    measured = [row and number(row.low_resolution_mean) for row in found]
    kept = [row and _percent(row.signal_change, "+.1f") for row in found]
    # A line of its own, so that a long name does not push the numbers apart.
    title = element("tr", element("th", label, colspan=1 + span * len(columns)), class_="region")
    return [
        title,
        _row("super-resolved", [row and _mean(row) for row in found], span),
        _row("as measured", measured, span),
        _row("signal gained", kept, span),
    ]


def _mean(row: RegionRow) -> Content:
    mean, half_width = with_half_width(row.mean, row.uncertainty)
    return [element("b", mean), f" ± {half_width}" if half_width else None]


def _percent(share: float | None, form: str = ".0f") -> str | None:
    return None if share is None or share != share else f"{100 * share:{form}} %"


def _row(label: Content, cells: Sequence[Content], span: int, kind: str | None = None) -> Element:
    numbers = [element("td", cell, colspan=span if span > 1 else None) for cell in cells]
    return element("tr", element("th", label), numbers, class_=kind)
