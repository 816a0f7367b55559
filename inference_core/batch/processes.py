"""A batch over several processes: of this machine, or of a Dask cluster; one patient at a time in each."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

from inference_core.batch.plan import BatchPlan
from inference_core.batch.task import BatchRow, Task
from inference_core.errors import InputError
from inference_core.terms.detail import DEFAULT_CONSISTENCY, DEFAULT_DETAIL

#: Seconds within which a Dask scheduler has to answer.
_SCHEDULER_TIMEOUT_S = 10
#: One patient at a time in a process, whose results share what the network keeps.
_TURN = threading.Lock()


@dataclass(frozen=True)
class ResolverSettings:
    """What each process loads.

    Attributes:
        weights: file, None for the default ones.
        device: None for the fastest.
        runtime: None for the best.
        detail, consistency: how the network's detail is treated, and the measured k-space kept.
    """

    weights: Path | None = None
    device: str | None = None
    runtime: str | None = None
    detail: str = DEFAULT_DETAIL
    consistency: str = DEFAULT_CONSISTENCY


#: Called with the rows of one patient.
PatientRows = Callable[[list[BatchRow]], None]


@lru_cache(maxsize=1)
def load_resolver(settings: ResolverSettings):
    """The process's resolver."""
    from inference_core.inference.super_resolver import SuperResolver

    treated = {"detail": settings.detail, "consistency": settings.consistency}
    return SuperResolver.load(settings.weights, settings.device, settings.runtime, **treated)


def rows_of(tasks: Sequence[Task], study: Path, output: Path, settings: ResolverSettings) -> list[BatchRow]:
    """One patient's rows, by one thread: with another number of them the last digits would be others."""
    from inference_core.batch.run import timed_rows
    from inference_core.engine.threads import one_thread

    with _TURN, one_thread():
        return list(timed_rows(tasks, study, output, load_resolver(settings)))


def run_here(plan: BatchPlan, settings: ResolverSettings, jobs: int, done: PatientRows) -> None:
    """Do a plan in so many processes of this machine.

    Args:
        plan: what to do.
        settings: with what.
        jobs: how many processes.
        done: called with each patient's rows.
    """
    left = set(range(len(plan.patients)))
    for index, rows in _in_pool(plan, settings, sorted(left), jobs):
        left.discard(index)
        done(rows)
    # A process died, and took the others' work with it: one patient after another, to find the one it died of.
    for index in sorted(left):
        found = dict(_in_pool(plan, settings, [index], 1))
        reason = "Its process died, as when memory runs out: try it alone, or with fewer --jobs."
        done(found.get(index) or _failed(plan.patients[index], reason))


def _in_pool(
    plan: BatchPlan, settings: ResolverSettings, indices: Sequence[int], jobs: int
) -> Iterator[tuple[int, list[BatchRow]]]:
    """Patients' rows as they come, until a process dies."""
    # Threads of the parent, such as PyTorch's, do not survive a fork.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"))
    try:
        futures = {pool.submit(rows_of, plan.patients[i], plan.study, plan.output, settings): i for i in indices}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def run_on_cluster(plan: BatchPlan, settings: ResolverSettings, scheduler: str, done: PatientRows) -> None:
    """Do a plan on the workers of a Dask cluster, which need this package and the same folders.

    The scheduler gives what a worker that dies had in hand to another one, as often as its setting `allowed-failures`
    says.

    Args:
        plan: what to do, with absolute paths.
        settings: with what.
        scheduler: its address, such as tcp://head:8786.
        done: called with each patient's rows.

    Raises:
        InputError: if Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
        from distributed import as_completed as completed
    except ImportError as error:
        raise InputError("--scheduler needs Dask: install mrsi-superres[cluster], here and on the workers.") from error
    try:
        client = Client(scheduler, timeout=_SCHEDULER_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"No Dask scheduler answers at '{scheduler}': check the address, and that the scheduler runs."
        ) from error
    with client:
        futures = {
            client.submit(rows_of, tasks, plan.study, plan.output, settings, pure=False): tasks
            for tasks in plan.patients
        }
        for future in completed(list(futures)):
            tasks = futures.pop(future)
            if future.status == "finished":
                done(future.result())
            else:
                done(_failed(tasks, f"The cluster gave it up: {' '.join(str(future.exception()).split())}"))
            # What is through is kept nowhere.
            future.release()


def _failed(tasks: Sequence[Task], reason: str) -> list[BatchRow]:
    return [BatchRow(t.patient.name, t.metabolite, t.sharpness, None, "failed", 0.0, "", reason) for t in tasks]
