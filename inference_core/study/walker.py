"""Finding each patient's parts in a study as it comes off the scanner and out of the fit."""

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from inference_core.errors import InputError
from inference_core.study.lcmodel import lcmodel_files
from inference_core.study.metabolite_names import named_signal, quality_role
from inference_core.study.patient_files import NO_PATIENTS, patient_place
from inference_core.terms.naming import guess_mri, is_image, stem

#: Folders within a patient's folder that are looked into.
_DEPTH = 8
#: Images that are named for a metabolite and no measurement of it.
_NO_MEASUREMENT = re.compile(r"desc-(?:truth|valid|tumour|filtered)|superres", re.IGNORECASE)
_MASK = re.compile(r"(?<![a-z])(?:brain[ _\-]?|bet[ _\-]?|t1[ _\-]?)?mask(?![a-z])")
_NO_BRAIN = re.compile(r"tumou?r|lesion|gtv|edema|oedema|csf|white|gr[ae]y|wm|gm|skull|head|desc-valid|water")
_STRIPPED = re.compile(r"(?<![a-z])(?:brain|bet|stripped|skullstripped)(?![a-z])")
#: What FSL-MRS calls the amounts that were scaled to nothing, and the folder above all its scalings.
_UNSCALED, _SCALINGS = "raw", "concs"


@dataclass(frozen=True)
class PatientParts:
    """What there is of one patient, in one session.

    Attributes:
        name: the folder's path within the study, or what the user calls the patient.
        place: the patient's folder in the output: "sub-01" or "sub-01/ses-1".
        lcmodel: folders of LCModel's output.
        spar: the geometry's files.
        maps: images named for a metabolite or a quality of its fit.
        t1: images that are named as a T1.
        flair: likewise.
        mask: of the brain.
        map_anatomy: an anatomical image in the map's space, to register to; it is never searched for.
        problem: why the folder could not be looked into, if so.
    """

    name: str
    place: str
    lcmodel: tuple[Path, ...] = ()
    spar: tuple[Path, ...] = ()
    maps: tuple[Path, ...] = ()
    t1: tuple[Path, ...] = ()
    flair: tuple[Path, ...] = ()
    mask: tuple[Path, ...] = ()
    map_anatomy: Path | None = None
    problem: str = ""

    def single(self, role: str) -> Path:
        """The patient's only T1, FLAIR or folder of LCModel's output.

        Of several T1 or FLAIR images the one that is named as skull-stripped counts, if there is one such.

        Args:
            role: "T1", "FLAIR" or "LCModel output".

        Raises:
            InputError: if there is none, or it is not clear which.
        """
        found = {"T1": self.t1, "FLAIR": self.flair, "LCModel output": self.lcmodel}[role]
        if not found:
            raise InputError(f"There is no {role}: add one, with {role} in its file's name.")
        stripped = [path for path in found if _STRIPPED.search(stem(path.name).casefold())]
        if len(found) > 1 and len(stripped) != 1:
            names = ", ".join(f"'{path}'" for path in found)
            raise InputError(f"There are {len(found)} of {role} ({names}): leave one, or name the parts by options.")
        return stripped[0] if len(stripped) == 1 else found[0]


@dataclass
class _Found:
    """Parts as they are found."""

    lcmodel: list[Path] = field(default_factory=list)
    spar: list[Path] = field(default_factory=list)
    maps: list[Path] = field(default_factory=list)
    t1: list[Path] = field(default_factory=list)
    flair: list[Path] = field(default_factory=list)
    mask: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return bool(self.lcmodel or self.spar or self.maps or self.t1 or self.flair or self.problems)


def find_parts(study: str | Path, output: Path | None = None) -> list[PatientParts]:
    """All patients of a study, in the order of their names.

    Each folder in the study is a patient, and in it each folder `ses-*` a session. The study's folder is a patient
    itself if it holds parts directly, or in `anat` or `mrsi`. Parts may lie anywhere below that: LCModel's
    output and `.spar` are known by their contents and ending, images by their names. Hidden folders, BIDS's
    `derivatives`, `sourcedata` and `code`, results of this program, links in circles and the output are passed over.

    Args:
        study: the folder.
        output: where the prepared folder goes, which may lie within the study.

    Raises:
        InputError: if the folder does not exist, can't be read or holds no patient.
    """
    study = Path(study)
    if not study.is_dir():
        raise InputError(f"The study folder '{study}' does not exist or is no folder: check its path.")
    seen = {output.resolve()} if output is not None else set()
    try:
        folders = _folders(study)
        own = _Found()
        _classify(study, own)
    except OSError as error:
        raise InputError(f"The folder '{study}' can't be read ({error.strerror}): check its permissions.") from error
    if own.any or {"anat", "mrsi"} & {folder.name for folder in folders}:
        found = _collect(study, seen)
        name = study.resolve().name
        return [_parts(name, found)]
    patients = []
    for folder in folders:
        if folder.name in NO_PATIENTS or _is_output(folder):
            continue
        patients += _patients(folder, seen)
    if not patients:
        raise InputError(
            f"'{study}' holds no patients: expected is a folder a patient, with LCModel's output or metabolite maps, a "
            "T1 and a FLAIR, each image named for what it shows."
        )
    return patients


def _patients(folder: Path, seen: set[Path]) -> list[PatientParts]:
    """A patient's sessions, or the patient without."""
    try:
        sessions = [one for one in _folders(folder) if one.name.startswith("ses-")]
    except OSError:
        # `_collect` says why.
        sessions = []
    found = [(one, f"{folder.name}/{one.name}") for one in sessions] or [(folder, folder.name)]
    collected = [(name, _collect(one, seen)) for one, name in found]
    return [_parts(name, parts) for name, parts in collected if parts.any]


def _parts(name: str, found: _Found) -> PatientParts:
    parts = PatientParts(name, patient_place(name), problem=" ".join(found.problems))
    kinds = {kind: tuple(sorted(getattr(found, kind))) for kind in ("lcmodel", "spar", "maps", "t1", "flair", "mask")}
    return replace(parts, **kinds)


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _collect(folder: Path, seen: set[Path], depth: int = 0, found: _Found | None = None) -> _Found:
    """The parts in a folder and below it."""
    found = _Found() if found is None else found
    if folder.resolve() in seen or depth > _DEPTH:
        return found
    seen.add(folder.resolve())
    try:
        folders = [one for one in _folders(folder) if not _is_output(one)]
        _classify(folder, found)
    except OSError as error:
        found.problems.append(f"The folder '{folder}' can't be read ({error.strerror}): check its permissions.")
        return found
    if folder.name == _SCALINGS and any(one.name == _UNSCALED for one in folders):
        # The same metabolites once more, as ratios and otherwise scaled.
        folders = [one for one in folders if one.name == _UNSCALED]
    for one in folders:
        _collect(one, seen, depth + 1, found)
    return found


def _classify(folder: Path, found: _Found) -> None:
    """Sort a folder's files by what they are."""
    if lcmodel_files(folder):
        found.lcmodel.append(folder)
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix.casefold() == ".spar":
            found.spar.append(path)
        elif is_image(path.name):
            _classify_image(path, found)


def _classify_image(path: Path, found: _Found) -> None:
    name = stem(path.name).casefold()
    mri = guess_mri(path.name)
    if mri:
        (found.t1 if mri == "T1" else found.flair).append(path)
    elif _MASK.search(name):
        if not _NO_BRAIN.search(name):
            found.mask.append(path)
    elif not _NO_MEASUREMENT.search(name) and (named_signal(path.name) or quality_role(path.name)):
        found.maps.append(path)


def _is_output(folder: Path) -> bool:
    """Whether a folder was written by `mrsi-superres`, be it results or another prepared folder."""
    try:
        description = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
        return any(
            program["Name"] in ("MRSISuperRes", "MRSISuperRes prepare") for program in description["GeneratedBy"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        # Not there, or not what this program writes there.
        return False


def choose_spar(parts: PatientParts, lcmodel: Path) -> Path | None:
    """The `.spar` that belongs to an examination: the only one, or the one whose name its files begin with.

    Raises:
        InputError: if there are several and none or more than one is.
    """
    if len(parts.spar) <= 1:
        return parts.spar[0] if parts.spar else None
    names = [path.name.casefold() for path in lcmodel_files(lcmodel)]
    fitting = [path for path in parts.spar if any(name.startswith(path.stem.casefold()) for name in names)]
    if len(fitting) != 1:
        listed = ", ".join(f"'{path}'" for path in parts.spar)
        raise InputError(f"There are {len(parts.spar)} .spar files ({listed}): leave the one of the fitted scan.")
    return fitting[0]


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
        name: what to call the patient; None for the name of the T1's folder.
        lcmodel: folder of LCModel's output.
        maps: folder of maps as images, looked into as a study's are.
        spar: the geometry's file.
        t1: image.
        flair: image.
        mask: of the brain.
        map_anatomy: image in the map's space.

    Raises:
        InputError: if T1, FLAIR or the maps are missing, or a folder does not exist or can't be read.
    """
    if t1 is None or flair is None or (lcmodel is None) == (maps is None):
        raise InputError("Give a patient's --t1, --flair and either --lcmodel or --maps.")
    found = _Found()
    if maps is not None:
        if not maps.is_dir():
            raise InputError(f"The folder of maps '{maps}' does not exist or is no folder: check its path.")
        _collect(maps, set(), found=found)
        if found.problems:
            raise InputError(found.problems[0])
    name = name or t1.resolve().parent.name
    return PatientParts(
        name,
        patient_place(name),
        lcmodel=(lcmodel,) if lcmodel else (),
        spar=(spar,) if spar else (),
        maps=tuple(sorted(found.maps)),
        t1=(t1,),
        flair=(flair,),
        mask=(mask,) if mask else (),
        map_anatomy=map_anatomy,
    )
