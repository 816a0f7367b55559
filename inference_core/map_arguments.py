"""Maps and label images as the command line names them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inference_core.errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk

#: How `map_files` reads an argument, for a command's help.
MAP_METAVAR = "[METABOLITE=]MAP"


def map_files(given: Sequence[str]) -> dict[str, Path]:
    """Files of a patient's maps by metabolite, in the paper's order, from "NAA.nii.gz", "NAA=map1.nii.gz" and the like.

    Raises:
        InputError: for a file whose name tells no metabolite, or two of one.
    """
    from inference_core.conditions import METABOLITES, resolve_metabolite
    from inference_core.naming import guess_metabolite

    files: dict[str, Path] = {}
    for text in given:
        told, separator, path = text.partition("=")
        if not separator:
            told, path = guess_metabolite(Path(text).name), text
            if told is None:
                raise InputError(
                    f"The map '{text}' does not tell its metabolite: write NAA={text}, or whichever it is."
                )
        name = resolve_metabolite(told)
        if name in files:
            raise InputError(f"'{files[name]}' and '{path}' are both maps of {name}: leave one out.")
        files[name] = Path(path)
    return {name: files[name] for name in METABOLITES if name in files}


def check_one_patient(files: Sequence[Path]) -> None:
    """Refuse images that are named for different patients, as BIDS has it.

    Raises:
        InputError: if they are.
    """
    from inference_core.naming import subject_of

    named = {subject: path for path in files if (subject := subject_of(path.name))}
    if len(named) > 1:
        names = " and ".join(f"'{path}'" for path in list(named.values())[:2])
        raise InputError(f"{names} are named for different patients: give images of one.")


def label_images(path: Path, names: Sequence[str] = ()) -> "dict[str, sitk.Image]":
    """A label image's regions by name, each an image that is 1 inside.

    Args:
        path: of the label image.
        names: of its labels, such as "1=tumour"; the others are called by their number.

    Raises:
        InputError: for labels that are no whole numbers or none, and names of labels that there are not.
    """
    import numpy as np
    import SimpleITK as sitk

    from inference_core.inputs import read_image

    image = read_image(path, "label image")
    values = np.unique(sitk.GetArrayViewFromImage(image))
    if not np.array_equal(values, np.round(values)):
        raise InputError(f"The label image '{path}' holds fractions: give one of whole numbers.")
    labels = [int(value) for value in values if value > 0]
    if not labels:
        raise InputError(f"The label image '{path}' is empty: number its regions from 1.")
    named = {}
    for text in names:
        number, _, name = text.partition("=")
        if not name or not number.isdigit() or int(number) not in labels:
            there = ", ".join(map(str, labels))
            raise InputError(f"'{text}' names no region: write NUMBER=NAME with one of the labels {there}.")
        named[int(number)] = name
    return {named.get(label, str(label)): sitk.Equal(image, label) for label in labels}
