"""A patient's maps of several metabolites: those in the scene on one grid whose names say what they show."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import slicer

from inference_core.errors import InputError
from inference_core.terms.naming import subject_of
from MRSISuperResLib.scene.guesses import metabolite_of
from MRSISuperResLib.scene.result_volume import is_result
from MRSISuperResLib.scene.volumes import PatientImages, ijk_to_frame, images_key, patient_images, volume_image

#: Matrices of one grid agree within this, in mm: headers are rounded.
_SAME_PLACE = 1e-2


def maps_beside(map_node, metabolite: str | None = None) -> dict[str, object]:
    """The scene's maps of one examination by metabolite, the given one among them.

    Args:
        map_node: one of them; of its own metabolite it is taken, whatever else there is.
        metabolite: which it shows; None to take that from its name.

    Raises:
        InputError: if two other maps show the same metabolite, or no name tells what `map_node` shows.
    """
    metabolite = metabolite or metabolite_of(map_node)
    if metabolite is None:
        raise InputError(f"The name '{map_node.GetName()}' contains no metabolite: rename the map, such as 'NAA'.")
    found = {metabolite: map_node}
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        name = metabolite_of(node)
        if name in (None, metabolite) or is_result(node) or not _of_one_examination(node, map_node):
            continue
        if name in found:
            raise InputError(
                f"'{found[name].GetName()}' and '{node.GetName()}' are both maps of {name} on the grid of "
                f"'{map_node.GetName()}': rename or remove one."
            )
        found[name] = node
    return found


def left_out(map_node, maps: dict[str, object]) -> list[str]:
    """A sentence on the scene's maps that are not measured with a map, or none if there are no others.

    Args:
        map_node: the map.
        maps: what `maps_beside` found for it.
    """
    others = []
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if metabolite_of(node) is None or is_result(node) or node in maps.values():
            continue
        if not _of_one_examination(node, map_node):
            others.append(f"'{node.GetName()}'")
    if not others:
        return []
    return [f"Left out, since they are on another grid or of another patient: {', '.join(others)}."]


def images_of_maps(maps: dict[str, object], t1_node, flair_node, names: Iterable[str]) -> dict[str, PatientImages]:
    """Images of several of a patient's metabolites, T1 and FLAIR copied from the scene once.

    Args:
        maps: nodes by metabolite, as `maps_beside` gives them.
        t1_node, flair_node: the patient's MRI.
        names: the metabolites wanted, all of which are in `maps`.

    Raises:
        InputError: as `patient_images`.
    """
    found: dict[str, PatientImages] = {}
    for name in names:
        node = maps[name]
        if found:
            key = images_key(node, t1_node, flair_node)
            first = next(iter(found.values()))
            found[name] = replace(first, low_resolution=volume_image(node, node, "metabolite map"), key=key)
        else:
            found[name] = patient_images(node, t1_node, flair_node)
    return found


def _of_one_examination(node, map_node) -> bool:
    """Whether two maps lie on one grid, and are not named for different patients."""
    subjects = {subject_of(each.GetName()) for each in (node, map_node)} - {None}
    return len(subjects) < 2 and _on_one_grid(node, map_node)


def _on_one_grid(node, map_node) -> bool:
    images = node.GetImageData(), map_node.GetImageData()
    if any(image is None for image in images) or images[0].GetDimensions() != images[1].GetDimensions():
        return False
    if node.GetParentTransformNode() is not map_node.GetParentTransformNode():
        return False
    own, other = (ijk_to_frame(each, each, "metabolite map") for each in (node, map_node))
    return bool(np.abs(own - other).max() < _SAME_PLACE)
