"""A whole volume, from images to array, in a process of its own, whose memory is the volume's alone."""

import json
import subprocess
import sys
import time

import numpy as np

from inference_core.errors import InputError


def _peak_gib() -> float | None:
    """The largest memory that this process has held, in GiB; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def _measure(slices: int, device: str | None, runtime: str | None, precision: str, rounds: int, threads: int) -> dict:
    """As `measure_volume`, in this process."""
    import torch

    from inference_core.benchmarking.patient import benchmark_patient
    from inference_core.super_resolver import SuperResolver

    torch.set_num_threads(threads)
    resolver = SuperResolver.load(device=device, runtime=runtime, precision=precision)
    images = benchmark_patient(slices)
    start = time.perf_counter()
    prepared = resolver.prepare(*images)
    preparing = time.perf_counter() - start
    resolver.super_resolve(prepared, "tCho", 0.0, slices=[0])  # libraries choose their kernels
    first, again, shown = [], [], []
    for metabolite in ("tCho", "NAA", "Gln")[:rounds]:
        for seconds, sharpness in ((first, 0.01), (again, 0.02)):
            start = time.perf_counter()
            resolver.super_resolve(prepared, metabolite, sharpness)
            seconds.append(time.perf_counter() - start)
    middle = slices // 2
    resolver.super_resolve(prepared, "tCho", 0.0, slices=[middle])
    for sharpness in np.random.default_rng(0).uniform(0, 0.1, 10 * rounds):
        start = time.perf_counter()
        resolver.super_resolve(prepared, "tCho", float(sharpness), slices=[middle])
        shown.append(time.perf_counter() - start)
    result = {
        "slices": slices,
        "runtime": resolver.runtime,
        "precision": precision,
        "prepare_s": preparing,
        "first_s": first,
        "other_lambda_s": again,
        "shown_slice_ms": [1e3 * s for s in shown],
        "peak_gib": _peak_gib(),
    }
    if resolver.device.startswith("cuda"):
        result["gpu_peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return result


def measure_volume(slices: int, device: str, runtime: str | None, precision: str, rounds: int, threads: int) -> dict:
    """Times and memory of a volume.

    Args:
        slices: of the volume.
        device: as torch names it.
        runtime: of the engine's, or None for PyTorch as it is.
        precision: of the engine's.
        rounds: repetitions, at most 3 metabolites.
        threads: of the CPU.

    Returns:
        Seconds of `prepare`, of the first pass over a metabolite and of another lambda, milliseconds of one shown
        slice at random lambdas, and the process's peak memory in GiB.

    Raises:
        InputError: if the process fails.
    """
    arguments = json.dumps([slices, device, runtime, precision, rounds, threads])
    done = subprocess.run([sys.executable, "-m", __name__, arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"A volume of {slices} slices could not be super-resolved: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(_measure(*json.loads(sys.argv[1]))))
