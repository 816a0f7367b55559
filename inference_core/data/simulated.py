"""Slices of simulated patients, for training and evaluation without a scanner."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from inference_core.data.slice_set import SliceSet


def simulate_slices(seed: int, count: int | None = None, cache: Path | None = None) -> SliceSet:
    """`count` slices (all if None) of the simulated patient of `seed`, kept in and read from folder `cache`."""
    stored = cache and cache / f"simulated-{seed:06d}-{count or 'all'}.npz"
    if stored and stored.exists():
        with np.load(stored, allow_pickle=False) as arrays:
            return SliceSet(**arrays)
    from inference_core.phantom import simulate_patient

    stack = simulate_patient(seed).slices(count)
    slices = SliceSet(
        t1=stack.t1.astype(np.float16),
        flair=stack.flair.astype(np.float16),
        acquired=stack.acquired,
        target=stack.truth,
        valid=stack.mask,
        patient=np.full(len(stack.t1), seed),
    )
    if stored:
        cache.mkdir(parents=True, exist_ok=True)
        temporary = stored.with_name(f".{os.getpid()}-{stored.name}")
        np.savez(temporary, **asdict(slices))
        temporary.replace(stored)
    return slices


def _use_one_thread() -> None:
    """Keep linear algebra from starting threads of its own in each of the processes."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def simulate_cohort(
    seeds: Iterable[int],
    count: int | None = None,
    cache: Path | None = None,
    processes: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> SliceSet:
    """Slices of the simulated patients of `seeds`, simulated side by side.

    Args:
        seeds: the patients' seeds.
        count: slices a patient; all if None.
        cache: folder that keeps the slices for the next time.
        processes: how many to simulate at once; as many as there are cores if None.
        progress: wraps the patients as they come, such as `tqdm.tqdm`.
    """
    seeds = list(seeds)
    make = partial(simulate_slices, count=count, cache=cache)
    processes = min(processes or os.cpu_count() or 1, len(seeds))
    if processes == 1:
        return SliceSet.concatenate(progress(map(make, seeds)))
    # Spawned, because a fork of a process that runs torch's threads may hang.
    with ProcessPoolExecutor(processes, get_context("spawn"), _use_one_thread) as pool:
        return SliceSet.concatenate(progress(pool.map(make, seeds)))
