"""Files of the user's own in a prepared patient's folder, which outlast the folder that replaces it."""

import os
import re
import shutil
from pathlib import Path

from inference_core.errors import InputError
from inference_core.files.atomic import TEMPORARY_PREFIX
from inference_core.imaging.writing import is_own_sidecar
from inference_core.terms.naming import IMAGE_ENDINGS

#: What `prepare` writes into a patient's folder, by its path there without the extension.
_WRITTEN = re.compile(
    r"anat/[^/]+_space-mrsi_desc-brain_(T1w|FLAIR|mask)"
    r"|mrsi/[^/]+_res-[^/_]+_(desc-(acquired|filtered|valid|crlb)|(met-[^/_]+_)?desc-quality)_[^/]+"
    r"|mrsi/other/[^/]+_res-[^/_]+_desc-(acquired|crlb)_[^/]+"
)


def own_files(place: Path) -> list[Path]:
    """The files and links in a patient's folder that `prepare` did not write, relative to it, in order.

    `prepare` wrote what has its names and its description beside it.

    Args:
        place: the folder, whether it exists or not.

    Raises:
        InputError: if it can't be read.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"'{error.filename}' can't be read ({error.strerror}): check its permissions.") from error

    if not place.exists():
        return []
    found = []
    for folder, folders, files in os.walk(place, onerror=refuse):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        found += [(Path(folder) / name).relative_to(place) for name in (*files, *links)]
    return sorted(path for path in found if not _is_written(place, path))


def _is_written(place: Path, path: Path) -> bool:
    if path.name.startswith(TEMPORARY_PREFIX):
        return True
    ending = next((end for end in (*IMAGE_ENDINGS, ".json") if path.name.endswith(end)), "")
    stem = path.as_posix().removesuffix(ending)
    about = place / f"{stem}.json"
    return bool(ending) and not about.is_symlink() and bool(_WRITTEN.fullmatch(stem)) and is_own_sidecar(about)


def carry_over(place: Path, new: Path) -> list[Path]:
    """Bring the user's own files from a patient's folder into the new version, which will replace it.

    Args:
        place: the patient's folder, whether it exists or not.
        new: the new version, complete and on the same disk; it lies in the same folder, so that relative links hold.

    Returns:
        The files, relative to the folder.

    Raises:
        InputError: if the new version has another file in the place of one, or a folder can't be read.
        OSError: if a file can't be written.
    """
    carried = own_files(place)
    for path in carried:
        if os.path.lexists(new / path):
            raise InputError(
                f"'{place / path}' was not written by prepare and would be replaced: move it out of the folder, or "
                "rename it."
            )
    for path in carried:
        source, target = place / path, new / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink(), target_is_directory=source.is_dir())
            continue
        try:
            # The same file under both names: neither the time nor the space of a copy.
            target.hardlink_to(source)
        except OSError:
            # Disks without hard links.
            shutil.copy2(source, target)
    return carried


def carried_sentence(place: Path, carried: list[Path]) -> str:
    """What is said of files that were carried over."""
    shown = ", ".join(path.as_posix() for path in carried[:3]) + (", ..." if len(carried) > 3 else "")
    files = (
        f"{len(carried)} files that prepare did not write were"
        if len(carried) > 1
        else ("A file that prepare did not write was")
    )
    return f"{files} in '{place}' and stayed there: {shown}."
