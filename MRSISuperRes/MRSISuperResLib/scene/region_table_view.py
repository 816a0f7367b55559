"""The rows of a measurement as a table in the panel, a table in the scene, and text."""

from collections.abc import Sequence
from dataclasses import fields

import qt
from slicer.i18n import tr as _

from MRSISuperResLib.scene.table_node import fill_table_node


def _number(value: float | None, form: str = ".4g") -> str:
    return "\u2013" if value is None else format(value, form)


def _is_beyond(row) -> bool:
    """Whether super-resolution changed a region's signal by more than is said of its uncertainty."""
    if row.signal_change is None or row.uncertainty is None:
        return False
    return abs(row.signal_change) * row.low_resolution_mean > row.uncertainty


def _signal(row) -> str:
    change = _number(row.signal_change, "+.1%")
    return f"{change} (!)" if _is_beyond(row) else change


def _cells(row) -> list[str]:
    mean = _number(row.mean)
    if row.uncertainty is not None:
        mean += f" \u00b1 {row.uncertainty:.2g}"
    return [
        row.region,
        row.quantity,
        f"{row.volume_ml:.1f}",
        _number(row.low_resolution_mean),
        mean,
        _number(row.median),
        "\u2013" if row.low is None else f"{row.low:.4g} \u2013 {row.high:.4g}",
        _signal(row),
    ]


def headings() -> list[str]:
    """Of the columns."""
    return [
        _("Region"),
        _("Quantity"),
        _("mL"),
        _("As measured"),
        _("Super-resolved"),
        _("Median"),
        _("10th \u2013 90th percentile"),
        _("Signal"),
    ]


def fill_table(widget: qt.QTableWidget, rows: Sequence) -> None:
    """Show rows in the panel's table, instead of those before."""
    names = headings()
    widget.setColumnCount(len(names))
    widget.setHorizontalHeaderLabels(names)
    explained = _("How much more signal the region holds than was measured; (!): beyond the stated uncertainty.")
    widget.horizontalHeaderItem(len(names) - 1).setToolTip(explained)
    widget.setRowCount(len(rows))
    for index, row in enumerate(rows):
        for column, text in enumerate(_cells(row)):
            widget.setItem(index, column, qt.QTableWidgetItem(text))
    widget.resizeColumnsToContents()


def as_text(rows: Sequence) -> str:
    """The panel's table for a spreadsheet or a letter: tab-separated, with a header."""
    return "\n".join("\t".join(cells) for cells in (headings(), *map(_cells, rows))) + "\n"


def table_node(measured, name: str):
    """All that is known of the rows, as a table node in the scene: one of that name is written anew.

    Args:
        measured: a `RegionMeasurement` with rows.
        name: of the node.
    """
    rows = measured.rows
    node = fill_table_node(name, {field.name: [getattr(row, field.name) for row in rows] for field in fields(rows[0])})
    node.SetAttribute("MRSISuperRes.Sharpness", f"{measured.result.sharpness:.6g}")
    node.SetAttribute("MRSISuperRes.Use", "research only, not for diagnosis")
    return node


def signal_check(rows: Sequence) -> tuple[str, str]:
    """Whether super-resolution created or destroyed signal: a text for the user and its kind, as of `show_message`."""
    checked = [row for row in rows if row.signal_change is not None]
    if not checked:
        return "", "note"
    most = max(abs(row.signal_change) for row in checked)
    text = _("Super-resolution changed the signal in the regions by at most {0:.1%}.").format(most)
    if any(row.uncertainty is None for row in checked):
        return text, "note"
    beyond = [row for row in checked if _is_beyond(row)]
    if not beyond:
        return f"{text} " + _("That is within the stated uncertainty everywhere."), "note"
    names = ", ".join(f"{row.quantity} in {row.region}" for row in beyond)
    return f"{text} " + _("Beyond the stated uncertainty: {0}.").format(names), "warning"
