"""Finding the patients of a study, and each one's files: one walk for the batch, training data and `prepare`.

The batch and training data read folders that are laid out as `prepare` and `phantom` write them, or flat ones:
`find_patients`. `prepare` reads a study as it comes off the scanner and out of the fit: `find_parts`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from inference_core.errors import InputError
from inference_core.study.fsl_mrs import CONCENTRATIONS, NO_MAPS, QUALITIES, amounts_folder, is_results
from inference_core.study.image_roles import image_role
from inference_core.study.lcmodel import lcmodel_files
from inference_core.study.metabolite_names import PART_BESIDE, named_signal
from inference_core.study.patient_files import PatientFiles, UnusedFile, patient_place
from inference_core.study.patient_parts import PatientParts
from inference_core.study.tree import (
    ANATOMY,
    NO_PATIENTS,
    SPECTROSCOPY,
    files_of,
    images_of,
    subfolders,
    written_by,
)
from inference_core.terms.naming import guess_mri, is_image, stem, subject_of

#: Folders within folders that are looked into, for patients and for one patient's parts; links may go in circles.
_PATIENT_DEPTH, _PARTS_DEPTH = 5, 8
#: Maps at full resolution, which training reads.
_FULL_RESOLUTION = re.compile(r"(?:^|_)res-high(?:_|$)", re.IGNORECASE)
_PROGRAM, _PREPARED = "MRSISuperRes", "MRSISuperRes prepare"
_FIT_FIRST = "prepare them first (mrsi-superres prepare)"


def find_patients(study: str | Path) -> list[PatientFiles]:
    """All patients of a study, complete or not, in the order of their names.

    A patient is a folder with `anat` (T1 and FLAIR) or `mrsi` or `mrs` (maps), such as BIDS's `sub-0001` or
    `sub-0001/ses-1`; or a folder that holds maps, T1 and FLAIR itself, in any format that SimpleITK reads. It may be
    the study's folder itself. What each file shows is taken from its name. Results of this program, ground truth
    (`res-high`, `desc-truth`, `desc-valid`), hidden folders and BIDS's `derivatives` are passed over. Of a map that a
    prepared folder holds as it was acquired and filtered, the filtered one counts. What else looks like a map is in
    `PatientFiles.unused`.

    Raises:
        InputError: if the folder does not exist, or holds no patient.
    """
    study = _existing(study)
    patients = _search(study, study, set())
    if not patients:
        raise InputError(
            f"'{study}' holds no patients: expected are folders such as sub-0001 with anat/sub-0001_T1w.nii.gz, "
            "anat/sub-0001_FLAIR.nii.gz and mrsi/sub-0001_NAA.nii.gz, or a folder a patient with T1, FLAIR and maps, "
            "each named for what it shows."
        )
    return patients


def find_parts(study: str | Path, output: Path | None = None) -> list[PatientParts]:
    """All patients of a study that is to be prepared, in the order of their names.

    Each folder in the study is a patient, and in it each folder `ses-*` a session. The study's folder is a patient
    itself if it holds parts directly, or in `anat`, `mrsi` or `mrs`. Parts may lie anywhere below that: LCModel's
    output and `.spar` are known by their contents and ending, FSL-MRS's results by their folders, images by their
    names. Hidden folders, BIDS's `derivatives`, `sourcedata` and `code`, results of this program, links in circles and
    the output are passed over.

    Args:
        study: the folder.
        output: where the prepared folder goes, which may lie within the study.

    Raises:
        InputError: if the folder does not exist, can't be read or holds no patient.
    """
    study = _existing(study)
    seen = {output.resolve()} if output is not None else set()
    try:
        folders = subfolders(study)
        own = _Found()
        _sort_files(study, own)
    except OSError as error:
        raise InputError(_unreadable(study, error)) from error
    if own.any or {ANATOMY, *SPECTROSCOPY} & {folder.name for folder in folders}:
        return [_collected(study, study.resolve().name, seen)]
    patients = []
    for folder in folders:
        if folder.name in NO_PATIENTS or _is_output(folder):
            continue
        for one, name in _sessions(folder):
            parts = _collected(one, name, seen)
            if not parts.empty:
                patients.append(parts)
    if not patients:
        raise InputError(
            f"'{study}' holds no patients: expected is a folder a patient, with LCModel's output or metabolite maps, a "
            "T1 and a FLAIR, each image named for what it shows."
        )
    return patients


def find_parts_in(folder: Path) -> PatientParts:
    """The parts in one folder and below it, such as a patient's maps; see `find_parts`.

    Raises:
        InputError: if it does not exist or can't be read.
    """
    if not folder.is_dir():
        raise InputError(f"The folder of maps '{folder}' does not exist or is no folder: check its path.")
    parts = _collected(folder, folder.resolve().name, set())
    if parts.problem:
        raise InputError(parts.problem)
    return parts


def _existing(study: str | Path) -> Path:
    study = Path(study)
    if not study.is_dir():
        raise InputError(f"The study folder '{study}' does not exist or is no folder: check its path.")
    return study


def _unreadable(folder: Path, error: OSError) -> str:
    return f"The folder '{folder}' can't be read ({error.strerror}): check its permissions."


def _is_output(folder: Path) -> bool:
    """Whether a folder was written by `mrsi-superres`, be it results or another prepared folder."""
    return written_by(folder, _PROGRAM, _PREPARED)


# Patients as they are laid out for the batch and for training


def _search(folder: Path, study: Path, seen: set[Path]) -> list[PatientFiles]:
    """The patients in a folder and below it."""
    if folder.resolve() in seen or len(folder.relative_to(study).parts) > _PATIENT_DEPTH:
        return []
    seen.add(folder.resolve())
    try:
        folders = subfolders(folder)
        kinds = [entry for entry in folders if entry.name in (ANATOMY, *SPECTROSCOPY)]
        loose = images_of(folder)
        in_kinds = {entry.name: images_of(entry) for entry in kinds}
        below = [one for entry in kinds if entry.name in SPECTROSCOPY for one in _unused_below(entry)]
        fits = _fits(folder, [entry for entry in folders if entry not in kinds])
    except OSError as error:
        return [_patient(folder, study, [], [], problem=_unreadable(folder, error))]
    passed_over = {*kinds, *(one.path for one in fits)}
    found = [
        patient
        for entry in folders
        if entry not in passed_over and entry.name not in NO_PATIENTS and not written_by(entry, _PROGRAM)
        for patient in _search(entry, study, seen)
    ]
    has_spectroscopy = any(name in SPECTROSCOPY for name in in_kinds)
    anatomy = in_kinds.get(ANATOMY, loose)
    spectra = [path for name in SPECTROSCOPY for path in in_kinds.get(name, [])] if has_spectroscopy else loose
    outside = [*in_kinds.get(ANATOMY, []), *(loose if has_spectroscopy else [])]
    unused = [*below, *fits, *_outside_spectroscopy(outside)]
    patient = _patient(folder, study, anatomy, spectra, has_spectroscopy, unused)
    if kinds:
        results_only = bool(spectra) and all(image_role(path).kind == "result" for path in spectra)
        incomplete = bool(patient.t1 or patient.flair or (has_spectroscopy and not results_only))
    else:
        incomplete = bool(patient.t1 and patient.flair)
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
    return PatientFiles(name, folder, patient_place(name), t1, flair, tuple(maps), problem, left_out, full)


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
    for one in folders:
        if _holds_anatomy(one):
            # A patient's folder, with a fit in it.
            continue
        if is_results(one):
            found.append(UnusedFile(one, f"it holds results of FSL-MRS: {_FIT_FIRST}"))
        elif lcmodel_files(one):
            found.append(UnusedFile(one, f"it holds LCModel's output: {_FIT_FIRST}"))
    return found


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
        if one.name != "other" and one not in {fit.path for fit in fits} and _collect(one, set()).maps:
            yield UnusedFile(one, f"a folder in '{folder.name}' is not looked into: move its maps up, or {_FIT_FIRST}")


def _own_name(folder: Path, images: list[Path]) -> str:
    """The name of a patient whose folder is the whole study: the files', if they agree, else the folder's."""
    subjects = {subject for path in images if (subject := subject_of(path.name))}
    return subjects.pop() if len(subjects) == 1 else folder.resolve().name


# Patients whose parts lie anywhere


@dataclass
class _Found:
    """Parts as they are found."""

    lcmodel: list[Path] = field(default_factory=list)
    spar: list[Path] = field(default_factory=list)
    maps: list[Path] = field(default_factory=list)
    t1: list[Path] = field(default_factory=list)
    flair: list[Path] = field(default_factory=list)
    mask: list[Path] = field(default_factory=list)
    unused: list[UnusedFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return bool(self.lcmodel or self.spar or self.maps or self.t1 or self.flair or self.problems)


def _sessions(folder: Path) -> list[tuple[Path, str]]:
    """The folders of a patient's sessions with their names, or the patient's own."""
    try:
        sessions = [one for one in subfolders(folder) if one.name.startswith("ses-")]
    except OSError:
        # `_collect` says why.
        sessions = []
    return [(one, f"{folder.name}/{one.name}") for one in sessions] or [(folder, folder.name)]


def _collected(folder: Path, name: str, seen: set[Path]) -> PatientParts:
    found = _collect(folder, seen)
    parts = PatientParts(name, patient_place(name), folder=folder, problem=" ".join(found.problems))
    kinds = {kind: tuple(sorted(getattr(found, kind))) for kind in ("lcmodel", "spar", "maps", "t1", "flair", "mask")}
    return replace(parts, unused=tuple(found.unused), **kinds)


def _collect(folder: Path, seen: set[Path], depth: int = 0, found: _Found | None = None) -> _Found:
    """The parts in a folder and below it."""
    found = _Found() if found is None else found
    if folder.resolve() in seen or depth > _PARTS_DEPTH:
        return found
    seen.add(folder.resolve())
    try:
        folders = [one for one in subfolders(folder) if not _is_output(one)]
        _sort_files(folder, found)
        if is_results(folder):
            folders = _sort_fsl_mrs(folder, folders, found)
    except OSError as error:
        found.problems.append(_unreadable(folder, error))
        return found
    for one in folders:
        _collect(one, seen, depth + 1, found)
    return found


def _sort_fsl_mrs(results: Path, folders: list[Path], found: _Found) -> list[Path]:
    """Sort the files of FSL-MRS's results; gives the folders that are none of theirs.

    Raises:
        OSError: if a folder can't be read.
    """
    amounts = amounts_folder(results)
    for one in folders:
        if one.name == CONCENTRATIONS:
            for scaling in subfolders(one):
                if scaling != amounts:
                    what = (
                        "ratios to the internal reference"
                        if scaling.name == "internal"
                        else "the same amounts on another scale"
                    )
                    reason = f"it holds {what}; the maps in '{amounts.relative_to(results).as_posix()}' are taken"
                    found.unused.append(UnusedFile(scaling, reason))
        elif one.name in NO_MAPS:
            found.unused.append(UnusedFile(one, f"it holds {NO_MAPS[one.name]}, no maps of metabolites"))
    for one in (amounts, *(one for one in folders if one.name in QUALITIES)):
        _sort_files(one, found)
    return [one for one in folders if one.name not in (CONCENTRATIONS, *QUALITIES, *NO_MAPS)]


def _sort_files(folder: Path, found: _Found) -> None:
    """Sort a folder's files by what they are.

    Raises:
        OSError: if it can't be read.
    """
    if lcmodel_files(folder):
        found.lcmodel.append(folder)
    add: dict[str, Callable[[Path], None]] = {
        "T1": found.t1.append,
        "FLAIR": found.flair.append,
        "mask": found.mask.append,
        "map": found.maps.append,
        "quality": found.maps.append,
    }
    for path in files_of(folder):
        if path.suffix.casefold() == ".spar":
            found.spar.append(path)
        elif is_image(path.name):
            role = image_role(path, spectroscopy=folder.name in SPECTROSCOPY)
            if role.kind in add and "desc-filtered" not in path.name.casefold():
                add[role.kind](path)
            elif role.kind == "other" and role.reason:
                found.unused.append(UnusedFile(path, role.reason))
