"""What loaded volumes probably are, by their names and their files' names."""

from pathlib import Path

import slicer

from inference_core.terms.naming import guess_metabolite, guess_mri
from MRSISuperResLib.scene.result_volume import is_result


def names_of(node) -> list[str]:
    """A volume node's name, and its file's if it has one."""
    storage = node.GetStorageNode()
    names = [node.GetName() or ""]
    if storage is not None and storage.GetFileName():
        names.append(Path(storage.GetFileName()).name)
    return names


def metabolite_of(node) -> str | None:
    """The metabolite that a volume node shows, by its name or else its file's; None if neither says."""
    return next((found for name in names_of(node) if (found := guess_metabolite(name))), None)


def mri_nodes() -> dict[str, object]:
    """The scene's only volume that looks like a T1, and the only one that looks like a FLAIR, by "T1" and "FLAIR"."""
    found: dict[str, list] = {"T1": [], "FLAIR": []}
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        role = next((role for name in names_of(node) if (role := guess_mri(name))), None)
        if role is not None and not is_result(node) and metabolite_of(node) is None:
            found[role].append(node)
    return {role: nodes[0] for role, nodes in found.items() if len(nodes) == 1}
