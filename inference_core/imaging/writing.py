"""Writing results: all of a file or nothing, and a JSON sidecar that says how it was made."""

import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_core.errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk

#: Image formats of a single file, which one rename can put in place.
IMAGE_EXTENSIONS = (".nii.gz", ".nii", ".nrrd", ".mha")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder and with the same extension, which replaces `path` when the block ends.

    If the block raises, the temporary file is removed and `path` is left as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
        folder.mkdir()
    return check_folder(folder)


def _extension(path: Path) -> str:
    for extension in IMAGE_EXTENSIONS:
        if path.name.endswith(extension) and len(path.name) > len(extension):
            return extension
    raise InputError(f"'{path}' does not end in one of {', '.join(IMAGE_EXTENSIONS)}: name the output so.")


def sidecar_path(path: str | Path) -> Path:
    """Where the JSON sidecar of an output image goes: `map.nii.gz` has `map.json`.

    Raises:
        InputError: for an extension that is not one of `IMAGE_EXTENSIONS`.
    """
    path = Path(path)
    return path.with_name(path.name[: -len(_extension(path))] + ".json")


def check_output(path: str | Path) -> Path:
    """`path` as a path, if `write_result` will be able to write there; to be asked before computing anything.

    Raises:
        InputError: if its folder does not exist or can't be written, it is a folder itself, or its extension is
            unknown.
    """
    path = Path(path)
    sidecar = sidecar_path(path)
    check_folder(path.parent)
    for file in (path, sidecar):
        if file.is_dir():
            raise InputError(f"The output '{file}' is a folder: name a file.")
    return path


def write_result(image: "sitk.Image", path: str | Path, sidecar: dict[str, Any]) -> Path:
    """Write an image and its JSON sidecar; both are complete before either takes its name.

    Args:
        image: any SimpleITK image.
        path: file to write, replaced if it exists; its extension is one of `IMAGE_EXTENSIONS`.
        sidecar: what `json` can write.

    Returns:
        The path of the sidecar.

    Raises:
        InputError: if the files can't be written; neither is left half-written.
    """
    import SimpleITK as sitk

    path = check_output(path)
    text = json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n"
    try:
        with atomic_path(sidecar_path(path)) as temporary_sidecar, atomic_path(path) as temporary_image:
            sitk.WriteImage(image, str(temporary_image))
            temporary_sidecar.write_text(text, encoding="utf-8")
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(
            f"'{path}' can't be written ({reason}): check the free space and permissions of its folder."
        ) from error
    return sidecar_path(path)
