"""Super-resolving a whole study: every metabolite map of every patient, at every sharpness, and only what is missing.

    rows = run_batch("study", "results", sharpness=[0, 0.02])

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
from inference_core.batch.task import BatchRow, Task
from inference_core.files.atomic import remove_leftovers
from inference_core.inference.result_calibration import result_calibration

if TYPE_CHECKING:
    from inference_core.inference.super_resolver import SuperResolver

#: Called with the number of outputs that are through, of all outputs, and the latest row.
BatchProgress = Callable[[int, int, BatchRow], None]


def run_batch(
    study: str | Path,
    output: str | Path,
    *,
    sharpness: Sequence[float] | float = (0.0,),
    participants: Sequence[str] = (),
    metabolites: Sequence[str] = (),
    ratios: Sequence[str] | None = None,
    reference: str | None = None,
    mirror: bool = False,
    uncertainty: bool = False,
    self_check: bool = True,
    resolver: "SuperResolver | None" = None,
    progress: BatchProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[BatchRow]:
    """Super-resolve every metabolite map of every patient of a study, in this process.

    Args:
        study: folder of patients, see `find_patients`.
        output: folder for the results, made if only its last part is missing. Each result is an image with a JSON
            sidecar in `sub-*/mrsi`; the table of all rows is `batch.tsv`.
        sharpness: values of lambda, 0 to 0.1, or a single one.
        participants: labels of those to take, "01" or "sub-01"; all if empty.
        metabolites: those to take; all if empty.
        ratios: those to make, too, such as "tCho/NAA"; the usual ones that the maps allow if empty, none if None.
            Where their denominators may be zero is told by the maps' uncertainties, which takes as long as those.
        reference, mirror: give those in multiples of their median in normal tissue, see `plan_batch`.
        uncertainty: whether each result has its uncertainty beside it, with eight passes of the network instead of one.
        self_check: whether each map is checked against its own measured k-space.
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
    wanted = sharpness, participants, metabolites, ratios, reference, mirror, uncertainty, self_check
    plan = plan_batch(study, output, *wanted)
    if resolver is None:
        from inference_core.inference.super_resolver import SuperResolver

        resolver = SuperResolver.load()
    # Refused once, rather than in every row.
    result_calibration(resolver, uncertainty)
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
    place = tasks[0].patient.place
    with patient_lock(output, place, cancelled):
        remove_leftovers(output / place / "mrsi")
        for row in rows_of_patient(list(tasks), study, resolver, cancelled):
            now = time.perf_counter()
            yield replace(row, seconds=now - since)
            since = now
