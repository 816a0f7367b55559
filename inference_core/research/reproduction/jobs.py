"""The queue of jobs: what is still to do, in order, and its execution on the available devices."""

import logging
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from queue import Queue

from inference_core.errors import InputError
from inference_core.research.reproduction.measuring import (
    measure_conditions,
    measure_method,
    measure_sharpness,
    measure_untrained,
)
from inference_core.research.reproduction.methods import TRAINED_METHODS
from inference_core.research.reproduction.report_sections import Failure
from inference_core.research.reproduction.study import Study
from inference_core.research.reproduction.training import train_network

#: File in the folder of a network that was measured and whose weights were deleted.
LET_GO = "let-go"
#: Methods whose response to conditions is looked at, the better one first.
_CONDITIONED = ("filter-scaling-met", "multi-conditional")


@dataclass(frozen=True)
class Job:
    """A step that leaves one file.

    Attributes:
        kind: "train", "untrained", "method", "conditions" or "sharpness".
        method: whose network; of "sharpness" and "conditions", too, unless the plan names weights.
        resolutions: of "train", the n that the network is trained on.
        fold: counted from 0.
    """

    kind: str
    method: str = ""
    resolutions: tuple[int, ...] = ()
    fold: int = 0

    def __str__(self) -> str:
        """For people to read."""
        n = f", n = {self.resolutions[0]}" if len(self.resolutions) == 1 else ""
        return f"{self.kind} {self.method}{n}, fold {self.fold + 1}".replace(" ,", ",")

    def file(self, study: Study) -> Path:
        """What it leaves."""
        if self.kind == "train":
            return study.network_folder(self.method, self.resolutions, self.fold) / "weights.safetensors"
        return study.result(self.method if self.kind == "method" else self.kind, self.fold)

    def done(self, study: Study) -> bool:
        """Whether it is done; so is a network that was measured and then deleted."""
        file = self.file(study)
        return file.exists() or (self.kind == "train" and (file.parent / LET_GO).exists())

    def needs(self, study: Study) -> list[Path]:
        """What must be there before."""
        if self.kind == "method":
            own = TRAINED_METHODS[self.method].resolutions
            return [Job("train", self.method, tuple(n), self.fold).file(study) for n in own]
        if self.kind in ("conditions", "sharpness"):
            return [self._weights(study)]
        return []

    def _weights(self, study: Study) -> Path:
        if study.plan.weights:
            return Path(study.plan.weights)
        (resolutions,) = TRAINED_METHODS[self.method].resolutions
        return Job("train", self.method, tuple(resolutions), self.fold).file(study)

    def run(self, study: Study) -> None:
        """Do it."""
        if self.kind == "train":
            train_network(study, TRAINED_METHODS[self.method], self.resolutions, self.fold)
        elif self.kind == "method":
            measure_method(study, TRAINED_METHODS[self.method], self.fold)
        elif self.kind == "untrained":
            measure_untrained(study, self.fold)
        elif self.kind == "conditions":
            measure_conditions(study, self._weights(study), self.fold)
        else:
            measure_sharpness(study, self._weights(study), self.fold)


def all_jobs(study: Study) -> list[Job]:
    """In the order in which they are best done: what others need first, and fold by fold."""
    plan, jobs = study.plan, []
    for fold in range(plan.folds):
        jobs.append(Job("untrained", fold=fold))
        for name in plan.methods:
            own = TRAINED_METHODS[name].resolutions
            jobs += [Job("train", name, tuple(resolutions), fold) for resolutions in own]
            jobs.append(Job("method", name, fold=fold))
        conditioned = [name for name in _CONDITIONED if name in plan.methods]
        if conditioned or plan.weights:
            jobs.append(Job("conditions", conditioned[0] if conditioned and not plan.weights else "", fold=fold))
        if "multi-conditional" in plan.methods or plan.weights:
            jobs.append(Job("sharpness", "" if plan.weights else "multi-conditional", fold=fold))
    return jobs


def _chain(job: Job) -> tuple[int, str]:
    """Jobs of one chain need one another, and none of another chain's."""
    return job.fold, job.method


def let_go(study: Study) -> None:
    """Remove the weights that neither an open job nor the report needs; their figures stay."""
    jobs = all_jobs(study)
    kept = {path for job in jobs if not job.done(study) for path in job.needs(study)}
    # The report shows maps of the first fold.
    kept |= {path for job in jobs if job.kind == "sharpness" and not job.fold for path in job.needs(study)}
    for job in jobs:
        weights = job.file(study)
        if job.kind == "train" and weights.exists() and weights not in kept:
            (weights.parent / LET_GO).touch()
            weights.unlink()


def _attempt(study: Study, job: Job) -> Failure | None:
    missing = [path for path in job.needs(study) if not path.exists()]
    if missing:
        return Failure(str(job), f"It needs {missing[0].parent.name}, which is not done.")
    try:
        job.run(study)
    except InputError as error:
        return Failure(str(job), str(error))
    except Exception as error:
        path = study.folder / "errors.log"
        try:
            with path.open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(f"{job}\n{traceback.format_exc()}\n")
            details = f"details in {path.name}"
        except OSError as refused:
            details = f"no details, since {path.name} can't be written: {refused.strerror}"
        return Failure(str(job), f"{type(error).__name__}: {error} ({details}).")
    return None


def _attempt_all(study: Study, jobs: Sequence[Job]) -> list[tuple[Job, Failure | None]]:
    """One after the other, until time ends."""
    tried = []
    for job in jobs:
        if study.out_of_time():
            break
        failure = _attempt(study, job)
        if failure or job.done(study):
            tried.append((job, failure))
    return tried


def _work(study: Study, jobs: Sequence[Job], free: Queue) -> list[tuple[Job, Failure | None]]:
    """As `_attempt_all`, in another process, on a device that is free."""
    logging.disable(logging.INFO)
    device = free.get()
    try:
        return _attempt_all(replace(study, device=device), jobs)
    finally:
        free.put(device)


def run_jobs(study: Study, devices: Sequence[str], done: Callable[[Job], None] = lambda job: None) -> list[Failure]:
    """Do all that is not done yet, until the study's time ends; what fails does not stop the rest.

    Args:
        study: the run.
        devices: as torch names them; each works on a method of a fold at a time, in a process of its own if there are
            several. A device that is named several times works on as many.
        done: is called with each job that is done.
    """
    jobs = all_jobs(study)
    for job in jobs:
        if job.done(study):
            done(job)
    open_jobs = [job for job in jobs if not job.done(study)]
    chains: dict[tuple[int, str], list[Job]] = {}
    for job in open_jobs:
        chains.setdefault(_chain(job), []).append(job)
    failures: list[Failure] = []

    def tell(tried: list[tuple[Job, Failure | None]]) -> None:
        for job, failure in tried:
            done(job)
            if failure:
                failures.append(failure)

    if len(devices) == 1:
        for job in open_jobs:
            tell(_attempt_all(replace(study, device=devices[0]), [job]))
        return failures
    context = get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(len(devices), context) as pool:
        free = manager.Queue()
        for device in devices:
            free.put(device)
        for future in as_completed([pool.submit(_work, study, own, free) for own in chains.values()]):
            tell(future.result())
    return failures
