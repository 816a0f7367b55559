"""One patient of a batch: which results are complete, and making the others."""

import functools
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inference_core import __version__
from inference_core.batch_outputs import fingerprint, finished
from inference_core.errors import InputError, InputWarning
from inference_core.inputs import read_image
from inference_core.outputs import write_result
from inference_core.patient_files import PatientFiles
from inference_core.sidecar import describe_result

if TYPE_CHECKING:
    from inference_core.super_resolver import PreparedInput, SuperResolver


@dataclass(frozen=True)
class BatchRow:
    """What became of one output.

    Attributes:
        patient: the folder's path within the study.
        metabolite: its paper name; "" for a patient without maps.
        sharpness: lambda; None for a patient without maps.
        n: the input resolution; None where it is not known.
        status: "done", "skipped" because it was complete, or "failed".
        seconds: what it took, reading and preparing included.
        output: the image, "" if it failed.
        message: why it failed, or warnings.
    """

    patient: str
    metabolite: str
    sharpness: float | None
    n: int | None
    status: Literal["done", "skipped", "failed"]
    seconds: float
    output: str
    message: str


@dataclass(frozen=True)
class Task:
    """One output to be.

    Attributes:
        patient: whose.
        map: what to super-resolve; None for a patient without maps, as are the next three.
        metabolite: of the map.
        sharpness: lambda.
        output: the image to write.
        rivals: all maps whose result would be written there; there should be one.
    """

    patient: PatientFiles
    map: Path | None = None
    metabolite: str = ""
    sharpness: float | None = None
    output: Path | None = None
    rivals: set[Path] = field(default_factory=set)


class BatchCancelled(Exception):  # noqa: N818 - not an error
    """The user wants no more."""


def rows_of_patient(
    tasks: list[Task], study: Path, resolver: "SuperResolver", cancelled: Callable[[], bool]
) -> Iterator[BatchRow]:
    """Do a patient's tasks; a row for each once it is through, its `seconds` still 0.

    Args:
        tasks: of one patient, at least one.
        study: what the sidecars' paths of sources are relative to.
        resolver: what super-resolves.
        cancelled: asked between slices.

    Raises:
        BatchCancelled: as soon as `cancelled` answers True.
    """
    patient = tasks[0].patient
    if tasks[0].map is None:
        missing = f"Patient '{patient.name}' has no metabolite map in '{patient.folder}': {_EXPECTED_NAMES}."
        yield _failed(tasks[0], InputError(patient.problem or missing))
        return
    for task in tasks:
        if len(task.rivals) > 1:
            yield _failed(task, _clash(task))
    tasks = [task for task in tasks if len(task.rivals) == 1]
    try:
        mri = {role: patient.single(role) for role in ("T1", "FLAIR")}
        hashes = {role: fingerprint(path) for role, path in mri.items()}
    except Exception as error:
        yield from (_failed(task, error) for task in tasks)
        return
    # Every map needs the patient's T1 and FLAIR, which take longest to read.
    read = functools.cache(read_image)
    for path, own in itertools.groupby(tasks, key=lambda task: task.map):
        if cancelled():
            raise BatchCancelled
        yield from _rows_of_map(list(own), {"map": path, **mri}, hashes, study, resolver, read, cancelled)


#: What to do about a patient without maps.
_EXPECTED_NAMES = "add maps with the metabolite in the file's name, such as NAA.nii.gz or GPC+PCh.nii.gz"


def _rows_of_map(
    tasks: list[Task],
    files: dict[str, Path],
    mri_hashes: dict[str, str],
    study: Path,
    resolver: "SuperResolver",
    read: Callable[[Path, str], Any],
    cancelled: Callable[[], bool],
) -> Iterator[BatchRow]:
    """Do the tasks of one map, which share what is prepared."""
    try:
        hashes = {"map": fingerprint(files["map"]), **mri_hashes}
    except OSError as error:
        yield from (_failed(task, error) for task in tasks)
        return
    todo = []
    for task in tasks:
        found = finished(task.output, _identity(task, hashes, resolver)) if resolver.weights else None
        if found is None:
            todo.append(task)
        else:
            yield _row(task, found.get("InputResolution"), "skipped", found.get("Warnings", []))
    if not todo:
        return
    try:
        prepared, messages = _prepare(
            resolver, read(files["map"], "map"), *(read(files[r], r) for r in ("T1", "FLAIR"))
        )
    except Exception as error:
        yield from (_failed(task, error) for task in todo)
        return
    sources = {role: path.relative_to(study).as_posix() for role, path in files.items()}
    for task in todo:
        if cancelled():
            raise BatchCancelled
        try:
            about = describe_result(resolver, prepared, task.metabolite, task.sharpness, sources)
            about |= _identity(task, hashes, resolver) | {"Warnings": messages}
            _make(task, prepared, about, resolver, cancelled)
        except BatchCancelled:
            raise
        except Exception as error:
            row = _failed(task, error)
        else:
            row = _row(task, prepared.n, "done", messages)
        yield row


def _identity(task: Task, hashes: dict[str, str], resolver: "SuperResolver") -> dict[str, Any]:
    """What a result depends on; the same entries in its sidecar mean the same result."""
    return {
        "SourcesSHA256": hashes,
        "WeightsSHA256": resolver.weights and resolver.weights.sha256,
        "Metabolite": task.metabolite,
        "Sharpness": task.sharpness,
        "SoftwareVersion": __version__,
    }


def _prepare(resolver: "SuperResolver", *images: Any) -> tuple["PreparedInput", list[str]]:
    """A map, T1 and FLAIR prepared, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        prepared = resolver.prepare(*images)
    ours = [str(warning.message) for warning in caught if issubclass(warning.category, InputWarning)]
    for warning in caught:
        if not issubclass(warning.category, InputWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return prepared, list(dict.fromkeys(ours))


def _make(
    task: Task,
    prepared: "PreparedInput",
    about: dict[str, Any],
    resolver: "SuperResolver",
    cancelled: Callable[[], bool],
) -> None:
    """Super-resolve and write one result."""
    from inference_core.geometry import super_resolved_image

    def check(done: int, total: int) -> None:
        if cancelled():
            raise BatchCancelled

    array = resolver.super_resolve(prepared, task.metabolite, task.sharpness, progress=check)
    try:
        task.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder '{task.output.parent}' can't be made ({error.strerror}): check what is in its place."
        ) from error
    write_result(super_resolved_image(array, prepared.grid), task.output, about)


def _row(task: Task, n: int | None, status: Literal["done", "skipped"], messages: Iterable[str]) -> BatchRow:
    return BatchRow(
        task.patient.name, task.metabolite, task.sharpness, n, status, 0.0, str(task.output), " ".join(messages)
    )


def _failed(task: Task, error: Exception) -> BatchRow:
    """The row of an output that could not be made; what is not the input's fault says so."""
    message = " ".join(str(error).split())
    if not isinstance(error, InputError):
        message = f"Unexpected {type(error).__name__}: {message or 'no details'}."
    if task.output is not None and task.output.exists():
        message += " An earlier result is still there."
    return BatchRow(task.patient.name, task.metabolite, task.sharpness, None, "failed", 0.0, "", message)


def _clash(task: Task) -> InputError:
    names = " and ".join(f"'{path}'" for path in sorted(task.rivals))
    return InputError(f"The maps {names} would have one name in the output folder: rename or remove one.")
