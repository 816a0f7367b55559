"""Subjects' files found in folders by their names."""

import re
import warnings
from pathlib import Path

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.brain_mask import brain_mask_of_t1
from inference_core.imaging.reading import read_image
from inference_core.research.phantom.subject import Subject

#: What a file's name without extension holds, in small letters, by what it is; the first one that matches is taken.
#: Numbers are FSL FAST's: 0 for CSF, 1 for grey, 2 for white matter.
_PATTERNS = {
    "csf": r"(tissue|pve|prob|seg)[-_]?0$|csf",
    "grey": r"(tissue|pve|prob|seg)[-_]?1$|gr[ea]y|(^|[-_])gm([-_]|$)",
    "white": r"(tissue|pve|prob|seg)[-_]?2$|white|(^|[-_])wm([-_]|$)",
    "lesions": r"lesion",
    "labels": r"labels?$|aseg|aparc|wmparc|synthseg|dseg",
    "flair": r"flair",
    "t2": r"(^|[-_])t2",
    "t1": r"(^|[-_])t1",
}
_TISSUES = ("grey", "white", "csf")
_EXTENSIONS = (".nii.gz", ".nii", ".nrrd", ".mha")
_EXPECTED = "a T1 and tissue fractions, or a label map, or a skull-stripped T1 are expected"


def _stem(path: Path) -> str:
    name = path.name.lower()
    return next((name.removesuffix(end) for end in _EXTENSIONS if name.endswith(end)), "")


def _kind(path: Path) -> str | None:
    """What a file is by its name; None for others, and for folders."""
    stem = _stem(path)
    if not stem or not path.is_file():
        return None
    return next((kind for kind, pattern in _PATTERNS.items() if re.search(pattern, stem)), None)


def subjects_in(folder: Path) -> list[Subject]:
    """The subject of a folder, or those of its subfolders, in the order of their names.

    Raises:
        InputError: as `subject_in`, or if there is none.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder '{folder}': name one with a subject's files, or one of such folders.")
    if any(_kind(path) for path in folder.iterdir()):
        return [subject_in(folder)]
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    inside = [path for path in inside if any(_kind(file) for file in path.iterdir())]
    if not inside:
        raise InputError(
            f"'{folder}' and the folders in it hold no subject: {_EXPECTED}, named so, such as t1_brain.nii.gz."
        )
    return [subject_in(path) for path in inside]


def subject_in(folder: Path) -> Subject:
    """The subject whose files a folder holds.

    Args:
        folder: a T1 and tissue fractions such as t1_brain.nii.gz, t1_tissue_0.nii.gz (CSF), _1 (grey matter), _2 (white
            matter); or a label map such as labels.nii.gz or aseg.nii.gz, with a T1 or without; or a skull-stripped T1
            alone, with a mask of lesions or without. A FLAIR, or a T2, is taken with a T1. Of several T1, FLAIR or T2,
            the one with "brain" in its name is taken.

    Warns:
        InputWarning: if the files hold some tissue fractions, but not all.

    Raises:
        InputError: if files are missing, or several could be meant, or a T1 alone shows the skull.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder '{folder}': name one with a subject's files.")
    found: dict[str, list[Path]] = {kind: [] for kind in _PATTERNS}
    for path in sorted(folder.iterdir()):
        kind = _kind(path)
        if kind:
            found[kind].append(path)
    for kind in ("t1", "t2", "flair"):
        stripped = [path for path in found[kind] if "brain" in _stem(path)]
        found[kind] = stripped or found[kind]
    for kind, paths in found.items():
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths[:2])
            raise InputError(f"In '{folder}', {names} could both be the {kind}: leave one of them there.")
    one = {kind: next(iter(paths), None) for kind, paths in found.items()}
    t1, flair = one["t1"], one["flair"] or one["t2"]
    missing = [kind for kind in _TISSUES if not one[kind]]
    if not missing and t1:
        return Subject(t1, one["grey"], one["white"], one["csf"], flair)
    if one["labels"]:
        return Subject(t1, flair=flair if t1 else None, labels=one["labels"])
    if not t1:
        raise InputError(f"In '{folder}' there is no T1 and no label map by their names: {_EXPECTED}.")
    if len(missing) < len(_TISSUES):
        warnings.warn(
            f"In '{folder}' there is no file that is {' or '.join(missing)} by its name: the tissue fractions there "
            "are not used, and all are found from the T1.",
            InputWarning,
            stacklevel=2,
        )
    if brain_mask_of_t1(read_image(t1, "T1")) is None:
        raise InputError(
            f"The T1 '{t1}' shows more than the brain, and without tissue fractions or labels it must be "
            "skull-stripped: strip it, or put these into the folder."
        )
    return Subject(t1, flair=flair, lesions=one["lesions"])
