"""A patient's parts wherever they lie below its folder, as they come off the scanner and out of a fit."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from inference_core.study.fsl_mrs import CONCENTRATIONS, NO_MAPS, QUALITIES, amounts_folder, is_results
from inference_core.study.image_roles import image_role
from inference_core.study.lcmodel import lcmodel_files
from inference_core.study.patient_files import UnusedFile, patient_bids_path, unread_files
from inference_core.study.patient_parts import PatientParts
from inference_core.study.tree import PREPARED, RESULTS, SPECTROSCOPY, files_of, subfolders, unreadable, written_by
from inference_core.terms.naming import is_image

#: Folders within folders that are looked into; links may go in circles.
_DEPTH = 8


def is_output(folder: Path) -> bool:
    """Whether a folder was written by `mrsi-superres`, be it results or another prepared folder."""
    return written_by(folder, RESULTS, PREPARED)


@dataclass
class FoundParts:
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
        """Whether there is anything that makes a patient."""
        return bool(self.lcmodel or self.spar or self.maps or self.t1 or self.flair or self.problems)


def sessions_of(folder: Path) -> list[tuple[Path, str]]:
    """The folders of a patient's sessions with their names, or the patient's own."""
    try:
        sessions = [one for one in subfolders(folder) if one.name.startswith("ses-")]
    except OSError:
        # `collect_parts` says why.
        sessions = []
    return [(one, f"{folder.name}/{one.name}") for one in sessions] or [(folder, folder.name)]


def patient_parts(folder: Path, name: str, seen: set[Path]) -> PatientParts:
    """All parts in a folder and below it.

    Args:
        folder: of the patient or session.
        name: what to call it.
        seen: folders that are passed over; those that are looked into are added.
    """
    found = collect_parts(folder, seen)
    parts = PatientParts(name, patient_bids_path(name), folder=folder, problem=" ".join(found.problems))
    kinds = {kind: tuple(sorted(getattr(found, kind))) for kind in ("lcmodel", "spar", "maps", "t1", "flair", "mask")}
    return replace(parts, unused=tuple(found.unused), **kinds)


def collect_parts(folder: Path, seen: set[Path], depth: int = 0, found: FoundParts | None = None) -> FoundParts:
    """The parts in a folder and below it."""
    found = FoundParts() if found is None else found
    if folder.resolve() in seen or depth > _DEPTH:
        return found
    seen.add(folder.resolve())
    try:
        folders = [one for one in subfolders(folder) if not is_output(one)]
        sort_files(folder, found)
        if is_results(folder):
            folders = _sort_fsl_mrs(folder, folders, found)
    except OSError as error:
        found.problems.append(unreadable(folder, error))
        return found
    for one in folders:
        collect_parts(one, seen, depth + 1, found)
    return found


def _sort_fsl_mrs(results: Path, folders: list[Path], found: FoundParts) -> list[Path]:
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
        sort_files(one, found)
    return [one for one in folders if one.name not in (CONCENTRATIONS, *QUALITIES, *NO_MAPS)]


def sort_files(folder: Path, found: FoundParts) -> None:
    """Sort a folder's files by what they are.

    Raises:
        OSError: if it can't be read.
    """
    if lcmodel_files(folder):
        found.lcmodel.append(folder)
    found.unused += unread_files(folder)
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
