"""Label images: regions numbered from 1."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.imaging.place import check_places
from inference_core.imaging.reading import read_image


def label_images(path: Path, t1: sitk.Image, names: Sequence[str] = ()) -> dict[str, sitk.Image]:
    """A label image's regions by name, each an image that is 1 inside.

    Args:
        path: of the label image.
        t1: the patient's, which the labels lie on.
        names: of its labels, such as "1=tumour"; the others are called by their number.

    Raises:
        InputError: for labels that are no whole numbers or none, names of labels that there are not, and a label image
            of which the position on the T1 is not known.
    """
    image = read_image(path, "label image", place_needed=False)
    check_places({f"label image '{path}'": image, "T1": t1})
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
