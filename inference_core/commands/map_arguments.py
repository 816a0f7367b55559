"""Maps as the command line names them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from inference_core.errors import InputError

#: How `map_files` reads an argument, for a command's help.
MAP_METAVAR = "[METABOLITE=]MAP"


def map_files(given: Sequence[str]) -> dict[str, Path]:
    """Files of a patient's maps by metabolite, in the paper's order, from "NAA.nii.gz", "NAA=map1.nii.gz" and the like.

    Raises:
        InputError: for a file whose name contains no metabolite, or two of one, or whose values do not compare between
            voxels, see `fsl_mrs.check_comparable`.
    """
    from inference_core.study.fsl_mrs import check_comparable
    from inference_core.terms.conditions import METABOLITES, resolve_metabolite
    from inference_core.terms.naming import guess_metabolite

    files: dict[str, Path] = {}
    for text in given:
        told, path = split_map(text)
        if told is None:
            told = guess_metabolite(Path(text).name)
            if told is None:
                raise InputError(
                    f"The map '{text}' does not name its metabolite: write NAA={text}, or whichever it is."
                )
        name = resolve_metabolite(told)
        if name in files:
            raise InputError(f"'{files[name]}' and '{path}' are both maps of {name}: leave one out.")
        files[name] = Path(path)
    for path in files.values():
        check_comparable(path)
    return {name: files[name] for name in METABOLITES if name in files}


def check_given_names(maps: Mapping[str, Path], t1: Path, flair: Path) -> None:
    """Compare the files' names with what they were given for.

    Warns:
        InputWarning: for a map named tCho that is given as NAA, a FLAIR given as T1, and the like.
    """
    from inference_core.imaging.roles import check_names

    check_names({name: path.name for name, path in (maps | {"T1": t1, "FLAIR": flair}).items()})


def split_map(text: str) -> tuple[str | None, str]:
    """The metabolite and the path that "NAA=map1.nii.gz" gives; no metabolite for a path that has a "=" itself.

    Raises:
        InputError: if it may be either.
    """
    from inference_core.terms.conditions import resolve_metabolite

    told, separator, path = text.partition("=")
    if not separator:
        return None, text
    whole, part = Path(text).exists(), Path(path).exists()
    try:
        resolve_metabolite(told)
    except InputError:
        # A metabolite that is misspelt is to be told of as such.
        return (told, path) if part and not whole else (None, text)
    if whole and part:
        raise InputError(f"'{text}' and '{path}' are both files: write './{text}' or '{told}=./{path}'.")
    return (None, text) if whole else (told, path)


def check_one_patient(files: Sequence[Path]) -> None:
    """Refuse images that are named for different patients, as BIDS has it.

    Raises:
        InputError: if they are.
    """
    from inference_core.terms.naming import subject_of

    named = {subject: path for path in files if (subject := subject_of(path.name))}
    if len(named) > 1:
        names = " and ".join(f"'{path}'" for path in list(named.values())[:2])
        raise InputError(f"{names} are named for different patients: give images of one.")
