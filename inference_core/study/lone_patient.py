"""A patient whose parts the user names one by one, and what to call it."""

import re
from pathlib import Path

from inference_core.errors import InputError
from inference_core.study.patient_files import UnusedFile, patient_bids_path
from inference_core.study.patient_parts import PatientParts
from inference_core.study.walker import find_parts_in

_SUBJECT, _SESSION = (re.compile(rf"(?:^|_)({entity}-[A-Za-z0-9]+)(?=_|$)") for entity in ("sub", "ses"))
#: Folders that are named for what lies in them, of whichever patient.
_NO_NAMES = re.compile(
    r"anat(?:omy)?|mri?|images?|nii|nifti|dicom|scans?|t1w?|flair|data|raw|struct(?:ural)?", re.IGNORECASE
)


def lone_patient(
    name: str | None = None,
    *,
    lcmodel: Path | None = None,
    maps: Path | None = None,
    spar: Path | None = None,
    t1: Path | None = None,
    flair: Path | None = None,
    mask: Path | None = None,
    map_anatomy: Path | None = None,
) -> PatientParts:
    """A patient whose parts the user names.

    Args:
        name: what to call the patient; None for what the files are named for, see `name_of`.
        lcmodel: folder of LCModel's output.
        maps: folder of maps as images, looked into as a study's are.
        spar: the geometry's file.
        t1: image.
        flair: image.
        mask: of the brain.
        map_anatomy: image in the map's space.

    Raises:
        InputError: if T1, FLAIR or the maps are missing, a folder does not exist or can't be read, or the parts are
            named for different patients.
    """
    if t1 is None or flair is None or (lcmodel is None) == (maps is None):
        raise InputError("Give a patient's --t1, --flair and either --lcmodel or --maps.")
    given = {"T1": t1, "FLAIR": flair, "LCModel's output": lcmodel, "maps": maps, "mask": mask, "spar": spar}
    name = name or name_of({role: path for role, path in given.items() if path is not None})
    found = find_parts_in(maps) if maps is not None else PatientParts("", "")
    return PatientParts(
        name,
        patient_bids_path(name),
        lcmodel=(lcmodel,) if lcmodel else (),
        spar=(spar,) if spar else (),
        maps=found.maps,
        t1=(t1,),
        flair=(flair,),
        mask=(mask,) if mask else found.mask,
        map_anatomy=map_anatomy,
        unused=(*found.unused, *(UnusedFile(path, "--mask names another") for path in found.mask if mask)),
        folder=maps,
    )


def name_of(parts: dict[str, Path]) -> str:
    """What to call a patient, by the paths of its parts.

    The BIDS labels of its subject and session, in the files' names or in folders above them; without those the name of
    the T1's folder, or of the next one above that is not named for what it holds, such as `anat`.

    Args:
        parts: by role; "T1" is there.

    Raises:
        InputError: if the parts are named for different patients or sessions, or nothing names the patient.
    """
    labels = {}
    for pattern, what in ((_SUBJECT, "patients"), (_SESSION, "sessions")):
        found = {role: label for role, path in parts.items() if (label := _label(path, pattern))}
        if len(set(found.values())) > 1:
            listed = ", ".join(f"{role} {label}" for role, label in found.items())
            raise InputError(f"The parts are named for different {what} ({listed}): check them, or give --patient.")
        labels[pattern] = next(iter(found.values()), None)
    if labels[_SUBJECT]:
        return "/".join(label for label in labels.values() if label)
    folders = parts["T1"].resolve().parents
    name = next((folder.name for folder in folders if folder.name and not _NO_NAMES.fullmatch(folder.name)), None)
    if name is None:
        raise InputError(f"Nothing in the path of the T1 '{parts['T1']}' names the patient: give --patient.")
    return name


def _label(path: Path, pattern: re.Pattern[str]) -> str | None:
    """A BIDS label in a path, the last one."""
    for part in (path.name, *(folder.name for folder in path.resolve().parents)):
        if found := pattern.search(part.split(".")[0]):
            return found.group(1)
    return None
