"""The bundled simulated patient, in Slicer's Sample Data module and for the panel's own button. No download."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MRSISuperResLib.core_location import MODULE_FOLDER, bundled

#: The category and the name in the Sample Data module.
CATEGORY = "MRSISuperRes"
SAMPLE_NAME = "MRSISuperResSimulatedPatient"
_SUBJECT = "sub-5014"


@dataclass(frozen=True)
class _File:
    path: str
    node_name: str


_FILES = (
    _File(f"anat/{_SUBJECT}_T1w.nii.gz", "T1 (simulated)"),
    _File(f"anat/{_SUBJECT}_FLAIR.nii.gz", "FLAIR (simulated)"),
    _File(f"mrsi/{_SUBJECT}_res-n16_desc-acquired_tCho.nii.gz", "tCho 16x16 (simulated)"),
    _File(f"mrsi/{_SUBJECT}_res-n16_desc-acquired_NAA.nii.gz", "NAA 16x16 (simulated)"),
)


def _paths() -> list[Path]:
    folder = bundled("SamplePatient")
    return [folder / file.path for file in _FILES]


def register_sample_data() -> None:
    """Offer the patient in the Sample Data module; its files lie on disk already."""
    import SampleData

    paths = _paths()
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=SAMPLE_NAME,
        thumbnailFileName=str(MODULE_FOLDER / "Resources" / "Icons" / f"{SAMPLE_NAME}.png"),
        uris=[path.as_uri() for path in paths],
        fileNames=[path.name for path in paths],
        checksums=[f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths],
        nodeNames=[file.node_name for file in _FILES],
        # Without it, the reader that was registered first takes a NIfTI file, which may be that of segmentations.
        # Slicer renamed it loadFileTypes, and takes either.
        loadFileType=["VolumeFile"] * len(_FILES),
    )


@dataclass(frozen=True)
class SamplePatient:
    """The volume nodes of the sample patient."""

    t1: object
    flair: object
    maps: tuple


def load_sample_patient() -> SamplePatient:
    """Load the patient into the scene, or find it there if it was loaded before.

    Raises:
        FileNotFoundError: if the extension's files are incomplete.
        RuntimeError: if a file can't be loaded.
    """
    nodes = []
    for file, path in zip(_FILES, _paths(), strict=True):
        loaded = slicer.mrmlScene.GetFirstNodeByName(file.node_name)
        if loaded is None:
            loaded = slicer.util.loadVolume(str(path), {"name": file.node_name, "show": False})
            # Slicer numbers names that it thinks are taken.
            loaded.SetName(file.node_name)
        nodes.append(loaded)
    return SamplePatient(t1=nodes[0], flair=nodes[1], maps=tuple(nodes[2:]))


def sample_note() -> str:
    """What the user should know of the patient."""
    return _("The sample patient is simulated: no real person's data.")
