"""Colour maps for metabolite maps: Slicer's own where it has them, else made here from a few anchor colours."""

import numpy as np
import slicer

#: Anchor colours, evenly spaced, of maps that not every Slicer brings. Between them, colours are interpolated.
_ANCHORS = {
    "Viridis": "440154 472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725",
    "Inferno": "000004 210c4a 57106e 8a226a bc3754 e45a31 f98e09 f9cb35 fcffa4",
    "Plasma": "0d0887 4c02a1 7e03a8 a92395 cc4778 e56b5d f89540 fdc527 f0f921",
    # What the network took away, nothing, what it added: after "RdBu" of ColorBrewer, reversed.
    "Difference": "053061 2166ac 4393c3 92c5de f7f7f7 f4a582 d6604d b2182b 67001f",
}
#: Maps whose middle means nothing and is left transparent: this share of the colours to each side.
_TRANSPARENT_MIDDLE = {"Difference": 0.04}
_COUNT = 256


def color_node(name: str):
    """The scene's colour table of a name, made if the scene has none.

    Args:
        name: "Viridis", "Inferno", "Plasma", "Difference", or the name of a colour table that Slicer always has.

    Raises:
        ValueError: if there is no such table.
    """
    for node in slicer.util.getNodesByClass("vtkMRMLColorTableNode"):
        # A scene that is read back without the table's own file has it empty.
        if node.GetName() == name and node.GetNumberOfColors() > 0:
            return node
    if name not in _ANCHORS:
        raise ValueError(f"there is no colour table '{name}'")
    return _make(name)


def _make(name: str):
    anchors = np.array([[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in _ANCHORS[name].split()])
    positions = np.linspace(0, len(anchors) - 1, _COUNT)
    colors = np.stack([np.interp(positions, np.arange(len(anchors)), channel) for channel in anchors.T], axis=1)
    node = slicer.vtkMRMLColorTableNode()
    node.SetName(name)
    # One of each in a scene, also after a scene with the same one is added to it.
    node.SetSingletonTag(f"MRSISuperRes{name}")
    node.SetTypeToUser()
    node.SetAttribute("Category", "MRSI")
    node.SetNumberOfColors(_COUNT)
    for index, (red, green, blue) in enumerate(colors):
        visible = abs(index / (_COUNT - 1) - 0.5) >= _TRANSPARENT_MIDDLE.get(name, 0.0)
        node.SetColor(index, f"{index}", red, green, blue, float(visible))
    return slicer.mrmlScene.AddNode(node)
