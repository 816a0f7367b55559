"""One patient of a batch: which results are complete, and making the others."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inference_core import __version__
from inference_core.batch.outputs import fingerprint, finished, uncertainty_path
from inference_core.batch.patient_maps import BatchCancelled, PatientMaps
from inference_core.batch.task import BatchRow, Task
from inference_core.errors import InputError
from inference_core.files.folders import make_folders
from inference_core.imaging.absent import absent_content
from inference_core.imaging.writing import write_result
from inference_core.inference.description import describe_result, describe_uncertainty
from inference_core.inference.result_calibration import result_calibration
from inference_core.terms.quantity import Quantity

if TYPE_CHECKING:
    from inference_core.inference.quantity_source import QuantityResult
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.inference.uncertainty.calibration import Calibration


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
    for task in tasks:
        if task.unused is not None:
            message = task.unused.sentence(patient.folder)
            yield BatchRow(patient.name, "", None, None, "unused", 0.0, "", message)
    tasks = [task for task in tasks if task.unused is None]
    if tasks[0].output is None:
        missing = f"Patient '{patient.name}' has no metabolite map in '{patient.folder}': {_EXPECTED_NAMES}."
        yield _failed(tasks[0], InputError(patient.problem or missing))
        return
    for task in tasks:
        if (problem := _problem(task)) is not None:
            yield _failed(task, problem)
    tasks = [task for task in tasks if _problem(task) is None]
    try:
        mri = {role: patient.single(role) for role in ("T1", "FLAIR")}
        hashes = {role: fingerprint(path) for role, path in mri.items()}
    except Exception as error:
        yield from (_failed(task, error) for task in tasks)
        return
    maps = PatientMaps(resolver, mri, hashes, cancelled)
    for task in tasks:
        if cancelled():
            raise BatchCancelled
        yield _row_of(task, study, maps)


#: What to do about a patient without maps.
_EXPECTED_NAMES = "add maps with the metabolite in the file's name, such as NAA.nii.gz or GPC+PCh.nii.gz"


def _problem(task: Task) -> InputError | None:
    """What forbids a task before any file is opened."""
    if len(task.conflicting_sources) > 1:
        return _clash(task)
    for path in (task.map,) if task.map else (path for paths in task.maps.values() for path in paths):
        if absent := absent_content(path):
            return InputError(f"The map '{path}' is {absent}.")
    if task.ratio is None:
        return None
    try:
        task.ratio.require({name for name, paths in task.maps.items() if paths})
    except InputError as error:
        return error
    if task.reference is not None and task.reference.labelled and len(task.labels) != 1:
        return _no_single_reference(task)
    for name, paths in task.maps.items():
        if len(paths) > 1:
            names = " and ".join(f"'{path}'" for path in paths)
            return InputError(f"The ratio {task.metabolite} has two maps of {name}, {names}: remove one.")
    return None


def _row_of(task: Task, study: Path, maps: PatientMaps) -> BatchRow:
    """Do one task, unless its output is complete."""
    resolver, files = maps.resolver, _files(task)
    try:
        calibration, sentence = result_calibration(resolver, task.uncertainty, task.ratio is not None)
        identity = _identity(task, {role: maps.hash(path) for role, path in files.items()} | maps.mri_hashes, maps)
        if calibration is not None:
            identity["CalibrationSHA256"] = calibration.fingerprint
        if task.reference is not None:
            identity["Reference"] = task.reference.name
        outputs = [task.output, *([uncertainty_path(task.output)] if task.uncertainty else [])]
        found = [finished(path, identity) for path in outputs] if resolver.weights else [None]
        if None not in found:
            told = found[0].get("Warnings", [])
            return _row(task, found[0].get("InputResolution"), "skipped", told, _explained(found[0]))
        named = {name: paths[0] for name, paths in task.maps.items()} or {task.metabolite: task.map}
        region = maps.reference(task.labels[0], task.reference.mirror) if task.labels else None
        quantity = Quantity(tuple(named), task.ratio, task.reference)
        result = maps.result(quantity, named, task.sharpness, calibration, region)
        checks = [maps.self_check(path, name, task.sharpness) for name, path in named.items() if task.self_check]
        warned = [check.warning for check in checks if check.warning]
        messages = [*maps.notices((*named.values(), *task.labels[:1])), *([sentence] if sentence else []), *warned]
        sources = {role: path.relative_to(study).as_posix() for role, path in {**files, **maps.mri}.items()}
        about = describe_result(resolver, result, sources, checks) | identity | {"Warnings": messages}
        _write(task, result, about, calibration)
    except BatchCancelled:
        raise
    except Exception as error:
        return _failed(task, error)
    return _row(task, result.prepared.n, "done", messages, _explained(about))


def _files(task: Task) -> dict[str, Path]:
    """The task's own files, by what the sidecar calls them."""
    if task.ratio is None:
        return {"map": task.map}
    maps = {f"map of {name}": paths[0] for name, paths in task.maps.items()}
    return maps | ({"reference": task.labels[0]} if task.labels else {})


def _identity(task: Task, hashes: dict[str, str], maps: PatientMaps) -> dict[str, Any]:
    """What a result depends on; the same entries in its sidecar mean the same result."""
    return {
        "SourcesSHA256": hashes,
        "WeightsSHA256": maps.resolver.weights and maps.resolver.weights.sha256,
        "Metabolite": task.metabolite,
        "Sharpness": task.sharpness,
        "Detail": maps.resolver.detail,
        "Consistency": maps.resolver.consistency,
        "SoftwareVersion": __version__,
    }


def _write(task: Task, result: "QuantityResult", about: dict[str, Any], calibration: "Calibration | None") -> None:
    """Write one result, its uncertainty first: what lies beside a result is complete."""
    from inference_core.imaging.geometry import super_resolved_image

    make_folders(task.output.parent)
    if task.uncertainty:
        described = about | describe_uncertainty(result, calibration)
        write_result(super_resolved_image(result.uncertainty, result.grid), uncertainty_path(task.output), described)
    write_result(super_resolved_image(result.values, result.grid), task.output, about)


def _row(
    task: Task, n: int | None, status: Literal["done", "skipped"], messages: Iterable[str], explained: float | None
) -> BatchRow:
    message = " ".join(messages)
    return BatchRow(
        task.patient.name, task.metabolite, task.sharpness, n, status, 0.0, str(task.output), message, explained
    )


def _explained(about: dict[str, Any]) -> float | None:
    """The least share of held-back detail that a result's maps explain, by its sidecar; None where it says nothing."""
    found = [check.get("Explained") for check in about.get("SelfCheck", {}).values()]
    return min((share for share in found if share is not None), default=None)


def _failed(task: Task, error: Exception) -> BatchRow:
    """The row of an output that could not be made; what is not the input's fault says so."""
    message = " ".join(str(error).split())
    if not isinstance(error, InputError):
        message = f"Unexpected {type(error).__name__}: {message or 'no details'}."
    if task.output is not None and task.output.exists():
        message += " An earlier result is still there."
    return BatchRow(task.patient.name, task.metabolite, task.sharpness, None, "failed", 0.0, "", message)


def _no_single_reference(task: Task) -> InputError:
    pattern, folder = task.reference.region, task.patient.folder
    if not task.labels:
        return InputError(f"No reference '{pattern}' is in '{folder}': add a label image, or name another reference.")
    names = " and ".join(f"'{path}'" for path in task.labels)
    return InputError(f"The reference '{pattern}' is {len(task.labels)} files, {names}: leave one, or name one.")


def _clash(task: Task) -> InputError:
    names = " and ".join(f"'{path}'" for path in sorted(task.conflicting_sources))
    return InputError(f"The maps {names} would have one name in the output folder: rename or remove one.")
