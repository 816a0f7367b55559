"""Whether weights can be trusted on a scanner: the self-check of every map of a study, without ground truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from inference_core.batch.outputs import write_table
from inference_core.errors import InputError
from inference_core.files.own_outputs import check_replaceable, is_own_figure, table_with
from inference_core.imaging.reading import read_image
from inference_core.study.patient_files import PatientFiles
from inference_core.study.walker import find_patients
from inference_core.terms.conditions import resolve_metabolite

if TYPE_CHECKING:
    from inference_core.inference.examination import Examination
    from inference_core.inference.self_check import SelfCheck
    from inference_core.inference.super_resolver import SuperResolver

#: The table and the figure, in the output folder.
TABLE, FIGURE = "validation.tsv", "validation.png"


@dataclass(frozen=True)
class ValidationRow:
    """What the check of one map came to.

    Attributes:
        patient: the folder's path within the study.
        metabolite: its paper name; "" for a patient who could not be looked at.
        n: the map's resolution; None where it could not be read, as are the next six where it could not be checked.
        kept: the resolution that the map was cut to.
        explained: the share of the held-back measured detail that the super-resolved map explains; 0 as zero-filling.
        standard_error: of it.
        explained_unmatched: what the network's detail explains without being matched to the data.
        noise: the share of the held-back measured k-space that is noise.
        noise_source: what it was estimated from.
        verdict: one of `self_check`'s, or "not checked", or "failed".
        message: why, or the warning.
        check: all that is known of it.
    """

    patient: str
    metabolite: str
    n: int | None
    kept: int | None
    explained: float | None
    standard_error: float | None
    explained_unmatched: float | None
    noise: float | None
    noise_source: str | None
    verdict: str
    message: str
    check: "SelfCheck | None" = None


def patients_to_validate(study: Path, participants: Sequence[str] = ()) -> list[PatientFiles]:
    """The patients of a study, as a batch finds them.

    Args:
        study: folder of patients.
        participants: labels of those to take; all if empty.

    Raises:
        InputError: for a study without patients, or participants that it has not.
    """
    patients = find_patients(study)
    labels = list(dict.fromkeys(label.removeprefix("sub-") for label in participants))
    if not labels:
        return patients
    found = [one for one in patients if one.bids_path.split("/")[0].removeprefix("sub-") in labels]
    missing = set(labels) - {one.bids_path.split("/")[0].removeprefix("sub-") for one in found}
    if missing:
        raise InputError(f"'{study}' has no participant {', '.join(sorted(missing))}: check the labels.")
    return found


def validate_patient(
    patient: PatientFiles, resolver: "SuperResolver", metabolites: Sequence[str] = (), sharpness: float = 0.0
) -> Iterator[ValidationRow]:
    """A row for each of a patient's maps; what is wrong with one stops no other.

    Args:
        patient: whose.
        resolver: whose detail is checked.
        metabolites: those to take, by any of their names; all if empty.
        sharpness: lambda, 0 to 0.1.

    Raises:
        InputError: for an unknown metabolite.
    """
    from inference_core.inference.examination import Examination

    names = {resolve_metabolite(name) for name in metabolites}
    maps = [(path, name) for path, name in patient.maps if not names or name in names]
    try:
        if not patient.maps:
            raise InputError(patient.problem or f"Patient '{patient.name}' has no metabolite map.")
        mri = [read_image(patient.single(role), role) for role in ("T1", "FLAIR")]
    except InputError as error:
        yield _without_check(patient, "", None, "failed", str(error))
        return
    examination = Examination(resolver)
    for path, name in maps:
        yield _row(patient, examination, path, name, mri, sharpness)


def _row(
    patient: PatientFiles, examination: "Examination", path: Path, metabolite: str, mri: list, sharpness: float
) -> ValidationRow:
    from inference_core.inference.map_noise import noise_beside
    from inference_core.inference.self_check import NoSelfCheck

    try:
        prepared = examination.prepare(path, read_image(path, "map"), *mri)
        check = examination.self_check(path, metabolite, sharpness, noise_beside(prepared, path))
    except InputError as error:
        return _without_check(patient, metabolite, None, "failed", str(error))
    if isinstance(check, NoSelfCheck):
        return _without_check(patient, metabolite, prepared.n, "not checked", check.sentence)
    numbers = (round(value, 4) for value in (check.explained, check.error, check.unscaled, check.noise))
    noise = f"{check.noise_certainty}, by {check.noise_source}"
    told = [check.warning] if check.warning else []
    message = " ".join([*told, *examination.notices(path)])
    return ValidationRow(patient.name, metabolite, check.n, check.kept, *numbers, noise, check.verdict, message, check)


def _without_check(
    patient: PatientFiles, metabolite: str, n: int | None, verdict: Literal["failed", "not checked"], message: str
) -> ValidationRow:
    return ValidationRow(
        patient.name, metabolite, n, None, None, None, None, None, None, verdict, " ".join(message.split())
    )


def check_validation_outputs(output: Path) -> None:
    """Refuse to replace a table or figure that no validation wrote.

    Figures of earlier versions have no mark: they are known by the table beside them.

    Raises:
        InputError: if there is one.
    """
    is_table = table_with("patient", "metabolite", "explained", "noise_source", "verdict")

    def is_figure(path: Path) -> bool:
        return is_own_figure(path) or is_table(output / TABLE)

    check_replaceable([(output / TABLE, is_table), (output / FIGURE, is_figure)])


def write_validation(rows: Sequence[ValidationRow], output: Path) -> Path:
    """Write the table; its path.

    Raises:
        InputError: if it can't be written.
    """
    columns = [field.name for field in fields(ValidationRow) if field.name != "check"]
    write_table(output / TABLE, columns, ([getattr(row, column) for column in columns] for row in rows))
    return output / TABLE


def summary(rows: Sequence[ValidationRow]) -> list[str]:
    """What the checks of all maps come to, in plain words: a sentence for all, and one for each metabolite."""
    checked = [row for row in rows if row.check is not None]
    if not checked:
        return ["No map could be checked."]
    sentences = [_together("all maps", checked)]
    for metabolite in dict.fromkeys(row.metabolite for row in checked):
        sentences.append(_together(metabolite, [row for row in checked if row.metabolite == metabolite]))
    return sentences


def _together(name: str, rows: Sequence[ValidationRow]) -> str:
    from statistics import median

    checks = [row.check for row in rows if row.check is not None]
    explained, unmatched = median(check.explained for check in checks), median(check.unscaled for check in checks)
    verdicts = [row.verdict for row in rows]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    return (
        f"{name}: {explained:.0%} of the held-back measured detail explained (median of {len(rows)}; unmatched "
        f"{unmatched:.0%}; zero-filling 0%): {counts}"
    )
