"""What machine this is, and how fast it could be at best."""

import os
import platform
import subprocess
from pathlib import Path

from inference_core import __version__
from inference_core.benchmarking.timing import Samples, paired

#: Arithmetic of the published network for one slice (multiplications and additions).
FLOP_PER_SLICE = 4.62e9
_MATRIX = 2048


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


def _commit() -> str | None:
    folder = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def describe_machine(device: str) -> dict:
    """Hardware and versions, as JSON can hold them."""
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
        "commit": _commit(),
    }
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        about |= {"gpu": properties.name, "gpu_memory_gib": properties.total_memory / 2**30, "cuda": torch.version.cuda}
    return about


def matrix_rate(device: str, rounds: int) -> tuple[float, Samples]:
    """Float32 operations a second in a product of large matrices, and the product's times."""
    import torch

    a, b = (torch.rand(_MATRIX, _MATRIX, device=device) for _ in range(2))
    samples = paired({"product": lambda: a @ b}, rounds, device)["product"]
    return 2 * _MATRIX**3 / samples.median, samples
