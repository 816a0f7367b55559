"""Keeping outputs from replacing inputs."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from inference_core.errors import InputError

#: Files that are read, by what to call them in an error, such as ("T1", path); None is passed over.
NamedInputs = Iterable[tuple[str, "str | Path | None"]]


def check_not_inputs(outputs: Iterable[str | Path | None], inputs: NamedInputs) -> None:
    """Refuse outputs that are inputs, under whatever name: a relative one, another case, a link or a hard link.

    Args:
        outputs: files to be written, whether they exist or not; None is passed over.
        inputs: files that are read. Of a folder, all that lies in it and its folders.

    Raises:
        InputError: if one is.
    """
    # What exists is known by what it is, whatever it is called.
    existing = {_identity(Path(output)): output for output in outputs if output is not None and Path(output).exists()}
    if not existing:
        return
    for role, given in inputs:
        if given is None:
            continue
        given = Path(given)
        for file in [given, *given.rglob("*")] if given.is_dir() else [given]:
            if file.is_file() and (output := existing.get(_identity(file))) is not None:
                what = f"the {role} '{file}'" if file == given else f"'{file}' of the {role}"
                raise InputError(f"The output '{output}' is {what}, which would be lost: name another output.")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def check_name(path: str | Path) -> None:
    """Refuse a name that ITK ends the process of: one that is not UTF-8, or that the system's encoding can't tell.

    Raises:
        InputError: if it is one.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        with suppress(UnicodeDecodeError):
            os.fsencode(path).decode("utf-8")
            raise InputError(
                f"'{path}' has letters that this session's locale lacks: set LC_ALL=C.UTF-8 or PYTHONUTF8=1."
            ) from error
        raise InputError(f"'{path}' is not named in UTF-8: rename it, or a folder that it lies in.") from error


def check_apart(folder: str | Path, inputs: NamedInputs) -> None:
    """Refuse a folder that will be replaced while inputs lie in it.

    Args:
        folder: to be replaced, whether it exists or not.
        inputs: files or folders that are read.

    Raises:
        InputError: if one lies in it.
    """
    place = Path(folder).resolve()
    for role, given in inputs:
        if given is not None and Path(given).resolve().is_relative_to(place):
            raise InputError(
                f"The {role} '{given}' lies in '{folder}', which would be replaced: name another output folder."
            )
