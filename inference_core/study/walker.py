"""Finding the patients of a study, and each one's files: one walk for the batch, training data and `prepare`.

The batch and training data read folders that are laid out as `prepare` and `phantom` write them, or flat ones:
`find_patients`. `prepare` reads a study as it comes off the scanner and out of the fit: `find_parts`.
"""

from pathlib import Path

from inference_core.errors import InputError
from inference_core.study.laid_out_patients import search_patients
from inference_core.study.patient_files import PatientFiles
from inference_core.study.patient_parts import PatientParts
from inference_core.study.scattered_parts import FoundParts, is_output, patient_parts, sessions_of, sort_files
from inference_core.study.tree import ANATOMY, NO_PATIENTS, SPECTROSCOPY, subfolders, unreadable


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
    patients = search_patients(study, study, set())
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
        own = FoundParts()
        sort_files(study, own)
    except OSError as error:
        raise InputError(unreadable(study, error)) from error
    if own.any or {ANATOMY, *SPECTROSCOPY} & {folder.name for folder in folders}:
        return [patient_parts(study, study.resolve().name, seen)]
    patients = []
    for folder in folders:
        if folder.name in NO_PATIENTS or is_output(folder):
            continue
        for one, name in sessions_of(folder):
            parts = patient_parts(one, name, seen)
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
    parts = patient_parts(folder, folder.resolve().name, set())
    if parts.problem:
        raise InputError(parts.problem)
    return parts


def _existing(study: str | Path) -> Path:
    study = Path(study)
    if not study.is_dir():
        raise InputError(f"The study folder '{study}' does not exist or is no folder: check its path.")
    return study
