"""Writing files whole or not at all: all that the product writes goes through here.

A file is written under a temporary name in its folder, read back, handed to the disk, and takes its name in one step.
An error on the way leaves what was there before, and no temporary file.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inference_core.errors import InputError
from inference_core.files.exchange import exchange

#: Temporary names begin so; what a killed run leaves behind can be told by it.
TEMPORARY_PREFIX = ".mrsi-superres-"
#: What `fsync` answers on file systems that have no such thing.
_NO_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
#: What a disk or quota answers, whatever was asked of it.
STORAGE_ERRORS = (
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE}
    if (os.name == "posix")
    else {errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EROFS}
)
_CHUNK = 1 << 20


def cannot_write(path: str | Path, reason: Exception | str) -> InputError:
    """The sentence on a file that can't be written.

    Args:
        path: of the file.
        reason: why; of an `OSError`, its description, of another error, its last line.
    """
    if isinstance(reason, Exception):
        text = (isinstance(reason, OSError) and reason.strerror) or str(reason).strip()
        reason = text.splitlines()[-1] if text else type(reason).__name__
    return InputError(f"'{path}' can't be written ({reason}): check the free space and permissions of its folder.")


def temporary_path(path: Path) -> Path:
    """A free name in the folder of `path`, with its extension and nothing else of its name.

    What writes a file may read more into a name than its extension: ITK writes "x.hdr.gz" for "x.img.nii.gz".
    """
    name = path.name
    extension = ".nii.gz" if name.endswith(".nii.gz") else path.suffix
    return path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}{extension}")


def sync(path: Path) -> None:
    """Have the disk take a file's content, or a folder's names.

    Some disks tell only then that they are full or broken: network drives, quotas, delayed allocation.

    Raises:
        OSError: what the disk reports.
    """
    if path.is_dir():
        if os.name != "posix":
            return
        descriptor = os.open(path, os.O_RDONLY)
    else:
        descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a temporary file as far as that is possible: why it is removed is the error to be told of."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path with the same folder and extension, which replaces `path` when the block ends.

    If the block raises, or the disk does not take the file, the temporary file is removed and `path` is left as it was.
    For code that must write files itself; with the content at hand, call `write_file`.

    Raises:
        InputError: if the file can't be written.
    """
    path = Path(path)
    temporary = temporary_path(path)
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        _remove(temporary)


@contextmanager
def atomic_pair(path: str | Path, about: str | Path) -> Iterator[tuple[Path, Path]]:
    """As `atomic_path`, for a file and one that describes it: no description stands beside a file that it is not of.

    The old description goes before a file is replaced, and the new one comes after; if the file can't be replaced, the
    old description returns. That of a new file comes before it, so that there is no file which nothing is known of.

    Args:
        path: the file.
        about: its description.

    Raises:
        InputError: if either can't be written.
    """
    path, about = Path(path), Path(about)
    temporaries = temporary_path(path), temporary_path(about)
    former = temporary_path(about)
    try:
        yield temporaries
        for temporary in temporaries:
            sync(temporary)
        replaced = path.exists()
        if about.exists():
            about.replace(former)
        try:
            if not replaced:
                temporaries[1].replace(about)
            temporaries[0].replace(path)
        except OSError:
            if not replaced:
                _remove(about)
            if former.exists():
                former.replace(about)
            raise
        if replaced:
            temporaries[1].replace(about)
        sync(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        for temporary in (*temporaries, former):
            _remove(temporary)


def write_file(path: str | Path, content: bytes | memoryview | str) -> None:
    """Write a file whole or not at all, replacing one that is there.

    Args:
        path: of the file.
        content: text is written as UTF-8 with the line ends that it has. Letters that UTF-8 does not have, as in names
            of files of another encoding, become escapes such as ``\\udce9``, which JSON reads as what they were.

    Raises:
        InputError: if it can't be written; what was there before stays.
    """
    with atomic_path(path) as temporary:
        write_verified(temporary, content)


def write_verified(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file, of any name, and compare it with what it should hold; see `write_file`.

    Raises:
        OSError: if it can't be written, or reads differently.
    """
    data = memoryview(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
    with path.open("wb") as file:
        file.write(data)
    with path.open("rb") as file:
        for start in range(0, len(data), _CHUNK):
            if file.read(_CHUNK) != data[start : start + _CHUNK]:
                raise OSError(errno.EIO, "what was written reads differently")
        if file.read(1):
            raise OSError(errno.EIO, "what was written reads differently")


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that a killed run left in a folder, which no other process may be writing to."""
    if folder.is_dir():
        for left in folder.glob(f"{TEMPORARY_PREFIX}*"):
            _remove(left)


@contextmanager
def atomic_folder(place: Path) -> Iterator[Path]:
    """A new folder that takes its place, and that of an earlier one, when the block ends without an error.

    Raises:
        InputError: if it can't be written; an earlier one is left as it was.
    """
    temporary, earlier = (place.with_name(f".{place.name}.{word}") for word in ("partial", "earlier"))

    def tidy() -> None:
        if earlier.exists():
            # With nothing in its place it is the last good one.
            shutil.rmtree(earlier) if place.exists() else earlier.rename(place)
        if temporary.exists():
            shutil.rmtree(temporary)

    try:
        # A run that was killed may have left something behind.
        tidy()
        temporary.mkdir()
        yield temporary
        # After an exchange, the earlier one has the temporary name.
        if not (place.exists() and exchange(temporary, place)):
            if place.exists():
                place.rename(earlier)
            temporary.rename(place)
        sync(place.parent)
    except OSError as error:
        raise cannot_write(place, error) from error
    except InputError as error:
        # On a file in the folder, which the user knows by its later place.
        raise type(error)(str(error).replace(str(temporary), str(place))) from error
    finally:
        with suppress(OSError):
            tidy()
