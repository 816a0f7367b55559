"""Pictures for a page that has no files beside it."""

import base64

import numpy as np
import SimpleITK as sitk

from inference_core.files.folders import no_scratch, scratch_folder


def data_uri(rgb: np.ndarray) -> str:
    """A picture `(row, column, 3)` uint8 as the address of a PNG that the address itself holds.

    Raises:
        InputError: if the system's folder for temporary files can't hold it.
    """
    with scratch_folder() as folder:
        path = folder / "picture.png"
        try:
            sitk.WriteImage(sitk.GetImageFromArray(np.ascontiguousarray(rgb), isVector=True), str(path), True)
            written = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
            content = path.read_bytes()
        except (OSError, RuntimeError) as error:
            raise no_scratch(str(error).strip().splitlines()[-1].removeprefix("Reason: ")) from error
        # ITK does not report a full disk.
        if not np.array_equal(written, rgb):
            raise no_scratch("what was written reads differently, as on a full disk")
        return "data:image/png;base64," + base64.b64encode(content).decode()
