"""Preparing all patients of a study, one after another; what is wrong with one stops no other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference_core.errors import InputError
from inference_core.files.inputs import check_apart
from inference_core.files.own_outputs import check_replaceable, is_own_page
from inference_core.preparation.carried_files import carried_sentence
from inference_core.preparation.earlier_version import check_same_sources, sources_of
from inference_core.preparation.prepared_patient import PreparedPatient, prepare_patient
from inference_core.preparation.prepared_study import report_path, sources_for_sidecars, write_patient
from inference_core.preparation.settings import PreparationSettings
from inference_core.study.patient_parts import PatientParts


@dataclass(frozen=True)
class Outcome:
    """What became of a patient.

    Attributes:
        name: the patient.
        failure: why it was not prepared; "" if it was.
        warnings: what was warned of.
        unused: sentences on files that look like maps and were not used.
        unreported: why a patient who was prepared has no quality report, where the disk did not take it; otherwise "".
    """

    name: str
    failure: str
    warnings: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    unreported: str = ""


def prepare_study(
    patients: Sequence[PatientParts],
    settings: PreparationSettings,
    output: Path,
    study: Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
    replace: bool = False,
) -> list[Outcome]:
    """Prepare patients into a prepared folder.

    Args:
        patients: from `walker.find_parts`, or one from `lone_patient`.
        settings: for all of them.
        output: from `prepared_study.open_prepared_folder`.
        study: what the sidecars' paths of sources are relative to; None to give them as they are.
        progress: called with lines for the user.
        replace: whether patients that the folder holds already are replaced even if they were made from other sources.

    Returns:
        An outcome for each patient, in their order.
    """
    outcomes = []
    for number, parts in enumerate(patients, start=1):
        head = f"[{number}/{len(patients)}] {parts.name}"
        try:
            same_folder = [
                one.name for one in patients if one.bids_path.casefold() == parts.bids_path.casefold() and one != parts
            ]
            if same_folder:
                raise InputError(f"Its folder would be {parts.bids_path}, as that of '{same_folder[0]}': rename one.")
            _check_apart(parts, settings, output)
            page = report_path(output, parts.bids_path)
            # Where a folder is in its place, the patient can be prepared all the same.
            if not page.is_dir():
                check_replaceable([(page, is_own_page)])
            if not replace and not parts.problem:
                check_same_sources(sources_of(parts, study), output / parts.bids_path)
            prepared = prepare_patient(parts, settings)
            carried = write_patient(prepared, settings, output, study)
        except Exception as error:
            earlier = " An earlier version is still there." if (output / parts.bids_path).exists() else ""
            unused = tuple(one.sentence(parts.folder or one.path.parent) for one in parts.unused)
            outcomes.append(Outcome(parts.name, _reason(error) + earlier, _refused(error, parts, output), unused))
        else:
            stayed = (carried_sentence(output / parts.bids_path, carried),) if carried else ()
            try:
                report, unreported = _reported(prepared, settings, output, study), ""
            except (InputError, OSError) as error:
                report, unreported = (), f"there is no quality report: {error}"
            warned = (*prepared.warnings, *stayed, *report)
            outcomes.append(Outcome(parts.name, "", warned, tuple(prepared.unused_sentences()), unreported))
        for line in outcomes[-1].warnings:
            progress(f"{head}: warning: {line}")
        for line in outcomes[-1].unused:
            progress(f"{head}: {line}")
        progress(f"{head}: {f'failed: {outcomes[-1].failure}' if outcomes[-1].failure else _summary(prepared)}")
    return outcomes


def _check_apart(parts: PatientParts, settings: PreparationSettings, output: Path) -> None:
    """Refuse to replace a folder that the patient's own parts lie in."""
    roles = {"lcmodel": "LCModel output", "spar": ".spar file", "maps": "map", "t1": "T1", "flair": "FLAIR"}
    roles["mask"] = "mask"
    named = [(role, path) for name, role in roles.items() for path in getattr(parts, name)]
    named += [("map's anatomy", parts.map_anatomy), ("reference", settings.geometry.reference)]
    check_apart(output / parts.bids_path, named)


def _reported(
    prepared: PreparedPatient, settings: PreparationSettings, output: Path, study: Path | None
) -> tuple[str, ...]:
    """Write a patient's quality report; a warning if its packages are missing.

    Raises:
        InputError, OSError: if it can't be written.
    """

    def write() -> None:
        from inference_core.preparation.quality_report import write_quality_report

        write_quality_report(output, prepared, settings, sources_for_sidecars(prepared, study))

    return _warned(write)


def _refused(error: Exception, parts: PatientParts, output: Path) -> tuple[str, ...]:
    """Show images that could not be registered in the quality report; a warning if that can't be."""
    from inference_core.imaging.registration import RegistrationRefused

    if not isinstance(error, RegistrationRefused):
        return ()

    def write() -> None:
        from inference_core.preparation.quality_report import write_refusal

        write_refusal(output, parts.bids_path, parts.name, error)

    try:
        return _warned(write)
    except (InputError, OSError) as problem:
        # The patient has failed already.
        return (f"There is no quality report: {problem}",)


def _warned(write: Callable[[], None]) -> tuple[str, ...]:
    """A warning if packages that a report needs are missing."""
    try:
        write()
    except ImportError as error:
        return (f"There is no quality report ({error}): install mrsi-superres[prepare].",)
    return ()


def _reason(error: Exception) -> str:
    """Why a patient failed; what is not the input's fault says so."""
    message = " ".join(str(error).split())
    return (
        message if isinstance(error, InputError) else f"Unexpected {type(error).__name__}: {message or 'no details'}."
    )


def _summary(patient: PreparedPatient) -> str:
    """A line about a prepared patient."""
    lines = []
    for maps in patient.maps:
        accepted = ", ".join(f"{name} {1 - one.filter.shares['any']:.0%}" for name, one in maps.maps.items())
        slices = f"{int(maps.slices.sum())} of {len(maps.slices)} slices"
        lines.append(f"res-{maps.read.resolution}: {slices}; accepted in the brain: {accepted}")
    return "; ".join(lines)
