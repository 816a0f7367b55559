"""A run's folder as a few files of limited size, for places that keep no more between two pieces of a long training.

Nothing is lost: checkpoints are compressed byte by byte. The leading bytes of floating-point numbers repeat and
shrink, the others don't and are left as they are. Packing and unpacking replace the folder's files only once all of the
new ones are complete, so that a run that is killed at any moment can be continued. After an error before that,
the run is as it was, and no part is left.
"""

import hashlib
import json
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inference_core.errors import InputError
from inference_core.files.atomic import TEMPORARY_PREFIX, write_file

#: Bytes of a part, at most, and how many parts there should be.
PART, MOST_PARTS = 16 * 2**20, 8
_STATE, _NEW = "state", "state.partial"
#: Parts whose files are all back in their places, while they are removed.
_UNPACKED = f"{TEMPORARY_PREFIX}unpacked"
#: Bytes of the length that the first part begins with, before the index of that length.
_LENGTH = 8
#: What is not part of a run's state: patients' slices, which can be made again, and TensorBoard's scalars, which the
#: log holds, too.
_LEFT_OUT = ("slices", "events.out.tfevents")
#: A byte plane is compressed if that saves at least a twentieth of it.
_WORTH, _SAMPLE = 0.95, 1 << 18


def _shrinks(part: bytes) -> bool:
    """Whether a plane is worth compressing, by a piece from its middle."""
    piece = part[len(part) // 2 :][:_SAMPLE]
    return len(zlib.compress(piece, 1)) < _WORTH * len(piece)


def _compressed(content: bytes) -> tuple[list[int], list[bytes]]:
    """Byte planes of 32-bit words, and the rest: their lengths, negative where compressed, and themselves."""
    words = len(content) // 4
    planes = np.frombuffer(content, np.uint8, 4 * words).reshape(-1, 4).T
    parts = [*(np.ascontiguousarray(plane).tobytes() for plane in planes), content[4 * words :]]
    lengths = []
    for index, part in enumerate(parts):
        shrinks = _shrinks(part)
        parts[index] = zlib.compress(part, 1) if shrinks else part
        lengths.append(-len(parts[index]) if shrinks else len(part))
    return lengths, parts


def _expanded(lengths: list[int], packed: bytes) -> bytes:
    parts, start = [], 0
    for length in lengths:
        part = packed[start : start + abs(length)]
        parts.append(zlib.decompress(part) if length < 0 else part)
        start += abs(length)
    planes = np.stack([np.frombuffer(part, np.uint8) for part in parts[:4]], axis=1)
    return planes.tobytes() + parts[4]


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        names = path.relative_to(folder).parts
        left_out = any(name.startswith(".") or name.startswith(_LEFT_OUT) for name in names)
        if path.is_file() and names[0] not in (_STATE, _NEW) and not left_out:
            yield path


def pack(folder: Path) -> int:
    """Put all of a run's state into parts in its folder `state`; returns how many they are.

    The files that it packs are removed; patients' slices and TensorBoard's files stay beside it.

    Raises:
        InputError: if the folder can't be written.
    """
    new = folder / _NEW
    entries, packed = [], bytearray()
    try:
        paths = list(_files(folder))
        for path in paths:
            lengths, parts = _compressed(path.read_bytes())
            entries.append({"path": path.relative_to(folder).as_posix(), "lengths": lengths})
            for part in parts:
                packed += part
    except OSError as error:
        raise InputError(f"The run '{folder}' can't be read ({error}): check the disk.") from error
    index = {"sha256": hashlib.sha256(packed).hexdigest(), "files": entries}
    header = json.dumps(index).encode()
    whole = len(header).to_bytes(_LENGTH, "big") + header + packed
    starts = range(0, len(whole), PART)
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        for number, start in reversed([*enumerate(starts, start=1)]):
            write_file(new / f"part-{number}", whole[start : start + PART])
        # Before the files go, so that there is no moment at which an error could leave neither.
        new.rename(folder / _STATE)
    except (OSError, InputError) as error:
        # The run's own files are all there still.
        shutil.rmtree(new, ignore_errors=True)
        raise _cannot_pack(folder, error) from error
    try:
        for path in paths:
            path.unlink()
    except OSError as error:
        raise _cannot_pack(folder, error) from error
    return len(starts)


def _cannot_pack(folder: Path, error: Exception) -> InputError:
    return InputError(f"The run '{folder}' can't be packed ({error}): check the folder's free space.")


def _read(state: Path) -> tuple[list[dict], bytes]:
    try:
        parts = sorted(state.glob("part-*"), key=lambda path: int(path.name.partition("-")[2]))
        whole = b"".join(part.read_bytes() for part in parts)
        begin = _LENGTH + int.from_bytes(whole[:_LENGTH], "big")
        index, packed = json.loads(whole[_LENGTH:begin]), whole[begin:]
        if hashlib.sha256(packed).hexdigest() != index["sha256"]:
            raise ValueError("a part is missing or of another run")
        return index["files"], packed
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The packed run '{state}' can't be read ({error}): copy all of its files anew, or remove it to start "
            "again."
        ) from error


def unpack(folder: Path) -> None:
    """Put back what `pack` packed, if it did.

    Raises:
        InputError: if parts are missing or damaged, or the folder can't be written.
    """
    state, new, unpacked = (folder / name for name in (_STATE, _NEW, _UNPACKED))
    for left in (unpacked, new):
        shutil.rmtree(left, ignore_errors=True)
    if not state.exists():
        return
    files, packed = _read(state)
    start = 0
    try:
        for entry in files:
            size = sum(map(abs, entry["lengths"]))
            path = folder / entry["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, _expanded(entry["lengths"], packed[start : start + size]))
            start += size
        # In one step, so that a kill leaves no parts that look damaged.
        state.rename(unpacked)
        shutil.rmtree(unpacked)
    except OSError as error:
        raise InputError(f"The run '{folder}' can't be unpacked ({error}): check the folder's free space.") from error
