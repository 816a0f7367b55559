"""Which ratios a batch makes of a patient's maps: of those of one examination, by their names."""

from collections.abc import Sequence
from pathlib import Path

from inference_core.batch.outputs import examination, ratio_name
from inference_core.batch.task import Task
from inference_core.errors import InputError
from inference_core.study.patient_files import PatientFiles
from inference_core.terms.ratios import STANDARD_RATIOS, Ratio
from inference_core.terms.reference import Reference


def ratio_tasks(
    patient: PatientFiles,
    output: Path,
    sharpness: Sequence[float],
    ratios: Sequence[Ratio],
    reference: Reference | None,
) -> list[Task]:
    """A patient's ratios, examination by examination.

    Args:
        patient: whose.
        output: folder for the results.
        sharpness: values of lambda.
        ratios: those wanted; if empty, the usual ones for which there are maps.
        reference: the tissue that they are compared with; its label image is looked for in the patient's folder.

    Raises:
        InputError: for a pattern that can't be looked for.
    """
    labels = _labels(patient, reference) if reference is not None and reference.labelled else ()
    examinations: dict[tuple[str, ...], dict[str, list[Path]]] = {}
    for path, metabolite in patient.maps:
        examinations.setdefault(examination(path), {}).setdefault(metabolite, []).append(path)
    tasks, conflicting_sources = [], {}
    for maps in examinations.values():
        first = next(iter(maps.values()))[0]
        for ratio in ratios or [own for own in STANDARD_RATIOS if set(own.metabolites) <= set(maps)]:
            needed = {name: tuple(maps.get(name, ())) for name in ratio.metabolites}
            for value in sharpness:
                label = f"{ratio.label}{reference.label}" if reference else ratio.label
                target = output / ratio_name(patient, first, label, value)
                # Without regard to case, as on some file systems.
                same = conflicting_sources.setdefault(str(target).casefold(), set())
                same.add(first)
                tasks.append(Task(patient, None, ratio.name, value, target, same, ratio, needed, reference, labels))
    return tasks


def _labels(patient: PatientFiles, reference: Reference) -> tuple[Path, ...]:
    pattern = Path(reference.region)
    refused = InputError(
        f"The reference '{pattern}' is to be in each patient's folder: write a path from there, as in "
        "anat/*_dseg.nii.gz."
    )
    if not pattern.name or pattern.is_absolute() or ".." in pattern.parts:
        raise refused
    try:
        return tuple(sorted(path for path in patient.folder.glob(str(pattern)) if path.is_file()))
    except ValueError as error:
        # Such as "a**b".
        raise refused from error
