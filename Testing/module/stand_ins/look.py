"""Colours close to Slicer's dark theme, for screenshots that people recognise."""

from PySide6.QtGui import QColor, QPalette


def dark_palette() -> QPalette:
    palette = QPalette()
    colors = {
        QPalette.Window: "#353535",
        QPalette.WindowText: "#e6e6e6",
        QPalette.Base: "#2a2a2a",
        QPalette.AlternateBase: "#3a3a3a",
        QPalette.ToolTipBase: "#2a2a2a",
        QPalette.ToolTipText: "#e6e6e6",
        QPalette.Text: "#e6e6e6",
        QPalette.PlaceholderText: "#9a9a9a",
        QPalette.Button: "#454545",
        QPalette.ButtonText: "#e6e6e6",
        QPalette.BrightText: "#ff5555",
        QPalette.Link: "#6ab0f3",
        QPalette.Highlight: "#2a82da",
        QPalette.HighlightedText: "#ffffff",
    }
    for role, color in colors.items():
        palette.setColor(role, QColor(color))
    for role in (QPalette.WindowText, QPalette.Text, QPalette.ButtonText):
        palette.setColor(QPalette.Disabled, role, QColor("#808080"))
    palette.setColor(QPalette.Disabled, QPalette.Highlight, QColor("#5a5a5a"))
    return palette
