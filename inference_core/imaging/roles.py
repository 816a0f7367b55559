"""Images that are probably not what they were given for: one image in two roles, masks, names that say something else.

All of these are used as asked, with a warning: the user may have reasons.
"""

import warnings
from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputWarning
from inference_core.terms.naming import guess_metabolite, guess_mri

#: An image of whole numbers with at most this many different ones above 0, or of one number, is a mask or holds labels
_MOST_LABELS = 10
#: if it has at least this many voxels above 0.
_FEWEST_VOXELS = 20


def check_contents(images: Mapping[str, sitk.Image]) -> None:
    """Look for images that are given twice, and masks.

    Args:
        images: of one patient, by what to call them: "map", "T1", "FLAIR". Masks of the patient are not among them.

    Warns:
        InputWarning: for two that are the same, and one that is a mask.
    """
    for sentence in content_problems(images):
        warnings.warn(sentence, InputWarning, stacklevel=2)


def content_problems(images: Mapping[str, sitk.Image]) -> list[str]:
    """What `check_contents` warns of, a sentence each."""
    sentences, roles = [], list(images)
    for place, role in enumerate(roles):
        same = next((other for other in roles[:place] if _same(images[other], images[role])), None)
        if same is not None:
            sentences.append(f"The {same} and the {role} are the same image: check that each is what it was given for.")
        if _is_mask(images[role]):
            sentences.append(
                f"The {role} holds only a few different values, as masks and labels do: check that it is the right "
                "image."
            )
    return sentences


def name_problems(names: Mapping[str, str]) -> list[str]:
    """What names of files or volumes say against what they were given for, a sentence each.

    Args:
        names: by "T1", "FLAIR", or a metabolite's paper name for its map.
    """
    sentences = []
    for role, name in names.items():
        mri, metabolite = guess_mri(name), guess_metabolite(name)
        if role in ("T1", "FLAIR"):
            told = mri or (metabolite and f"a map of {metabolite}")
            given = role
        else:
            told = metabolite or mri
            given = f"the map of {role}"
        if told and told != role:
            shown = told if told.startswith("a map") else f"a {told}" if told in ("T1", "FLAIR") else f"a map of {told}"
            sentences.append(
                f"'{name}' was given as {given}, but is named for {shown}: check that it is the right image."
            )
    return sentences


def check_names(names: Mapping[str, str]) -> None:
    """Compare names with what they were given for.

    Warns:
        InputWarning: see `name_problems`.
    """
    for sentence in name_problems(names):
        warnings.warn(sentence, InputWarning, stacklevel=2)


def _same(one: sitk.Image, other: sitk.Image) -> bool:
    if one.GetSize() != other.GetSize():
        return False
    if not np.allclose(one.GetOrigin(), other.GetOrigin(), atol=1e-2):
        return False
    arrays = (sitk.GetArrayViewFromImage(image) for image in (one, other))
    # In single precision, since one of them may have been converted.
    first, second = (array.astype(np.float32, copy=False).ravel() for array in arrays)
    # Most pairs are ruled out by a few of their voxels.
    few = slice(first.size // 2, None, 97)
    return all(np.array_equal(first[part], second[part], equal_nan=True) for part in (few, slice(None)))


def _is_mask(image: sitk.Image) -> bool:
    array = sitk.GetArrayViewFromImage(image)
    positive = array[array > 0]
    if positive.size < _FEWEST_VOXELS:
        return False
    # Most images are ruled out by a few of their voxels.
    few = positive[:: max(1, positive.size // 1000)]
    for values in (few, positive):
        different = np.unique(values)
        if different.size > _MOST_LABELS or not np.array_equal(different, np.round(different)):
            return different.size == 1
    return True
