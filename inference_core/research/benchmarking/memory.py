"""The most memory that a process has held."""

import sys
from pathlib import Path


def peak_gib() -> float | None:
    """Of this process since its program began, in GiB; None where the system does not say."""
    try:
        # Not `ru_maxrss`, which on Linux begins with what the parent held when it started this process.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**20
    except (OSError, ValueError):
        pass
    if sys.platform != "darwin":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30
