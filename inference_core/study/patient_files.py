"""Finding patients in a folder: which files are a patient's T1, FLAIR and metabolite maps."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from inference_core.errors import InputError
from inference_core.terms.naming import guess_metabolite, guess_mri, is_image, stem

#: Folders of a BIDS study that hold no patients as they were scanned.
NO_PATIENTS = ("derivatives", "sourcedata", "code")
#: Folders within folders that are looked into; links may go in circles.
_DEPTH = 5
#: Names of results of ours.
_RESULT = re.compile("superres", re.IGNORECASE)
#: Names of what is no input: those, ground truth, and what a prepared folder says of a map's quality.
_NO_INPUT = re.compile(
    rf"(?:^|_)(?:res-high|desc-truth|desc-valid|desc-crlb|desc-quality)(?:_|$)|{_RESULT.pattern}", re.IGNORECASE
)


@dataclass(frozen=True)
class PatientFiles:
    """What was found of one patient, in one session.

    Attributes:
        name: unique in the study: the folder's path within it.
        folder: where the files are.
        place: the patient's folder in a BIDS-like study, "sub-0001" or "sub-0001/ses-2".
        t1: the images that are named as a T1; there should be one.
        flair: like `t1`.
        maps: each metabolite map with its metabolite's paper name, in the order of their names.
        problem: why the folder could not be looked into, if so.
    """

    name: str
    folder: Path
    place: str
    t1: tuple[Path, ...]
    flair: tuple[Path, ...]
    maps: tuple[tuple[Path, str], ...]
    problem: str = ""

    def single(self, role: str) -> Path:
        """The patient's only T1 or FLAIR.

        Args:
            role: "T1" or "FLAIR".

        Raises:
            InputError: if there is none, or more than one.
        """
        found = {"T1": self.t1, "FLAIR": self.flair}[role]
        if not found:
            raise InputError(
                f"Patient '{self.name}' has no {role} in '{self.folder}': add one, with {role} in its file's name."
            )
        if len(found) > 1:
            names = ", ".join(f"'{path.name}'" for path in found)
            raise InputError(f"Patient '{self.name}' has {len(found)} {role} images ({names}): leave one.")
        return found[0]


def find_patients(study: str | Path) -> list[PatientFiles]:
    """All patients of a study, complete or not, in the order of their names.

    A patient is a folder with `anat` (T1 and FLAIR) or `mrsi` (maps), such as BIDS's `sub-0001` or `sub-0001/ses-1`;
    or a folder that holds maps, T1 and FLAIR itself, in any format that SimpleITK reads. It may be the study's
    folder itself. What each file shows is taken from its name. Results of this program, ground truth
    (`res-high`, `desc-truth`, `desc-valid`), hidden folders and BIDS's `derivatives` are passed over. Of a map that a
    prepared folder holds as it was acquired and filtered, the filtered one counts.

    Raises:
        InputError: if the folder does not exist, or holds no patient.
    """
    study = Path(study)
    if not study.is_dir():
        raise InputError(f"The study folder '{study}' does not exist or is no folder: check its path.")
    patients = _search(study, study, set())
    if not patients:
        raise InputError(
            f"'{study}' holds no patients: expected are folders such as sub-0001 with anat/sub-0001_T1w.nii.gz, "
            "anat/sub-0001_FLAIR.nii.gz and mrsi/sub-0001_NAA.nii.gz, or a folder a patient with T1, FLAIR and maps, "
            "each named for what it shows."
        )
    return patients


def _search(folder: Path, study: Path, seen: set[Path]) -> list[PatientFiles]:
    """The patients in a folder and below it."""
    if folder.resolve() in seen or len(folder.relative_to(study).parts) > _DEPTH:
        return []
    seen.add(folder.resolve())
    try:
        folders = sorted(e for e in folder.iterdir() if e.is_dir() and not e.name.startswith("."))
        kinds = {entry.name: _images(entry) for entry in folders if entry.name in ("anat", "mrsi")}
        loose = [] if kinds else _images(folder)
    except OSError as error:
        problem = f"The folder '{folder}' can't be read ({error.strerror}): check its permissions."
        return [_patient(folder, study, [], [], problem)]
    found = [
        patient
        for entry in folders
        if entry.name not in (*kinds, *NO_PATIENTS) and not _is_result(entry)
        for patient in _search(entry, study, seen)
    ]
    patient = _patient(folder, study, kinds.get("anat", loose), kinds.get("mrsi", loose))
    results_only = kinds.get("mrsi") and all(_RESULT.search(path.name) for path in kinds["mrsi"])
    if kinds:
        incomplete = bool(patient.t1 or patient.flair or ("mrsi" in kinds and not results_only))
    else:
        incomplete = bool(patient.t1 and patient.flair)
    # A folder with patients below may hold images that are nobody's.
    if patient.maps or (incomplete and not found):
        found.append(patient)
    return sorted(found, key=lambda one: one.name)


def _patient(folder: Path, study: Path, anatomy: list[Path], spectra: list[Path], problem: str = "") -> PatientFiles:
    """What a folder's images show."""
    name = folder.relative_to(study).as_posix() if folder != study else _own_name(folder, [*anatomy, *spectra])
    t1, flair = (tuple(path for path in anatomy if guess_mri(path.name) == role) for role in ("T1", "FLAIR"))
    inputs = [path for path in spectra if not (_NO_INPUT.search(path.name) or guess_mri(path.name))]
    filtered = {stem(path.name).casefold() for path in inputs}
    inputs = [p for p in inputs if _as_filtered(stem(p.name).casefold()) not in filtered]
    maps = tuple((path, metabolite) for path in inputs if (metabolite := guess_metabolite(path.name)))
    return PatientFiles(name, folder, patient_place(name), t1, flair, maps, problem)


def _as_filtered(name: str) -> str | None:
    """What a prepared folder calls the filtered version of a map as it was acquired; None for any other map."""
    return name.replace("_desc-acquired_", "_desc-filtered_") if "_desc-acquired_" in name else None


def _images(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".") and is_image(path.name)
    )


def _is_result(folder: Path) -> bool:
    """Whether a folder was written by `run_batch`."""
    try:
        description = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
        return any(program["Name"] == "MRSISuperRes" for program in description["GeneratedBy"])
    except (OSError, ValueError, KeyError, TypeError):
        # Not there, or not what this program writes there.
        return False


def _own_name(folder: Path, images: list[Path]) -> str:
    """The name of a patient whose folder is the whole study: the files', if they agree, else the folder's."""
    subjects = {match.group() for path in images if (match := re.match(r"sub-[A-Za-z0-9]+(?=_)", path.name))}
    return subjects.pop() if len(subjects) == 1 else folder.resolve().name


def patient_place(name: str) -> str:
    """A patient's folder in a BIDS-like study, for its name: labels of letters and digits only."""
    *folders, last = parts = name.split("/")
    session = [f"ses-{label(last[4:])}"] if folders and last.startswith("ses-") else []
    subject = "".join(label(part.removeprefix("sub-")) for part in (folders if session else parts))
    return "/".join([f"sub-{subject or 'unnamed'}", *session])


def label(text: str) -> str:
    """`text` as a BIDS label: its letters and digits."""
    return "".join(character for character in text if character.isalnum())
