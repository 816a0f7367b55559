"""Writing images: all of a file or nothing, and a JSON sidecar that says how it was made."""

import errno
import gzip
import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_core import __version__
from inference_core.errors import InputError
from inference_core.files.atomic import atomic_pair, cannot_write, write_verified
from inference_core.files.folders import check_folder
from inference_core.files.inputs import check_name
from inference_core.terms.naming import IMAGE_ENDINGS

if TYPE_CHECKING:
    import SimpleITK as sitk

#: Image formats of a single file, which one rename can put in place.
IMAGE_EXTENSIONS = (".nii.gz", ".nii", ".nrrd", ".mha")
#: What each sidecar begins with, and is known by.
_OWN = {"SoftwareName": "MRSISuperRes"}
_HEAD = json.dumps(_OWN, indent=2).removesuffix("\n}")


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


def is_own_sidecar(path: Path) -> bool:
    """Whether a file is a sidecar that this package wrote, or the beginning of one, as a full disk leaves it."""
    try:
        text = path.read_text(encoding="utf-8")
        if text.startswith(_HEAD) or _HEAD.startswith(text):
            return True
        content = json.loads(text)
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("SoftwareName") == _OWN["SoftwareName"]


def is_own_result(path: Path) -> bool:
    """Whether the sidecar of an image says that this package wrote it."""
    return is_own_sidecar(sidecar_path(path))


def check_output(path: str | Path) -> Path:
    """`path` as a path, if `write_result` will be able to write there; to be asked before computing anything.

    Raises:
        InputError: if its folder does not exist or can't be written, it is a folder itself, its extension is unknown,
            or its sidecar would replace another file's.
    """
    path = Path(path)
    sidecar = sidecar_path(path)
    check_name(path)
    check_folder(path.parent)
    for file in (path, sidecar):
        if file.is_dir():
            raise InputError(f"The output '{file}' is a folder: name a file.")
    if sidecar.exists():
        stem = sidecar.name.removesuffix("json")
        siblings = [one for end in IMAGE_ENDINGS if (one := sidecar.with_name(stem + end[1:])) != path and one.exists()]
        if siblings or not is_own_sidecar(sidecar):
            owner = f"'{siblings[0].name}'" if siblings else "another file"
            raise InputError(
                f"'{sidecar}', which belongs to {owner}, would be replaced by the description of '{path.name}': name "
                "another output."
            )
    return path


def write_result(image: "sitk.Image", path: str | Path, sidecar: dict[str, Any]) -> Path:
    """Write an image and its JSON sidecar, read both back, and only then let them take their names.

    Args:
        image: any SimpleITK image of one value a voxel.
        path: file to write, replaced if it exists; its extension is one of `IMAGE_EXTENSIONS`.
        sidecar: what `json` can write; the software's name and version are added.

    Returns:
        The path of the sidecar.

    Raises:
        InputError: as `check_output`, or if the files can't be written; neither is left half-written.
    """
    import SimpleITK as sitk

    path = check_output(path)
    about = _OWN | {"SoftwareVersion": __version__} | sidecar
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    with atomic_pair(path, sidecar_path(path)) as (temporary_image, temporary_sidecar):
        # ITK's library prints the name of a file that it can't make.
        temporary_image.touch()
        try:
            sitk.WriteImage(image, str(temporary_image))
        except RuntimeError as error:
            # ITK mostly names the temporary file, and not what the disk answered.
            named = temporary_image.name in str(error)
            answer = _disk_error(temporary_image, sitk.GetArrayViewFromImage(image).nbytes)
            raise cannot_write(path, answer or ("ITK failed to write it" if named else error)) from error
        _check_written(temporary_image, image)
        write_verified(temporary_sidecar, text)
    return sidecar_path(path)


def _disk_error(path: Path, size: int) -> OSError | None:
    """What the disk answers to a file of so many bytes; None if it takes it. The file is left to the caller.

    The file needs a name: a quota of btrfs may have room for a file without one.
    """
    try:
        with path.open("wb") as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None


def _check_written(path: Path, image: "sitk.Image") -> None:
    """Compare a file with what it should hold: ITK does not report all errors, such as that of a full disk.

    Raises:
        OSError: if they differ.
    """
    import numpy as np
    import SimpleITK as sitk

    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            # Compares checksums, too.
            content = gzip.decompress(content)
        # All formats that are written end in the voxels, as they lie in memory.
        whole = content.endswith(np.ascontiguousarray(sitk.GetArrayViewFromImage(image)).tobytes())
        header = sitk.ImageFileReader()
        header.SetFileName(str(path))
        header.ReadImageInformation()
    except (EOFError, zlib.error, gzip.BadGzipFile, RuntimeError):
        whole = False
    if not whole or header.GetSize() != image.GetSize() or header.GetPixelID() != image.GetPixelID():
        raise OSError(errno.EIO, "what was written reads differently, as on a full or broken disk")
