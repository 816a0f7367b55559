"""A simulated patient as a folder of NIfTI files that looks like a real study's, with BIDS names."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inference_core.errors import InputError
from inference_core.files.atomic import remove_leftovers, write_file
from inference_core.files.folders import check_folder, make_folders
from inference_core.files.locks import file_lock
from inference_core.files.own_outputs import check_replaceable, table_with
from inference_core.imaging.writing import is_own_sidecar, sidecar_path, write_result
from inference_core.research.phantom.acquisition import Grid
from inference_core.research.phantom.patient import SimulatedPatient
from inference_core.terms.conditions import METABOLITES, SUPER_RESOLVED_MATRIX

_NOTICE = "Simulated data. No patient was scanned: not for diagnosis, and no evidence about any disease."
_UNITS = "institutional units"
#: A patient's folders.
_KINDS = ("anat", "mrsi")
_PROGRAM, _DESCRIPTION = "mrsi-superres phantom", "dataset_description.json"
_PARTICIPANTS, _ID = "participants.tsv", "participant_id"
#: Of what is written into a patient's folders.
_ENDINGS = (".nii.gz", ".json")
#: Integer steps a unit of T1 or FLAIR, whose brightest normal tissue is about 1.
_MRI_STEPS = 1000


def _image(array: np.ndarray, grid: Grid):
    """`array` `(slice, row, column)` on `grid`, as a SimpleITK image."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetOrigin(grid.origin)
    image.SetSpacing(grid.spacing)
    image.SetDirection(np.ravel(grid.direction).tolist())
    return image


def low_resolution_grid(grid: Grid, n: int) -> Grid:
    """The grid of an `n` x `n` map cut from the k-space of a map on `grid`: the first voxel's centre stays."""
    column, row, thickness = grid.spacing
    columns, rows, slices = grid.size
    return Grid(grid.origin, (column * columns / n, row * rows / n, thickness), grid.direction, (n, n, slices))


def _subject(seed: int) -> str:
    return f"sub-{seed:04d}"


def _place(folder: Path, seed: int, single: bool) -> Path:
    return folder if single else folder / _subject(seed)


def _merge_participant(folder: Path, row: dict[str, Any]) -> Path:
    """Add `row` to participants.tsv, or replace the participant's earlier one."""
    path = folder / _PARTICIPANTS
    # Other processes may write patients into the folder.
    with file_lock(folder / ".participants.lock"):
        rows = {}
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                rows = {old[_ID]: old for old in csv.DictReader(file, delimiter="\t")}
        rows[row[_ID]] = row
        columns = list(dict.fromkeys(key for each in rows.values() for key in each))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, delimiter="\t", restval="n/a", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name] for name in sorted(rows))
        write_file(path, text.getvalue())
    return path


def _is_simulated_study(folder: Path) -> bool:
    """Whether a folder's description says so."""
    try:
        return json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))["GeneratedBy"][0]["Name"] == _PROGRAM
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return False


def check_simulated(folder: Path, seed: int, single: bool) -> None:
    """Refuse to mix simulated patients with others, or to replace them; to be asked before any is written.

    Args:
        folder: as `write_study` takes it.
        seed: of the patient.
        single: as `write_study` takes it.

    Raises:
        InputError: if the folder describes another study or has another's table of participants, or the patient's place
            holds files of another origin.
    """
    place = _place(folder, seed, single)
    if (folder / _DESCRIPTION).exists() and not _is_simulated_study(folder):
        raise InputError(f"'{folder}' holds another study ({_DESCRIPTION}): choose a new or empty folder.")
    if not single:
        has_ids = table_with(_ID)
        # Another process may just begin the study: its description is there before its table.
        check_replaceable([(folder / _PARTICIPANTS, lambda table: has_ids(table) and _is_simulated_study(folder))])
    for kind in _KINDS:
        remove_leftovers(place / kind)
    for file in sorted(path for kind in _KINDS for path in place.glob(f"{kind}/*") if path.name.endswith(_ENDINGS)):
        if not is_own_sidecar(file if file.suffix == ".json" else sidecar_path(file)):
            raise InputError(f"'{file}' is not of a simulated patient: choose a new or empty folder.")


def _describe_dataset(folder: Path, version: str) -> Path:
    path = folder / _DESCRIPTION
    description = {
        "Name": "Simulated glioma patients with metabolite maps",
        "BIDSVersion": "1.9.0",
        "DatasetType": "raw",
        "License": "Apache-2.0",
        "Simulated": True,
        "Notice": _NOTICE,
        "GeneratedBy": [{"Name": _PROGRAM, "Version": version}],
        "ReferencesAndLinks": ["Anatomy deformed from the MNI ICBM 2009a templates (Fonov et al. 2011)"],
    }
    write_file(path, json.dumps(description, indent=2) + "\n")
    return path


def _check_resolutions(resolutions: Sequence[int]) -> list[int]:
    for n in resolutions:
        if n != int(n) or not 4 <= n <= SUPER_RESOLVED_MATRIX:
            raise InputError(f"Resolution {n} is not an integer from 4 to {SUPER_RESOLVED_MATRIX}: choose one that is.")
    return [int(n) for n in resolutions]


def write_study(
    patient: SimulatedPatient,
    folder: str | Path,
    resolutions: Sequence[int] = (16, 20, 24, 28, 32),
    slices: int | None = None,
    single: bool = False,
) -> list[Path]:
    """Write a patient's T1, FLAIR and metabolite maps into `folder`.

    ::

        dataset_description.json, participants.tsv
        sub-0007/anat/sub-0007_T1w.nii.gz, sub-0007_FLAIR.nii.gz          int16, on grids of their own
        sub-0007/mrsi/sub-0007_res-high_desc-truth_NAA.nii.gz             64 x 64, without noise
                      sub-0007_res-high_desc-acquired_NAA.nii.gz          64 x 64, with noise
                      sub-0007_res-high_desc-valid_NAA.nii.gz             1 where the quality filter lets it count
                      sub-0007_res-n16_desc-acquired_NAA.nii.gz           cut from the k-space of res-high_desc-acquired
                      sub-0007_res-high_desc-tumour_mask.nii.gz           necrosis and rim

    Each image has a JSON sidecar. Maps are in institutional units. Existing files of the same patient are replaced,
    each at once; other patients in the folder stay.

    Args:
        patient: from `simulate_patient`.
        folder: must exist.
        resolutions: matrix sizes n of the low-resolution maps.
        slices: write only so many neighbouring MRSI slices from the middle, and T1 and FLAIR around them; all if None.
        single: write `anat` and `mrsi` straight into `folder`, without the files about the dataset: for a lone sample.

    Returns:
        The files, sidecars included.

    Raises:
        InputError: if the folder does not exist, can't be written, or holds other than simulated patients, a resolution
            is not within 4 to 64, or the patient does not have so many slices.
    """
    import torch

    from inference_core import __version__
    from inference_core.networks.kspace import low_resolution

    folder = check_folder(folder)
    resolutions = _check_resolutions(resolutions)
    grid = patient.grid(slices)
    subject, place = _subject(patient.seed), _place(folder, patient.seed, single)
    check_simulated(folder, patient.seed, single)
    common = {"Simulated": True, "Notice": _NOTICE, "Seed": patient.seed, "SoftwareVersion": __version__}
    seen = patient.measurement.point_spread
    through = f", seen through a point spread of {seen:g} voxels (full width at half maximum)" if seen else ""
    written: list[Path] = []

    def write(kind: str, name: str, array: np.ndarray, where: Grid, **details: Any) -> None:
        path = place / kind / f"{subject}_{name}.nii.gz"
        make_folders(path.parent)
        written.extend([path, write_result(_image(array, where), path, common | details)])

    for name, volume in (("T1w", patient.t1_volume), ("FLAIR", patient.flair_volume)):
        values, native = volume(grid)
        steps = np.rint(values * _MRI_STEPS).astype(np.int16)
        write("anat", name, steps, native, Modality="MR", SkullStripped=True)

    stack = patient.middle_slices(slices)
    tumour = stack.tumour.astype(np.uint8)
    write("mrsi", "res-high_desc-tumour_mask", tumour, grid, Description="1 in the tumour's necrosis and rim.")
    for index, metabolite in enumerate(METABOLITES):
        about = {"Metabolite": metabolite, "Units": _UNITS}
        full = about | {"n": SUPER_RESOLVED_MATRIX}
        for name, array, description in (
            ("truth", stack.truth[index], f"Concentration without noise{through}."),
            ("acquired", stack.acquired[index], f"Concentration with noise{through}."),
        ):
            write("mrsi", f"res-high_desc-{name}_{metabolite}", array, grid, **full, Description=description)
        valid = stack.mask[index].astype(np.uint8)
        description = "1 where SNR, FWHM and Cramer-Rao bounds let the high-resolution map count as ground truth."
        details = full | {"Units": "none", "Description": description}
        write("mrsi", f"res-high_desc-valid_{metabolite}", valid, grid, **details)
        for n in resolutions:
            coarse = low_resolution(torch.from_numpy(stack.acquired[index]), (n, n)).numpy()
            details = about | {"n": n, "Description": "Central n x n coefficients of the acquired map's k-space."}
            name = f"res-n{n}_desc-acquired_{metabolite}"
            write("mrsi", name, coarse, low_resolution_grid(grid, n), **details)

    if not single:
        row = {
            _ID: subject,
            "seed": patient.seed,
            "tumours": len(patient.tumours),
            "mrsi_slices": grid.size[2],
            "mrsi_voxel_mm": f"{grid.spacing[0]:.2f}",
            "simulated": "yes",
        }
        written += [_describe_dataset(folder, __version__), _merge_participant(folder, row)]
    return written
