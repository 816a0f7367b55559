"""The files that the scene's nodes were loaded from, which nothing that is written may replace."""

import slicer


def loaded_files() -> list[tuple[str, str]]:
    """Each file of a storable node, with "file of" and the node's name."""
    found = []
    for node in slicer.util.getNodesByClass("vtkMRMLStorableNode"):
        storage = node.GetStorageNode()
        # A node that was made here has none, or one without a file.
        if storage is not None:
            names = [storage.GetFileName(), *(storage.GetNthFileName(i) for i in range(storage.GetNumberOfFileNames()))]
            found += [(f"file of {node.GetName()}", name) for name in names if name]
    return found
