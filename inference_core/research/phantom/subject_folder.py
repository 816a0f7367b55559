"""A subject's files found in a folder by their names."""

import re
from pathlib import Path

from inference_core.errors import InputError
from inference_core.research.phantom.subject import Subject

#: What a file's name without extension holds, in small letters, by what it is; the first one that matches is taken.
#: Numbers are FSL FAST's: 0 for CSF, 1 for grey, 2 for white matter.
_PATTERNS = {
    "csf": r"(tissue|pve|prob|seg)[-_]?0$|csf",
    "grey": r"(tissue|pve|prob|seg)[-_]?1$|gr[ea]y|(^|[-_])gm([-_]|$)",
    "white": r"(tissue|pve|prob|seg)[-_]?2$|white|(^|[-_])wm([-_]|$)",
    "flair": r"flair",
    "t2": r"(^|[-_])t2",
    "t1": r"(^|[-_])t1",
}
_EXTENSIONS = (".nii.gz", ".nii", ".nrrd", ".mha")


def _stem(path: Path) -> str:
    name = path.name.lower()
    return next((name.removesuffix(end) for end in _EXTENSIONS if name.endswith(end)), "")


def subject_in(folder: Path) -> Subject:
    """The subject whose T1, tissue fractions and, if there is one, FLAIR or T2 a folder holds.

    Args:
        folder: files such as t1_brain.nii.gz, t1_tissue_0.nii.gz (CSF), _1 (grey matter), _2 (white matter),
            flair.nii.gz. Of several T1, the one with "brain" in its name is taken.

    Raises:
        InputError: if a file is missing, or several could be meant.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder '{folder}': name one with a subject's T1 and tissue fractions.")
    found: dict[str, list[Path]] = {kind: [] for kind in _PATTERNS}
    for path in sorted(folder.iterdir()):
        stem = _stem(path)
        kind = next((kind for kind, pattern in _PATTERNS.items() if stem and re.search(pattern, stem)), None)
        if kind and path.is_file():
            found[kind].append(path)
    for kind in ("t1", "t2", "flair"):
        stripped = [path for path in found[kind] if "brain" in _stem(path)]
        found[kind] = stripped or found[kind]
    for kind, paths in found.items():
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths[:2])
            raise InputError(f"In '{folder}', {names} could both be the {kind}: leave one of them there.")
    missing = [kind for kind in ("t1", "grey", "white", "csf") if not found[kind]]
    if missing:
        raise InputError(
            f"In '{folder}' there is no file that is {' or '.join(missing)} by its name: a T1 and fractions of grey "
            "matter, white matter and CSF are expected, such as t1_brain.nii.gz and t1_tissue_0, _1 and _2.nii.gz."
        )
    flair = next(iter(found["flair"] or found["t2"]), None)
    return Subject(found["t1"][0], found["grey"][0], found["white"][0], found["csf"][0], flair)
