"""Super-resolving a whole study: every metabolite map of every patient, at every sharpness, and only what is missing.

    rows = run_batch(BatchRequest("study", "results", sharpness=[0, 0.02]))

One patient's failure does not stop the others. What is complete is recognized by what its sidecar says of the
content of the files that it was made from, of the weights, the sharpness and the version.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inference_core.batch.locks import patient_lock
from inference_core.batch.patient import rows_of_patient
from inference_core.batch.patient_maps import BatchCancelled
from inference_core.batch.plan import plan_batch
from inference_core.batch.request import BatchRequest
from inference_core.batch.task import BatchRow, Task
from inference_core.files.atomic import remove_leftovers
from inference_core.inference.result_calibration import result_calibration

if TYPE_CHECKING:
    from inference_core.inference.super_resolver import SuperResolver

#: Called with the number of outputs that are through, of all outputs, and the latest row.
BatchProgress = Callable[[int, int, BatchRow], None]


def run_batch(
    request: BatchRequest,
    *,
    resolver: "SuperResolver | None" = None,
    progress: BatchProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[BatchRow]:
    """Super-resolve every metabolite map of every patient of a study, in this process.

    Args:
        request: which study, where the results go, and what is wanted of it.
        resolver: what super-resolves; None for the default weights on the fastest device.
        progress: called after each output.
        cancelled: asked between slices; True ends the batch, and what was done is kept.

    Returns:
        A row for each output, one for a patient without maps, and one for each file that looks like a map and is not
        used; when cancelled, those that were reached.

    Raises:
        InputError: as `plan_batch`, for default weights that can't be loaded, or weights without a calibration to
            tell the uncertainty by. What is wrong with one patient is in its rows.
    """
    plan = plan_batch(request)
    if resolver is None:
        from inference_core.inference.super_resolver import SuperResolver

        resolver = SuperResolver.load()
    # Refused once, rather than in every row.
    result_calibration(resolver, request.uncertainty)
    rows: list[BatchRow] = []
    try:
        for tasks in plan.patients:
            for row in timed_rows(tasks, plan.study, plan.output, resolver, cancelled or (lambda: False)):
                rows.append(row)
                if progress is not None:
                    progress(len(rows), plan.outputs, row)
            plan.write_rows(rows)
    except BatchCancelled:
        pass
    finally:
        plan.write_rows(rows)
    return rows


def timed_rows(
    tasks: Sequence[Task],
    study: Path,
    output: Path,
    resolver: "SuperResolver",
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[BatchRow]:
    """Do one patient's tasks while no other run does; a row for each once it is through, with the seconds it took.

    Raises:
        BatchCancelled: as soon as `cancelled` answers True.
    """
    since = time.perf_counter()
    bids_path = tasks[0].patient.bids_path
    with patient_lock(output, bids_path, cancelled):
        remove_leftovers(output / bids_path / "mrsi")
        for row in rows_of_patient(list(tasks), study, resolver, cancelled):
            now = time.perf_counter()
            yield replace(row, seconds=now - since)
            since = now
