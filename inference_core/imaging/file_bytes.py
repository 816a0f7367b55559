"""The bytes of image files, compressed or not; what is damaged or cut short is refused."""

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from inference_core.imaging.unreadable import Unreadable

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed by gzip, whatever its name says."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def opened(path: Path) -> BinaryIO:
    """A file's content as it is without compression, opened for reading.

    Errors of the compression come when it is read: see `COMPRESSION_ERRORS`.
    """
    return cast(BinaryIO, gzip.open(path) if is_gzip(path) else path.open("rb"))


#: What reading damaged or cut compressed content raises, beside what reading any file does.
COMPRESSION_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)
DAMAGED = "its compressed content is damaged or cut short: copy it again"


def beginning(path: Path, count: int) -> bytes:
    """The first bytes of a file's content, fewer if it has fewer.

    Raises:
        Unreadable: if its compressed content is damaged.
    """
    try:
        with opened(path) as file:
            return file.read(count)
    except COMPRESSION_ERRORS as error:
        raise Unreadable(DAMAGED) from error


def content(path: Path) -> bytes:
    """All of a file's content; compressed content has been checked against its checksum.

    Raises:
        Unreadable: if its compressed content is damaged or cut short.
    """
    try:
        # At once, which is faster than reading the file that `opened` gives.
        return gzip.decompress(path.read_bytes()) if is_gzip(path) else path.read_bytes()
    except COMPRESSION_ERRORS as error:
        raise Unreadable(DAMAGED) from error


def check_size(found: int, needed: int) -> None:
    """Refuse a file that holds fewer bytes than its header says.

    Raises:
        Unreadable: if it does.
    """
    if found < needed:
        raise Unreadable(f"it holds {found} of the {needed} bytes that its header says: copy it again")


def count_zlib(file: BinaryIO) -> int:
    """How many bytes the rest of an open file holds once zlib has inflated it, gzip's wrapping included.

    Raises:
        Unreadable: if it is damaged or cut short.
    """
    inflate, count = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS), 0
    try:
        while not inflate.eof and (chunk := file.read(_CHUNK)):
            count += len(inflate.decompress(chunk))
    except zlib.error as error:
        raise Unreadable(DAMAGED) from error
    if not inflate.eof:
        raise Unreadable(DAMAGED)
    return count
