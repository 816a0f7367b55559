"""Folders that are written into."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference_core.errors import InputError


def check_folder(folder: str | Path) -> Path:
    """`folder` as a path, if files can be written into it.

    Raises:
        InputError: if it does not exist, is no folder, or can't be written.
    """
    folder = Path(folder)
    if not folder.exists():
        raise InputError(f"The output folder '{folder}' does not exist: create it first or choose another.")
    if not folder.is_dir():
        raise InputError(f"The output folder '{folder}' is a file: choose a folder.")
    try:
        # Permission bits don't tell for network shares, read-only media or root: only trying does.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"The output folder '{folder}' can't be written ({error.strerror}): choose another."
        ) from error
    return folder


def make_folder(folder: str | Path) -> Path:
    """`folder` as a path, made if only its last part does not exist yet, if files can be written into it.

    Raises:
        InputError: as `check_folder`; also if what it lies in does not exist.
    """
    folder = Path(folder)
    if not folder.exists():
        check_folder(folder.absolute().parent)
        make_folders(folder)
    return check_folder(folder)


def make_folders(folder: Path) -> Path:
    """A folder, made with all that it lies in.

    Raises:
        InputError: if it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder '{folder}' can't be made ({error.strerror}): check what is in its place, and the free space "
            "and permissions of the disk."
        ) from error
    return folder


def no_scratch(reason: str) -> InputError:
    """The sentence on a folder for temporary files that can't be written."""
    return InputError(
        f"The folder for temporary files can't be written ({reason}): free space there, or set TMPDIR to another one."
    )


def check_scratch() -> None:
    """Check that there is a folder for temporary files.

    Raises:
        InputError: if none of the system's can be written.
    """
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise no_scratch(error.strerror or str(error)) from error


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for what is needed for a moment only, in the system's place for that.

    Raises:
        InputError: if it can't be made.
    """
    try:
        scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    except OSError as error:
        raise no_scratch(error.strerror or str(error)) from error
    with scratch as folder:
        yield Path(folder)
