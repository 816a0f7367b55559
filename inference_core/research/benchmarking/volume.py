"""A whole volume, from images to array, in a process of its own, whose memory is the volume's alone."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from inference_core.errors import InputError
from inference_core.research.benchmarking.failures import check_runtime_used
from inference_core.research.benchmarking.memory import peak_gib
from inference_core.research.benchmarking.timing import Samples

_PACKAGE_PARENT = Path(__file__).resolve().parents[3]
_METABOLITES = ("tCho", "NAA", "Gln")


def _measure(slices: int, device: str, runtime: str | None, precision: str, rounds: int, threads: int) -> dict:
    """As `measure_volume`, in this process."""
    import torch

    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.research.benchmarking.patient import benchmark_patient

    torch.set_num_threads(threads)
    resolver = SuperResolver.load(device=device, runtime=runtime, precision=precision)
    images = benchmark_patient(slices)
    preparing, next_map, first, again = [], [], [], []
    for _ in range(rounds):
        resolver.forget()
        for seconds in (preparing, next_map):
            start = time.perf_counter()
            prepared = resolver.prepare(*images)
            seconds.append(time.perf_counter() - start)
    resolver.super_resolve(prepared, "Ins", 0.0)  # libraries choose their kernels
    for metabolite in _METABOLITES[:rounds]:
        for seconds, sharpness in ((first, 0.01), (again, 0.02)):
            # The result is an array in the CPU's memory: no more to wait for.
            start = time.perf_counter()
            resolver.super_resolve(prepared, metabolite, sharpness)
            seconds.append(time.perf_counter() - start)
    on_cuda = resolver.device.startswith("cuda")
    return {
        "slices": slices,
        "runtime": resolver.runtime,
        "precision": precision,
        "prepare": Samples(tuple(preparing)).as_dict(),
        "prepare_next_map": Samples(tuple(next_map)).as_dict(),
        "first": Samples(tuple(first)).as_dict(),
        "other_lambda": Samples(tuple(again)).as_dict(),
        "peak_gib": peak_gib(),
        "gpu_peak_gib": torch.cuda.max_memory_allocated(resolver.device) / 2**30 if on_cuda else None,
        "unavailable": None,
    }


def measure_volume(slices: int, device: str, runtime: str, precision: str, rounds: int, threads: int) -> dict:
    """Times and memory of a volume.

    Args:
        slices: of the volume.
        device: as torch names it.
        runtime: of the engine's.
        precision: of the engine's.
        rounds: repetitions, at most 3 metabolites.
        threads: of the CPU.

    Returns:
        As `inference_core.research.benchmarking` describes an entry of "volume".

    Raises:
        InputError: if the process fails, or another runtime took over.
    """
    arguments = json.dumps([slices, device, runtime, precision, rounds, threads])
    # The process must find the package that this one runs, wherever it runs.
    path = os.pathsep.join(filter(None, (str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", __name__, arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"its process ended with status {done.returncode}"])[-1]
        raise InputError(f"A volume of {slices} slices could not be super-resolved: {last}")
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    check_runtime_used(runtime, figures["runtime"])
    return figures


if __name__ == "__main__":
    print(json.dumps(_measure(*json.loads(sys.argv[1]))))
