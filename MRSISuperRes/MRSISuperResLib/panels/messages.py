"""Sentences for the user in the panel: errors, warnings and notes, told apart by colour and never by colour alone."""

import html

import qt
from slicer.i18n import tr as _

_COLORS = {"error": "#d9534f", "warning": "#e0a82e", "note": "#5b9bd5"}


def show_message(label: qt.QLabel, text: str, kind: str = "error") -> None:
    """Show a sentence in a label, or hide the label if there is none.

    Args:
        label: of the panel.
        text: plain text.
        kind: "error", "warning" or "note".
    """
    label.visible = bool(text)
    heading = {"error": _("Error"), "warning": _("Mind"), "note": _("Note")}[kind]
    # A bar before the text rather than a frame around it: framed labels that wrap are cut off in form layouts.
    bar = f'<span style="color:{_COLORS[kind]}">\u258c</span>'
    # A long path that does not fit is cut off rather than making the whole panel wider.
    label.toolTip = f"<p>{html.escape(text, quote=False)}</p>" if text else ""
    label.text = f"{bar}<b>{heading}:</b> {html.escape(text, quote=False)}" if text else ""
