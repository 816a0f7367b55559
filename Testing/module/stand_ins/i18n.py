"""`slicer.i18n`: the strings as they stand in the source; there are no translations here."""

# ruff: noqa: N802, N803


def tr(text: str) -> str:
    return text


def translate(context: str, text: str) -> str:
    return text


def getContext(sourceFile: str) -> str:
    """The context that a module file's strings are translated in."""
    from pathlib import Path

    return Path(sourceFile).stem
