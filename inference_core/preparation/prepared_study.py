"""The prepared folder: a BIDS derivative that `predict`, `train`, the batch and the Slicer module read.

::

    dataset_description.json
    sub-01/anat/sub-01_space-mrsi_desc-brain_T1w.nii.gz, ..._FLAIR.nii.gz, ..._mask.nii.gz
    sub-01/mrsi/sub-01_res-n14_desc-acquired_NAA.nii.gz          as it was read; NaN (0 to ITK) where no fit is
                sub-01_res-n14_desc-filtered_NAA.nii.gz          0 in rejected voxels and slices
                sub-01_res-n14_desc-valid_NAA.nii.gz             1 in accepted voxels
                sub-01_res-n14_desc-crlb_NAA.nii.gz              where it is known
                sub-01_res-n14_desc-quality_snr.nii.gz, ..._fwhm.nii.gz
                other/sub-01_res-n14_desc-acquired_GPC.nii.gz    metabolites that the network does not know, if wanted
    sub-01.html                                                  the quality report

Each image has a JSON sidecar. A patient's folder is written beside its place and renamed when it is complete; it then
replaces an earlier one. Files of the user's own in the earlier one are carried over.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from inference_core import __version__
from inference_core.errors import InputError
from inference_core.files.atomic import atomic_folder, write_file
from inference_core.files.folders import make_folder, make_folders
from inference_core.imaging.writing import write_result
from inference_core.preparation.anatomy import describe_registration
from inference_core.preparation.carried_files import carry_over
from inference_core.preparation.earlier_version import source_path, sources_of
from inference_core.preparation.prepared_patient import PreparedMaps, PreparedPatient
from inference_core.preparation.settings import PreparationSettings
from inference_core.study.map_sources import MetaboliteMap
from inference_core.study.patient_files import label

#: What marks a prepared folder in `dataset_description.json`.
PROGRAM = "MRSISuperRes prepare"
_DESCRIPTION = "dataset_description.json"
_NOTICE = "For research, not for diagnosis."


def open_prepared_folder(output: str | Path) -> Path:
    """The output folder, made if only its last part is missing, with its description.

    Raises:
        InputError: if it can't be written, or holds something else than a prepared folder.
    """
    output = make_folder(output)
    path = output / _DESCRIPTION
    try:
        occupied = any(not entry.name.startswith(".") for entry in output.iterdir())
        description = json.loads(path.read_text(encoding="utf-8")) if occupied else None
        ours = description is None or any(program["Name"] == PROGRAM for program in description["GeneratedBy"])
    except (OSError, ValueError, KeyError, TypeError):
        # Not there, or not what this program writes there.
        ours = False
    if not ours:
        raise InputError(f"'{output}' holds other files than a prepared study: choose a new or empty folder.")
    description = {
        "Name": f"Metabolite maps prepared for super-resolution. {_NOTICE}",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": PROGRAM, "Version": __version__}],
    }
    write_file(path, json.dumps(description, indent=2) + "\n")
    return output


def write_patient(
    patient: PreparedPatient, settings: PreparationSettings, output: Path, study: Path | None = None
) -> list[Path]:
    """Write one patient into a prepared folder.

    Args:
        patient: from `prepare_patient`.
        settings: it was prepared with, for the sidecars.
        output: from `open_prepared_folder`.
        study: what the sidecars' paths of sources are relative to; None to give them as they are.

    Returns:
        Files of the user's own that an earlier version held and the new one holds, too, relative to the folder.

    Raises:
        InputError: if it can't be written, or has the name of a file of the user's own; an earlier one is left as it
            was.
    """
    place = output / patient.parts.bids_path
    prefix = patient.parts.bids_path.replace("/", "_")
    sources = sources_for_sidecars(patient, study)
    common = {
        "SoftwareName": "MRSISuperRes",
        "SoftwareVersion": __version__,
        "Warnings": list(patient.warnings),
    } | ({"NotUsed": patient.unused_sentences()} if patient.unused else {})
    hashes = {"SourcesSHA256": sources_of(patient.parts, study).sha256}
    make_folders(place.parent)
    with atomic_folder(place) as folder:
        _write_anatomy(patient, folder / "anat", prefix, sources, common | hashes)
        for maps in patient.maps:
            about = common | settings.describe()
            _write_maps(maps, settings, folder / "mrsi", f"{prefix}_res-{maps.read.resolution}", about, study)
        return carry_over(place, folder)


def report_path(output: Path, bids_path: str) -> Path:
    """Where the quality report of a patient goes.

    Args:
        output: the prepared folder.
        bids_path: the patient's folder in it, "sub-01" or "sub-01/ses-1".
    """
    return output / f"{bids_path.replace('/', '_')}.html"


def sources_for_sidecars(patient: PreparedPatient, study: Path | None) -> dict[str, str]:
    """The files that a patient's anatomy and geometry were made from, by role, as its sidecars give them."""
    return {role: source_path(path, study) for role, path in patient.sources.items()}


def _write_anatomy(
    patient: PreparedPatient, folder: Path, prefix: str, sources: dict[str, str], common: dict[str, Any]
) -> None:
    anatomy = patient.anatomy
    folder.mkdir()
    placed = describe_registration(anatomy.t1_registration, "T1", "map")
    mask_source = {role: sources[role] for role in ("T1", "mask") if role in sources}
    for role, image, extra in (
        ("T1w", anatomy.t1, placed),
        ("FLAIR", anatomy.flair, {"ToMap": placed, **describe_registration(anatomy.flair_registration, "FLAIR", "T1")}),
    ):
        own = {key: sources[key] for key in (role.removesuffix("w"), "mask", "map anatomy") if key in sources}
        description = f"{role.removesuffix('w')} of the brain in the map's space. {_NOTICE}"
        about = {"Description": description, "Sources": own, "SkullStripped": True, "Mask": anatomy.mask_source}
        write_result(image, folder / f"{prefix}_space-mrsi_desc-brain_{role}.nii.gz", about | extra | common)
    about = {"Description": "1 in the brain, on the T1's grid.", "Sources": mask_source, "Mask": anatomy.mask_source}
    write_result(anatomy.mask, folder / f"{prefix}_space-mrsi_desc-brain_mask.nii.gz", about | placed | common)


def _write_maps(
    maps: PreparedMaps,
    settings: PreparationSettings,
    folder: Path,
    prefix: str,
    common: dict[str, Any],
    study: Path | None,
) -> None:
    folder.mkdir(exist_ok=True)
    image = maps.read.image
    common = common | {"Geometry": maps.read.geometry, "Matrix": list(image.GetSize())}

    def write(name: str, what: sitk.Image | np.ndarray, about: dict[str, Any]) -> None:
        if isinstance(what, np.ndarray):
            array, what = what, sitk.GetImageFromArray(what)
            what.CopyInformation(image)
            what = sitk.Cast(what, sitk.sitkUInt8) if array.dtype == np.uint8 else what
        write_result(what, folder / f"{prefix}_{name}.nii.gz", about | common)

    for metabolite, one in maps.maps.items():
        about = _about_map(metabolite, one.acquired, study)
        write(f"desc-acquired_{metabolite}", one.acquired.concentration, about | {"Description": "As it was read."})
        filtered = {
            "Description": "Quality-filtered: 0 in rejected voxels and slices.",
            "RejectedShares": {reason: round(share, 6) for reason, share in one.filter.shares.items()},
            "SelectedSlices": np.flatnonzero(maps.slices).tolist(),
            "HolesFilled": one.filled if settings.fill_holes else "no",
        }
        write(f"desc-filtered_{metabolite}", one.filtered, about | filtered)
        valid = filtered | {"Description": "1 in accepted voxels of selected slices.", "Units": "none"}
        write(f"desc-valid_{metabolite}", one.valid.astype(np.uint8), about | valid)
        if one.acquired.crlb is not None:
            write(f"desc-crlb_{metabolite}", one.acquired.crlb, about | _CRLB)
    _write_quality(maps, write, study)
    if settings.others and maps.read.others:
        (folder / "other").mkdir(exist_ok=True)
        for name, one in maps.read.others.items():
            about = _about_map(name, one, study) | {"Description": "As it was read. The network does not know it."}
            path = f"other/{prefix}_desc-acquired_{label(name)}.nii.gz"
            write_result(one.concentration, folder / path, about | common)
            if one.crlb is not None:
                path = f"other/{prefix}_desc-crlb_{label(name)}.nii.gz"
                write_result(one.crlb, folder / path, about | _CRLB | common)


_CRLB = {"Description": "Cramer-Rao bound of the fit; 999 where it failed.", "Units": "%"}
_QUALITIES = {"snr": ("SNR", "none"), "fwhm": ("Linewidth (FWHM)", "ppm")}


def _write_quality(maps: PreparedMaps, write, study: Path | None) -> None:
    """SNR and FWHM, once if all metabolites have the same, else one a metabolite."""
    for role, (words, units) in _QUALITIES.items():
        known = {name: image for name, one in maps.read.metabolites.items() if (image := getattr(one, role))}
        shared = len({id(image) for image in known.values()}) == 1 and len(known) == len(maps.read.metabolites)
        for name, image in known.items():
            source = source_path(maps.read.metabolites[name].source, study)
            about = {"Description": f"{words} of the spectra.", "Units": units, "Sources": {"map": source}}
            if note := maps.read.metabolites[name].quality_note:
                about["Note"] = note
            if shared:
                write(f"desc-quality_{role}", image, about)
                break
            write(f"met-{name}_desc-quality_{role}", image, about | {"Metabolite": name})


def _about_map(metabolite: str, one: MetaboliteMap, study: Path | None) -> dict[str, Any]:
    about = {
        "Sources": {"map": source_path(one.source, study)},
        "Metabolite": metabolite,
        "NameInSource": one.name,
        "Units": "those of the source",
    }
    return about | ({"Note": one.amount_note} if one.amount_note else {})
