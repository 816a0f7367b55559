"""Keeping files of the user's own from being replaced by outputs whose names the user did not choose."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from inference_core.errors import InputError
from inference_core.files.atomic import cannot_write

#: What figures are marked with, as PNG's text "Software".
SOFTWARE = "MRSISuperRes"
_PNG_TEXT = b"tEXtSoftware\0" + SOFTWARE.encode()

#: Tells whether this program wrote a file; may raise `OSError` or `ValueError` for one that can't be read.
Recognition = Callable[[Path], bool]


def check_replaceable(outputs: Iterable[tuple[Path, Recognition]]) -> None:
    """Refuse to replace files that this program did not write; to be asked before anything is done.

    Empty files may be replaced, since nothing is lost. A link to absent content may not.

    Args:
        outputs: files to be written, whether they exist or not, each with what recognises this program's own.

    Raises:
        InputError: if one is another program's or the user's own, or a folder is in its place.
    """
    for path, is_own in outputs:
        if path.is_dir():
            raise cannot_write(path, "a folder has this name")
        if os.path.lexists(path) and not _may_go(path, is_own):
            raise InputError(
                f"'{path}' was not written by this program and would be replaced: move or rename it, or choose another "
                "folder."
            )


def _may_go(path: Path, is_own: Recognition) -> bool:
    try:
        return path.stat().st_size == 0 or is_own(path)
    except (OSError, ValueError):
        return False


def table_with(*columns: str) -> Recognition:
    """Recognises tab-separated tables that have these columns, and maybe more."""

    def is_own(path: Path) -> bool:
        with path.open(encoding="utf-8") as file:
            return set(columns) <= set(file.readline().rstrip("\n").split("\t"))

    return is_own


def json_with(key: str) -> Recognition:
    """Recognises JSON objects that have this key."""

    def is_own(path: Path) -> bool:
        content = json.loads(path.read_text(encoding="utf-8"))
        return isinstance(content, dict) and key in content

    return is_own


def is_own_figure(path: Path) -> bool:
    """Whether a PNG says that this program made it."""
    return _PNG_TEXT in path.read_bytes()


def is_own_page(path: Path) -> bool:
    """Whether an HTML page names this program, as each of its pages does."""
    return SOFTWARE.encode() in path.read_bytes()
