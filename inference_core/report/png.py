"""Pictures for a page that has no files beside it."""

import base64
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk


def data_uri(rgb: np.ndarray) -> str:
    """A picture `(row, column, 3)` uint8 as the address of a PNG that the address itself holds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        sitk.WriteImage(sitk.GetImageFromArray(np.ascontiguousarray(rgb), isVector=True), str(path), True)
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
