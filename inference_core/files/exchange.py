"""Two folders change places in one step, where the system can: at no moment is there none in its place."""

import ctypes
import errno
import os
import sys
from pathlib import Path

#: Of renameat2 (Linux, since 3.15) and renamex_np (macOS, since 10.12).
_RENAME_EXCHANGE, _RENAME_SWAP = 2, 2
_AT_FDCWD = -100
#: What systems and disks answer that do not know it.
_UNKNOWN = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders on one disk take each other's names; returns whether the system and disk know how.

    Raises:
        OSError: what the disk reports; both are as they were.
    """
    names = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            failed = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
        elif sys.platform == "darwin":
            failed = library.renamex_np(*names, _RENAME_SWAP)
        else:
            return False
    except (AttributeError, OSError, TypeError):
        # Windows has no library of that kind; glibc has the function since 2.28.
        return False
    if not failed:
        return True
    if (code := ctypes.get_errno()) in _UNKNOWN:
        return False
    raise OSError(code, os.strerror(code), str(one))
