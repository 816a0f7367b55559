"""What a batch is to do: every map of every patient at every sharpness, and where each result and the table go."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from inference_core.batch.outputs import describe_dataset, output_name, uncertainty_path, write_table
from inference_core.batch.ratios import ratio_tasks
from inference_core.batch.request import BatchRequest
from inference_core.batch.task import BatchRow, Task
from inference_core.errors import InputError
from inference_core.files.folders import make_folder
from inference_core.files.inputs import check_not_inputs
from inference_core.files.own_outputs import check_replaceable, table_with
from inference_core.imaging.writing import sidecar_path
from inference_core.study.patient_files import PatientFiles
from inference_core.study.walker import find_patients
from inference_core.terms.conditions import check_sharpness, resolve_metabolite
from inference_core.terms.ratios import Ratio
from inference_core.terms.reference import parse_reference

#: The table of all rows, in the output folder.
TABLE = "batch.tsv"
#: By which tables are known, those of earlier versions, too.
_OWN_COLUMNS = ("patient", "metabolite", "sharpness", "n", "status", "output", "message")


@dataclass(frozen=True)
class BatchPlan:
    """What is to do.

    Attributes:
        study: folder of patients.
        output: folder for the results.
        patients: the tasks, patient by patient; each has at least one.
        table: where the table of all rows goes.
    """

    study: Path
    output: Path
    patients: tuple[tuple[Task, ...], ...]
    table: Path

    @property
    def outputs(self) -> int:
        """How many results, patients without maps and files that are not used there are to tell of."""
        return sum(map(len, self.patients))

    def write_rows(self, rows: Sequence[BatchRow]) -> None:
        """Write the table; its outputs are relative to the folder that it lies in, and it does not say what took how
        long, so that the same batch gives the same table.

        Raises:
            InputError: if it can't be written.
        """
        columns = [field.name for field in fields(BatchRow) if field.name != "seconds"]
        relative = (
            replace(row, output=Path(row.output).relative_to(self.output).as_posix() if row.output else "n/a")
            for row in rows
        )
        write_table(self.table, columns, ([getattr(row, column) for column in columns] for row in relative))


def plan_batch(request: BatchRequest) -> BatchPlan:
    """Find the patients, and make the output folder.

    Raises:
        InputError: for a study without patients, participants that it has not, an output folder that can't be written
            or that holds input or a table that no batch wrote, unknown metabolites, what is no ratio, a reference
            without ratios or without a meaning, and sharpness outside its range.
    """
    study, output = Path(request.study), Path(request.output)
    given = request.sharpness
    values = list(dict.fromkeys(map(check_sharpness, [given] if isinstance(given, (int, float, str)) else given)))
    if not values:
        raise InputError("There is no sharpness to super-resolve at: give at least one value from 0 to 0.1.")
    wanted_ratios = [Ratio.parse(text) for text in request.ratios or ()]
    tissue = parse_reference(request.reference, request.mirror, request.ratios is not None)
    names = {resolve_metabolite(name) for name in request.metabolites}
    labels = list(dict.fromkeys(label.removeprefix("sub-") for label in request.participants))
    patients = find_patients(study)
    inputs = {study.resolve()} | {
        folder.resolve()
        for patient in patients
        for folder in (patient.folder, *(path.parent for path in (*patient.t1, *patient.flair, *dict(patient.maps))))
    }
    if output.resolve() in inputs:
        raise InputError(f"The output folder '{output}' is the study's folder or a patient's: choose another.")
    among = next((one for one in patients if (output / one.bids_path).resolve() in inputs), None)
    if among:
        raise InputError(
            f"In the output folder '{output}', results would lie among the files of patient '{among.name}': choose "
            "another."
        )
    tasks = _tasks(patients, output, values, names)
    if request.ratios is not None:
        tasks = [[*own, *ratio_tasks(own[0].patient, output, values, wanted_ratios, tissue)] for own in tasks]
    extras = {"uncertainty": request.uncertainty, "self_check": request.self_check}
    tasks = [[replace(task, **extras) for task in own] for own in tasks]
    if labels:
        tasks = _of_participants(tasks, labels, study)
    _check_outputs(tasks, patients)
    table = output / (f"batch_{'_'.join(f'sub-{label}' for label in labels)}.tsv" if labels else TABLE)
    check_replaceable([(table, table_with(*_OWN_COLUMNS))])
    make_folder(output)
    describe_dataset(output)
    return BatchPlan(study, output, tuple(map(tuple, tasks)), table)


def _check_outputs(tasks: list[list[Task]], patients: list[PatientFiles]) -> None:
    """Refuse results in whose place there are links to inputs."""
    results = [task.output for own in tasks for task in own if task.output is not None]
    results += [uncertainty_path(path) for path in results]
    inputs = [("T1", path) for one in patients for path in one.t1]
    inputs += [("FLAIR", path) for one in patients for path in one.flair]
    inputs += [(f"map of {metabolite}", path) for one in patients for path, metabolite in one.maps]
    check_not_inputs([path for one in results for path in (one, sidecar_path(one))], inputs)


def _tasks(
    patients: list[PatientFiles], output: Path, sharpness: list[float], metabolites: set[str]
) -> list[list[Task]]:
    """What is to do, patient by patient: patients without maps have one task without; those with others only, none.

    Files that are not used come first.
    """
    maps_by_output: dict[str, set[Path]] = {}
    tasks = []
    for patient in patients:
        of_patient = []
        for path, metabolite in patient.maps:
            for value in sharpness if not metabolites or metabolite in metabolites else ():
                target = output / output_name(patient, path, metabolite, value)
                # Without regard to case, as on some file systems.
                conflicting_sources = maps_by_output.setdefault(str(target).casefold(), set())
                conflicting_sources.add(path)
                of_patient.append(Task(patient, path, metabolite, value, target, conflicting_sources))
        if of_patient or not patient.maps:
            unused = [Task(patient, unused=one) for one in patient.unused]
            tasks.append([*unused, *(of_patient or [Task(patient)])])
    if not tasks:
        raise InputError(f"The study has no map of {', '.join(sorted(metabolites))}: name other metabolites.")
    return tasks


def _of_participants(tasks: list[list[Task]], labels: list[str], study: Path) -> list[list[Task]]:
    found = {label: [own for own in tasks if _label(own[0]) == label] for label in labels}
    missing = [label for label, own in found.items() if not own]
    if missing:
        there = sorted({_label(own[0]) for own in tasks})
        few = ", ".join(there[:5]) + (" and so on" if len(there) > 5 else "")
        raise InputError(f"'{study}' has no participant {', '.join(missing)}: it has {few}.")
    return [own for label in labels for own in found[label]]


def _label(task: Task) -> str:
    """The participant's label, without "sub-"."""
    return task.patient.bids_path.split("/")[0].removeprefix("sub-")
