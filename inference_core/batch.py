"""Super-resolving a whole study: every metabolite map of every patient, at every sharpness, and only what is missing.

    rows = run_batch("study", "results", sharpness=[0, 0.02])

One patient's failure does not stop the others. What is complete is recognized by what its sidecar says of the
content of the files that it was made from, of the weights, the sharpness and the version.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from inference_core.batch_outputs import describe_dataset, output_name, write_table
from inference_core.batch_patient import BatchCancelled, BatchRow, Task, rows_of_patient
from inference_core.conditions import check_sharpness
from inference_core.errors import InputError
from inference_core.outputs import make_folder
from inference_core.patient_files import PatientFiles, find_patients

if TYPE_CHECKING:
    from inference_core.super_resolver import SuperResolver

__all__ = ["TABLE", "BatchProgress", "BatchRow", "find_patients", "run_batch"]

#: The table of all rows, in the output folder.
TABLE = "batch.tsv"
#: Called with the number of outputs that are through, of all outputs, and the latest row.
BatchProgress = Callable[[int, int, BatchRow], None]


def run_batch(
    study: str | Path,
    output: str | Path,
    *,
    sharpness: Sequence[float] | float = (0.0,),
    resolver: "SuperResolver | None" = None,
    progress: BatchProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[BatchRow]:
    """Super-resolve every metabolite map of every patient of a study.

    Args:
        study: folder of patients, see `find_patients`.
        output: folder for the results, made if only its last part is missing. Each result is an image with a JSON
            sidecar in `sub-*/mrsi`; the table of all rows is `batch.tsv`.
        sharpness: values of lambda, 0 to 0.1, or a single one.
        resolver: what super-resolves; None for the default weights on the fastest device.
        progress: called after each output.
        cancelled: asked between slices; True ends the batch, and what was done is kept.

    Returns:
        A row for each output, and one for a patient without maps; when cancelled, those that were reached.

    Raises:
        InputError: for a study without patients, an output folder that can't be written or that holds input,
            sharpness outside its range, or default weights that can't be loaded. What is wrong with one patient is
            in its rows.
    """
    study, output = Path(study), Path(output)
    wanted = [sharpness] if isinstance(sharpness, (int, float, str)) else sharpness
    values = list(dict.fromkeys(check_sharpness(value) for value in wanted))
    if not values:
        raise InputError("There is no sharpness to super-resolve at: give at least one value from 0 to 0.1.")
    patients = find_patients(study)
    inputs = {study.resolve()} | {
        folder.resolve()
        for patient in patients
        for folder in (patient.folder, *(path.parent for path in (*patient.t1, *patient.flair, *dict(patient.maps))))
    }
    if output.resolve() in inputs:
        raise InputError(f"The output folder '{output}' is the study's folder or a patient's: choose another.")
    make_folder(output)
    describe_dataset(output)
    if resolver is None:
        from inference_core.super_resolver import SuperResolver

        resolver = SuperResolver.load()
    tasks = _tasks(patients, output, values)
    total, rows, since = sum(map(len, tasks)), [], time.perf_counter()
    try:
        for of_patient in tasks:
            for row in rows_of_patient(of_patient, study, resolver, cancelled or (lambda: False)):
                now = time.perf_counter()
                rows.append(replace(row, seconds=now - since))
                since = now
                if progress is not None:
                    progress(len(rows), total, rows[-1])
            _write_rows(rows, output)
    except BatchCancelled:
        pass
    finally:
        _write_rows(rows, output)
    return rows


def _tasks(patients: list[PatientFiles], output: Path, sharpness: list[float]) -> list[list[Task]]:
    """What is to do, patient by patient."""
    maps_by_output: dict[str, set[Path]] = {}
    tasks = []
    for patient in patients:
        of_patient = []
        for path, metabolite in patient.maps:
            for value in sharpness:
                target = output / output_name(patient, path, metabolite, value)
                # Without regard to case, as on some file systems.
                rivals = maps_by_output.setdefault(str(target).casefold(), set())
                rivals.add(path)
                of_patient.append(Task(patient, path, metabolite, value, target, rivals))
        tasks.append(of_patient or [Task(patient)])
    return tasks


def _write_rows(rows: list[BatchRow], output: Path) -> None:
    """Write the table; its outputs are relative to the folder that it lies in."""
    relative = [
        replace(row, output=Path(row.output).relative_to(output).as_posix() if row.output else "n/a") for row in rows
    ]
    table = ([*values[:5], f"{values[5]:.2f}", *values[6:]] for values in map(astuple, relative))
    write_table(output / TABLE, [field.name for field in fields(BatchRow)], table)
