"""The pixels of a slice view, from the real slice logic, without OpenGL."""

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy


def slice_rgba(slice_logic) -> np.ndarray:
    """The view's blended layers `(row, column, 4)`, uint8, the upper row first; all 0 where a view shows nothing."""
    columns, rows = slice_logic.GetSliceNode().GetDimensions()[:2]
    slice_logic.UpdatePipeline()
    connection = slice_logic.GetImageDataConnection()
    if connection is None:
        return np.zeros((rows, columns, 4), np.uint8)
    producer = connection.GetProducer()
    producer.Update()
    image = producer.GetOutputDataObject(0)
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None:
        return np.zeros((rows, columns, 4), np.uint8)
    width, height, _ = image.GetDimensions()
    pixels = vtk_to_numpy(scalars).reshape(height, width, -1)
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., : pixels.shape[2]] = pixels[..., :4]
    return rgba[::-1].copy()
