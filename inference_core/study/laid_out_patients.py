"""Patients as folders are laid out for the batch and for training: `anat` and `mrsi`, or all in one folder."""

import re
from collections.abc import Iterator
from pathlib import Path

from inference_core.study.fsl_mrs import CONCENTRATIONS, NO_MAPS, QUALITIES, is_results
from inference_core.study.image_roles import image_role
from inference_core.study.lcmodel import lcmodel_files
from inference_core.study.metabolite_names import PART_BESIDE, named_signal
from inference_core.study.patient_files import (
    PatientFiles,
    UnusedFile,
    patient_bids_path,
    unread_files,
    unread_mri,
)
from inference_core.study.scattered_parts import collect_parts
from inference_core.study.tree import (
    ANATOMY,
    NO_PATIENTS,
    RESULTS,
    SPECTROSCOPY,
    images_of,
    subfolders,
    unreadable,
    written_by,
)
from inference_core.terms.naming import guess_mri, stem, subject_of

#: Folders within folders that are looked into; links may go in circles.
_PATIENT_DEPTH = 5
#: Maps at full resolution, which training reads.
_FULL_RESOLUTION = re.compile(r"(?:^|_)res-high(?:_|$)", re.IGNORECASE)
_FIT_FIRST = "prepare them first (mrsi-superres prepare)"


def search_patients(folder: Path, study: Path, seen: set[Path]) -> list[PatientFiles]:
    """The patients in a folder and below it."""
    if folder.resolve() in seen or len(folder.relative_to(study).parts) > _PATIENT_DEPTH:
        return []
    seen.add(folder.resolve())
    try:
        folders = subfolders(folder)
        kinds = [entry for entry in folders if entry.name in (ANATOMY, *SPECTROSCOPY)]
        loose = images_of(folder)
        in_kinds = {entry.name: images_of(entry) for entry in kinds}
        unread = [one for entry in (folder, *kinds) for one in unread_files(entry)]
        below = [one for entry in kinds if entry.name in SPECTROSCOPY for one in _unused_below(entry)]
        fits = _fits(folder, [entry for entry in folders if entry not in kinds])
    except OSError as error:
        return [_patient(folder, study, [], [], problem=unreadable(folder, error))]
    passed_over = {*kinds, *(one.path for one in fits)}
    found = [
        patient
        for entry in folders
        if entry not in passed_over and entry.name not in NO_PATIENTS and not written_by(entry, RESULTS)
        for patient in search_patients(entry, study, seen)
    ]
    has_spectroscopy = any(name in SPECTROSCOPY for name in in_kinds)
    anatomy = in_kinds.get(ANATOMY, loose)
    spectra = [path for name in SPECTROSCOPY for path in in_kinds.get(name, [])] if has_spectroscopy else loose
    outside = [*in_kinds.get(ANATOMY, []), *(loose if has_spectroscopy else [])]
    unused = [*below, *fits, *unread, *_outside_spectroscopy(outside)]
    patient = _patient(folder, study, anatomy, spectra, has_spectroscopy, unused)
    if kinds:
        results_only = bool(spectra) and all(image_role(path).kind == "result" for path in spectra)
        incomplete = bool(patient.t1 or patient.flair or unread or (has_spectroscopy and not results_only))
    else:
        t1, flair = patient.t1 or unread_mri(unread, "T1"), patient.flair or unread_mri(unread, "FLAIR")
        incomplete = bool(t1 and flair)
    # A folder with patients below may hold images that are nobody's.
    if patient.maps or patient.full_resolution or (incomplete and not found):
        found.append(patient)
    return sorted(found, key=lambda one: one.name)


def _patient(
    folder: Path,
    study: Path,
    anatomy: list[Path],
    spectra: list[Path],
    spectroscopy: bool = False,
    unused: list[UnusedFile] | None = None,
    problem: str = "",
) -> PatientFiles:
    """What a folder's images show."""
    name = folder.relative_to(study).as_posix() if folder != study else _own_name(folder, [*anatomy, *spectra])
    t1, flair = (tuple(path for path in anatomy if guess_mri(path.name) == role) for role in ("T1", "FLAIR"))
    maps, left_out = _maps(spectra, spectroscopy)
    full = tuple(path for path in spectra if _FULL_RESOLUTION.search(path.name))
    left_out = (*left_out, *(unused or ()))
    return PatientFiles(name, folder, patient_bids_path(name), t1, flair, tuple(maps), problem, left_out, full)


def _maps(images: list[Path], spectroscopy: bool) -> tuple[list[tuple[Path, str]], list[UnusedFile]]:
    """The metabolite maps among images, with their metabolites, and what looks like one and is not used."""
    roles = {path: image_role(path, spectroscopy) for path in images}
    amounts = [path for path, role in roles.items() if role.kind == "map" and not _FULL_RESOLUTION.search(path.name)]
    names = {stem(path.name).casefold() for path in amounts}
    signals = {path: named_signal(path.name) for path in amounts}
    there = {signal.name.casefold() for signal in signals.values()}
    maps, unused = [], []
    for path, role in roles.items():
        signal = signals.get(path)
        if signal is None or role.reason:
            # What is described as BIDS has it goes with its map.
            described = role.kind == "quality" and "_desc-" in path.name
            if role.reason and not described and (path in signals or role.kind != "map"):
                unused.append(UnusedFile(path, role.reason))
        elif (whole := PART_BESIDE.get(signal.name.casefold())) in there:
            unused.append(UnusedFile(path, f"beside a map of {_spelled(whole, signals)} it is a part of the total"))
        elif _as_filtered(stem(path.name).casefold()) not in names:
            maps.append((path, signal.metabolite))
    return maps, unused


def _outside_spectroscopy(images: list[Path]) -> list[UnusedFile]:
    """Maps that lie where they are not looked for in a patient's folder that has one of spectroscopy, or in `anat`."""
    reason = f"maps are looked for in the patient's folder '{SPECTROSCOPY[0]}'"
    maps = (path for path in images if image_role(path, False).kind == "map")
    return [UnusedFile(path, reason) for path in maps if not _FULL_RESOLUTION.search(path.name)]


def _spelled(folded: str, signals: dict) -> str:
    return next(signal.name for signal in signals.values() if signal.name.casefold() == folded)


def _as_filtered(name: str) -> str | None:
    """What a prepared folder calls the filtered version of a map as it was acquired; None for any other map."""
    return name.replace("_desc-acquired_", "_desc-filtered_") if "_desc-acquired_" in name else None


def _fits(folder: Path, folders: list[Path]) -> list[UnusedFile]:
    """A fit's results in a folder and in folders of it, which the batch does not read."""
    found = [UnusedFile(folder, f"it holds LCModel's output: {_FIT_FIRST}")] if lcmodel_files(folder) else []
    if is_results(folder):
        names = (CONCENTRATIONS, *QUALITIES, *NO_MAPS)
        found += [UnusedFile(one, f"it is of FSL-MRS's results: {_FIT_FIRST}") for one in folders if one.name in names]
    return [*found, *(UnusedFile(one, f"it holds {what}: {_FIT_FIRST}") for one in folders if (what := _fit_in(one)))]


def _fit_in(folder: Path) -> str:
    """What fit's results are all that a folder holds; "" for other folders, and for a patient's with a fit in it."""
    try:
        if _holds_anatomy(folder):
            return ""
        if is_results(folder):
            return "results of FSL-MRS"
        return "LCModel's output" if lcmodel_files(folder) else ""
    except OSError:
        # The code that reads it says why.
        return ""


def _holds_anatomy(folder: Path) -> bool:
    """Whether a folder holds a T1 or FLAIR itself, or in `anat`."""
    anatomy = folder / ANATOMY
    return anatomy.is_dir() or any(guess_mri(path.name) for path in images_of(folder))


def _unused_below(folder: Path) -> Iterator[UnusedFile]:
    """What lies in a folder of spectroscopy that the batch does not read: fits, and maps in folders of it."""
    folders = subfolders(folder)
    fits = _fits(folder, folders)
    yield from fits
    for one in folders:
        if one.name != "other" and one not in {fit.path for fit in fits} and collect_parts(one, set()).maps:
            yield UnusedFile(one, f"a folder in '{folder.name}' is not looked into: move its maps up, or {_FIT_FIRST}")


def _own_name(folder: Path, images: list[Path]) -> str:
    """The name of a patient whose folder is the whole study: the files', if they agree, else the folder's."""
    subjects = {subject for path in images if (subject := subject_of(path.name))}
    return subjects.pop() if len(subjects) == 1 else folder.resolve().name
