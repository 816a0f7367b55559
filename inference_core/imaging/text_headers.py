"""NRRD and MetaImage files: whether they are complete, and whether they tell a place. ITK reads them afterwards.

ITK checks neither the checksums of their compressed content nor whether anything tells how the image lies. Sources:
https://teem.sourceforge.net/nrrd/format.html, https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

import bz2
import re
from dataclasses import dataclass
from pathlib import Path

from inference_core.imaging.file_bytes import DAMAGED, check_size, count_zlib
from inference_core.imaging.unreadable import Unreadable

#: Bytes within which a header ends.
_LONGEST = 1 << 16
_NRRD_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), 2),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), 2),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32", "uint32_t"), 4),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "signed long long int"), 8),
    **dict.fromkeys(("int64", "int64_t", "ulonglong", "unsigned long long", "unsigned long long int"), 8),
    **dict.fromkeys(("uint64", "uint64_t", "double"), 8),
    "float": 4,
}
_META_TYPES = {
    **dict.fromkeys(("MET_CHAR", "MET_UCHAR", "MET_ASCII_CHAR"), 1),
    **dict.fromkeys(("MET_SHORT", "MET_USHORT"), 2),
    **dict.fromkeys(("MET_INT", "MET_UINT", "MET_FLOAT", "MET_LONG", "MET_ULONG"), 4),
    **dict.fromkeys(("MET_LONG_LONG", "MET_ULONG_LONG", "MET_DOUBLE"), 8),
}
#: Spaces of NRRD that are the patient's.
_SPACES = {
    *("right-anterior-superior", "left-anterior-superior", "left-posterior-superior"),
    *("ras", "las", "lps"),
}


@dataclass(frozen=True)
class TextHeader:
    """What matters of a header.

    Attributes:
        needed: bytes that the voxels take without compression; None where they are written as text.
        compression: of the voxels: "", "zlib" (or gzip) or "bzip2".
        data: where the voxels are: files, each with the offset of the first byte; None where the header names them
            by a pattern.
        skip: bytes to pass over in the content without compression.
        place: whether the header tells how the image lies in the patient.
    """

    needed: int | None
    compression: str
    data: tuple[tuple[Path, int], ...] | None
    skip: int
    place: bool


def check_text_header(path: Path) -> bool:
    """Check that an NRRD or MetaImage file is complete.

    Returns:
        Whether it tells how the image lies in the patient.

    Raises:
        Unreadable: if it is no such file, is damaged or cut short, or holds fewer bytes than its header says.
        OSError: if a file can't be opened.
    """
    with path.open("rb") as file:
        beginning = file.read(_LONGEST)
    header = _nrrd(path, beginning) if beginning.startswith(b"NRRD") else _meta_image(path, beginning)
    if header.data is None:
        raise Unreadable("its voxels are in several files that its header does not list: convert it to NIfTI")
    if header.needed is not None:
        check_size(sum(_size(file, offset, header) for file, offset in header.data), header.needed)
    return header.place


def _size(path: Path, offset: int, header: TextHeader) -> int:
    """Bytes of voxels in a file."""
    if not path.exists():
        raise Unreadable(f"its voxels' file '{path.name}' is not beside it: copy both")
    if not header.compression:
        return path.stat().st_size - offset - header.skip
    with path.open("rb") as file:
        file.seek(offset)
        if header.compression == "zlib":
            return count_zlib(file) - header.skip
        try:
            return len(bz2.decompress(file.read())) - header.skip
        except (OSError, ValueError, EOFError) as error:
            raise Unreadable(DAMAGED) from error


def _nrrd(path: Path, beginning: bytes) -> TextHeader:
    end = re.search(rb"\r?\n\r?\n", beginning)
    text = beginning[: end.start()] if end else beginning
    entries = {}
    lines = text.decode("latin-1").splitlines()
    for number, line in enumerate(lines):
        key, separator, value = line.partition(":")
        if separator and not line.startswith("#") and not value.startswith("="):
            entries[key.strip().casefold()] = value.strip()
            if key.strip().casefold() in ("data file", "datafile"):
                listed = [one.strip() for one in lines[number + 1 :] if one.strip()]
                break
    encoding = entries.get("encoding", "").casefold()
    sizes, size = _counts(entries.get("sizes", "")), _NRRD_TYPES.get(entries.get("type", "").casefold())
    if sizes is None or size is None:
        raise Unreadable("its header gives no usable sizes and type: convert it again from its source")
    if any(entries.get(key, "0") not in ("0", "") for key in ("line skip", "lineskip")):
        raise Unreadable("its header lets lines be skipped (line skip): convert it to NIfTI")
    needed = size
    for count in sizes:
        needed *= count
    skip = int(entries.get("byte skip", entries.get("byteskip", "0")) or 0)
    data_file = entries.get("data file", entries.get("datafile"))
    if data_file is None:
        if end is None:
            raise Unreadable("it ends within its header: copy it again")
        data: tuple[tuple[Path, int], ...] | None = ((path, end.end()),)
    elif data_file.startswith("LIST"):
        data = tuple((path.parent / name, 0) for name in listed)
    else:
        data = None if "%" in data_file else ((path.parent / data_file, 0),)
    return TextHeader(
        needed=None if encoding in ("text", "txt", "ascii", "hex") else needed,
        compression={"gzip": "zlib", "gz": "zlib", "bzip2": "bzip2", "bz2": "bzip2"}.get(encoding, ""),
        data=data,
        # -1: the voxels are the file's last bytes.
        skip=max(skip, 0),
        place=entries.get("space", "").casefold() in _SPACES and "space directions" in entries,
    )


def _meta_image(path: Path, beginning: bytes) -> TextHeader:
    found = re.search(rb"^[ \t]*ElementDataFile[ \t]*=[ \t]*([^\r\n]*)\r?\n?", beginning, re.MULTILINE)
    if not found:
        raise Unreadable("it ends within its header, or is no image, whatever its name says")
    text = beginning[: found.start()].decode("latin-1")
    entries = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in text.splitlines())}
    sizes, size = _counts(entries.get("DimSize", "")), _META_TYPES.get(entries.get("ElementType", "").upper())
    if sizes is None or size is None:
        raise Unreadable("its header gives no usable DimSize and ElementType: convert it again from its source")
    needed = size * int(entries.get("ElementNumberOfChannels", "1") or 1)
    for count in sizes:
        needed *= count
    name = found.group(1).decode("utf-8", "surrogateescape").strip()
    if name.upper() == "LOCAL":
        data: tuple[tuple[Path, int], ...] | None = ((path, found.end()),)
    elif name.startswith("LIST"):
        rest = beginning[found.end() :].decode("utf-8", "surrogateescape").splitlines()
        data = tuple((path.parent / one.strip(), 0) for one in rest if one.strip())
    else:
        data = None if "%" in name else ((path.parent / name, 0),)
    skip = int(entries.get("HeaderSize", "0") or 0)
    binary = _true(entries.get("BinaryData", "True"))
    return TextHeader(
        needed=needed if binary else None,
        compression="zlib" if _true(entries.get("CompressedData", "False")) else "",
        data=data,
        skip=max(skip, 0),
        place=any(key in entries for key in ("TransformMatrix", "Rotation", "Orientation")),
    )


def _counts(text: str) -> list[int] | None:
    parts = text.split()
    return [int(part) for part in parts] if parts and all(part.isdigit() for part in parts) else None


def _true(text: str) -> bool:
    return text[:1].upper() in ("T", "1", "Y")
