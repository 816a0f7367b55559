"""Tables in the scene."""

from collections.abc import Mapping, Sequence

import slicer
import vtk


def fill_table_node(name: str, columns: Mapping[str, Sequence[str | float | None]], anew: bool = True):
    """A table node of some columns.

    Args:
        name: of the node.
        columns: by name; those of texts become columns of strings, others of numbers, in which None is NaN.
        anew: fill the node of that name, if there is one, instead of adding another.
    """
    found = [node for node in slicer.util.getNodesByClass("vtkMRMLTableNode") if anew and node.GetName() == name]
    node = found[-1] if found else slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    node.RemoveAllColumns()
    for title, values in columns.items():
        texts = any(isinstance(value, str) for value in values)
        array = vtk.vtkStringArray() if texts else vtk.vtkDoubleArray()
        array.SetName(title)
        for value in values:
            array.InsertNextValue(float("nan") if value is None else value)
        node.AddColumn(array)
    # Its name in Slicers before 5.12.
    show_names = getattr(node, "SetUseColumnTitleAsColumnHeader", None) or node.SetUseColumnNameAsColumnHeader
    show_names(True)
    node.Modified()
    return node
