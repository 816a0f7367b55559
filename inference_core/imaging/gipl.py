"""GIPL files: whether they are complete. ITK reads what is missing from memory that was never written.

Source of the header's layout: the format's description in ITK's and VTK's documentation, big-endian throughout.
"""

import struct
from pathlib import Path

from inference_core.imaging.file_bytes import check_size, content
from inference_core.imaging.unreadable import Unreadable

_HEADER = 256
_MAGICS = (0xEFFFE9B0, 0x2AE389B8)
#: Bits of a voxel by type.
_BITS = {1: 1, 7: 8, 8: 8, 15: 16, 16: 16, 31: 32, 32: 32, 64: 32, 65: 64}


def check_gipl(path: Path) -> None:
    """Check that a GIPL file is complete.

    Raises:
        Unreadable: if it is no GIPL file, is damaged, or holds fewer bytes than its header says.
        OSError: if it can't be opened.
    """
    data = content(path)
    if len(data) < _HEADER:
        raise Unreadable("it ends within its header: copy it again")
    *sizes, kind = struct.unpack_from(">5H", data)
    if struct.unpack_from(">I", data, 252)[0] not in _MAGICS or kind not in _BITS:
        raise Unreadable("it is no GIPL file, whatever its name says")
    voxels = 1
    for count in sizes:
        voxels *= max(count, 1)
    check_size(len(data), _HEADER + voxels * _BITS[kind] // 8)
