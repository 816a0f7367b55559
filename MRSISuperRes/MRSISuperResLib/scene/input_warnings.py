"""Warnings about the chosen volumes: a name that says something else, or a file with two positions in its header."""

from pathlib import Path

import numpy as np
import vtk

from inference_core.imaging.nifti import position_warning
from inference_core.imaging.roles import name_problems
from inference_core.study.fsl_mrs import comparability_doubt
from inference_core.terms.conditions import METABOLITES
from inference_core.terms.naming import guess_metabolite, guess_mri
from MRSISuperResLib.scene.guesses import names_of
from MRSISuperResLib.scene.volumes import matrix_of

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def input_warnings(map_node, t1_node, flair_node, metabolite: str) -> list[str]:
    """Sentences for the user; none if all is as it should be.

    Args:
        map_node, t1_node, flair_node: volume nodes, each of which may be None.
        metabolite: what the map is taken for: a paper name; a ratio's name is passed over.
    """
    nodes = {metabolite: map_node} if metabolite in METABOLITES else {}
    nodes |= {"T1": t1_node, "FLAIR": flair_node}
    told = {role: name for role, node in nodes.items() if node is not None and (name := _meaningful_name(node))}
    sentences = name_problems(told)
    for role, node in {"map": map_node, "T1": t1_node, "FLAIR": flair_node}.items():
        storage = node.GetStorageNode() if node is not None else None
        if storage is not None and storage.GetFileName():
            called = f"{role} '{node.GetName()}'"
            path = Path(storage.GetFileName())
            found = [position_warning(path, called, _RAS_TO_LPS @ _ijk_to_ras(node))]
            found += [comparability_doubt(path)] if role == "map" else []
            sentences += [warning for warning in found if warning]
    return sentences


def _meaningful_name(node) -> str | None:
    """The name, a node's or its file's, that tells what the volume shows."""
    return next((name for name in names_of(node) if guess_mri(name) or guess_metabolite(name)), None)


def _ijk_to_ras(node) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix_of(matrix)
