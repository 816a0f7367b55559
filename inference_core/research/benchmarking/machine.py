"""What machine this is, and how fast it could be at best."""

import os
import platform
import subprocess
from pathlib import Path

from inference_core import __version__
from inference_core.research.benchmarking.timing import Samples, paired

#: Arithmetic of the published network for one slice (multiplications and additions).
FLOP_PER_SLICE = 4.62e9
#: Rows of the matrices that are multiplied, and bytes that are copied: too large for caches, and a GPU's are larger.
_ROWS = {"cpu": 2048, "cuda": 8192, "mps": 4096}
_BYTES = {"cpu": 2**27, "cuda": 2**30, "mps": 2**28}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return None


def _first_line(*command: str) -> str | None:
    """What a program says first; None if it is missing or fails."""
    folder = Path(__file__).resolve().parent
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(done.stdout.strip().splitlines()), None)


def describe_machine(device: str, weights: str) -> dict:
    """Hardware and versions, as JSON can hold them.

    Args:
        device: as torch names it.
        weights: the file's name.
    """
    import torch

    about = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "memory_gib": _memory_gib(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": device,
        "version": __version__,
        "commit": _first_line("git", "rev-parse", "--short", "HEAD"),
        "weights": weights,
    }
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        about |= {
            "gpu": properties.name,
            "gpu_memory_gib": properties.total_memory / 2**30,
            "gpu_driver": _first_line("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
            "cuda": torch.version.cuda,
        }
    return about


def measure_rates(device: str, rounds: int) -> dict[str, tuple[float, Samples]]:
    """What the machine does in a second, and the times that say so.

    Args:
        device: as torch names it.
        rounds: repetitions.

    Returns:
        Of "matrix products", float32 operations a second; of "copying", bytes read and written a second.
    """
    import torch

    kind = device.partition(":")[0]
    rows, size = _ROWS[kind], _BYTES[kind]
    a, b = (torch.rand(rows, rows, device=device) for _ in range(2))
    # Filled, since memory that was never written is one page of zeros to read.
    source, target = (torch.ones(size // 4, device=device) for _ in range(2))
    work = {"matrix products": 2 * rows**3, "copying": 2 * size}
    times = paired({"matrix products": lambda: a @ b, "copying": lambda: target.copy_(source)}, rounds, device)
    return {what: (work[what] / samples.median, samples) for what, samples in times.items()}
