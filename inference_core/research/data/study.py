"""Reading a folder of patients with metabolite maps at full resolution, as `mrsi-superres phantom` writes it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from inference_core.errors import InputError
from inference_core.imaging.geometry import mri_slabs, padded_array, super_resolved_grid
from inference_core.imaging.reading import check_map, check_mri, read_image
from inference_core.research.data.cohort import code_fingerprint
from inference_core.research.data.slice_set import SliceSet
from inference_core.study.walker import find_patients
from inference_core.terms.conditions import METABOLITES, SUPER_RESOLVED_MATRIX

#: A slice with fewer brain voxels than this is left out (compare the paper's slice selection, Sec. 3.1).
_FEWEST_BRAIN_VOXELS = 300
#: Of a patient's folder, the files that slices are read from.
_FILES = ("anat/*.nii.gz", "mrsi/*_res-high_*.nii.gz")
#: BIDS's sessions in a patient's folder.
_SESSIONS = "ses-*"
#: What slices are read with.
_READER = ("terms/conditions.py", "research/data/study.py", "imaging/geometry.py", "imaging/reading.py")


def training_patients(folder: Path) -> list[Path]:
    """The patients' folders `sub-*` that hold maps at full resolution, themselves or in sessions `ses-*`, in order.

    Raises:
        InputError: if there is none.
    """
    if not folder.is_dir():
        raise InputError(f"The folder '{folder}' does not exist: check its path.")
    subjects = (one.relative_to(folder).parts[:1] for one in _sessions(folder))
    patients = sorted({folder / name for (name,) in filter(None, subjects) if name.startswith("sub-")})
    if not patients:
        raise InputError(
            f"'{folder}' holds no patients: folders such as sub-0001/mrsi are expected, with maps such as "
            "*_res-high_desc-acquired_NAA.nii.gz, as `mrsi-superres phantom` writes them."
        )
    return patients


def _sessions(folder: Path) -> list[Path]:
    """The folders with maps at full resolution, of a study's patients or of one patient's sessions, in order."""
    try:
        return sorted(one.folder for one in find_patients(folder) if one.full_resolution)
    except InputError:
        # It holds no images at all.
        return []


def single_file(patient: Path, pattern: str) -> Path:
    """The one file of a patient's folder that a pattern fits.

    Raises:
        InputError: if there is none, or more than one.
    """
    found = sorted(patient.glob(pattern))
    if len(found) != 1:
        raise InputError(f"Patient '{patient}' has {len(found)} files {pattern} instead of one: add or remove some.")
    return found[0]


def read_patient(patient: Path, number: int) -> SliceSet:
    """A patient's slices with enough brain, of all sessions.

    Ground truth is the noise-free map where there is one (simulated patients), else the acquired one. Its voxels are
    valid where the file `desc-valid` says so, or where the map is above 0 if there is none. A metabolite without a
    map has no valid voxels.

    Args:
        patient: the folder `sub-*`.
        number: to know the patient's slices by.

    Raises:
        InputError: for missing or unusable files, or maps that are not 64 x 64 voxels or not on one grid.
    """
    return SliceSet.concatenate(_read_session(session, number) for session in _sessions(patient) or [patient])


def _read_session(patient: Path, number: int) -> SliceSet:
    t1, flair = (
        check_mri(read_image(single_file(patient, f"anat/*_{suffix}.nii.gz"), role), role)
        for suffix, role in (("T1w", "T1"), ("FLAIR", "FLAIR"))
    )
    maps, grid = {}, None
    for kind in ("acquired", "truth", "valid"):
        for index, name in enumerate(METABOLITES):
            for path in patient.glob(f"mrsi/*_res-high_desc-{kind}_{name}.nii.gz"):
                image = check_map(read_image(path, "map"))
                own = super_resolved_grid(image)
                if (own.rows, own.columns) != (SUPER_RESOLVED_MATRIX,) * 2 or not own.matches(grid or own):
                    raise InputError(
                        f"The map '{path}' is not on the 64 x 64 grid of the patient's other maps: resample it first."
                    )
                grid = grid or own
                maps[kind, index] = padded_array(image, own)
    if not any(kind == "acquired" for kind, _ in maps):
        raise InputError(f"Patient '{patient}' has no map *_res-high_desc-acquired_*.nii.gz: add one.")
    nothing = np.zeros((grid.slices, SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX), dtype=np.float32)
    indices = range(len(METABOLITES))
    acquired = np.stack([np.nan_to_num(maps.get(("acquired", i), nothing)).clip(0) for i in indices])
    target = np.stack([maps.get(("truth", i), acquired[i]) for i in indices])
    valid = np.stack([maps.get(("valid", i), acquired[i]) > 0 for i in indices])
    enough = valid.any(axis=0).sum(axis=(1, 2)) >= _FEWEST_BRAIN_VOXELS
    if not enough.any():
        raise InputError(f"Patient '{patient}' has no slice with {_FEWEST_BRAIN_VOXELS} valid voxels: leave it out.")
    return SliceSet(
        t1=mri_slabs(t1, grid, "T1")[enough].astype(np.float16),
        flair=mri_slabs(flair, grid, "FLAIR")[enough].astype(np.float16),
        acquired=acquired[:, enough],
        target=target[:, enough],
        valid=valid[:, enough],
        patient=np.full(enough.sum(), number),
    )


def read_patients(folder: Path, progress: Callable[[Iterable], Iterable] = iter) -> SliceSet:
    """All slices of a folder's patients.

    Raises:
        InputError: as `training_patients` and `read_patient`.
    """
    patients = training_patients(folder)
    return SliceSet.concatenate(read_patient(patient, number) for number, patient in enumerate(progress(patients)))


@dataclass(frozen=True)
class StudyPatient:
    """A patient's folder as one of a cohort.

    Attributes:
        folder: the folder `sub-*`.
    """

    folder: Path

    @property
    def name(self) -> str:
        """Of the file that keeps the slices, without extension: studies use the same names for their patients."""
        study = self.folder.resolve().parent
        return f"{study.name}-{sha256(str(study).encode()).hexdigest()[:8]}-{self.folder.name}"

    def origin(self) -> dict[str, Any]:
        """All that the slices depend on: the files that may be read, by size and time, and the code that reads them."""
        patterns = (*_FILES, *(f"{_SESSIONS}/{pattern}" for pattern in _FILES))
        files = sorted(path for pattern in patterns for path in self.folder.glob(pattern))
        read = [[path.relative_to(self.folder).as_posix(), *_size_and_time(path)] for path in files]
        return {"files": read, "reader": code_fingerprint(*_READER)}

    def slices(self) -> SliceSet:
        """Read them."""
        return read_patient(self.folder, 0)


def _size_and_time(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def split_patients(folder: Path, validation: int) -> tuple[list[StudyPatient], list[StudyPatient]]:
    """A folder's patients to train on, and the last `validation` ones, to validate on.

    Raises:
        InputError: if no patient is left to train on, and as `training_patients`.
    """
    patients = training_patients(folder)
    if len(patients) <= validation:
        raise InputError(
            f"'{folder}' has {len(patients)} patients, {validation} of which would validate: none is left to train on."
        )
    first = len(patients) - validation
    return [StudyPatient(p) for p in patients[:first]], [StudyPatient(p) for p in patients[first:]]
