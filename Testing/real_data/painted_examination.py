"""A real whole-brain examination whose T1 and FLAIR are painted from the person's own parcellation.

For folders of MRSI derivatives with files `*_met-CrPCr_desc-signal_mrsi.nii.gz` and the like, their Cramér-Rao bounds,
a parcellation (`*_dseg.nii.gz`) whose labels of 3000 and more are white matter, and a brain mask on its grid.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

#: Metabolites by the files' names; those that the network does not know one by one stand for the nearest that it does.
_NAMES = {"CrPCr": "tCr", "GPCPCh": "tCho", "NAANAAG": "NAA", "Ins": "Ins", "GluGln": "Glu"}
_WHITE = 3000
#: Brightness of white matter, brain stem, grey matter and fluid.
_T1, _FLAIR = (1.0, 0.85, 0.68, 0.25), (0.6, 0.62, 0.8, 0.12)
_BRAIN_STEM = (129, 132)
#: Standard deviation of the partial volume at the painted borders, voxels of 1 mm.
_BLUR = 0.55


@dataclass(frozen=True)
class PaintedExamination:
    """Maps and bounds by metabolite, and the painted images. Failed fits inside the brain are NaN."""

    t1: sitk.Image
    flair: sitk.Image
    maps: dict[str, sitk.Image]
    bounds: dict[str, sitk.Image]


def read_painted_examination(folder: Path) -> PaintedExamination:
    """The examination in a folder, subfolders included."""
    (parcels,) = list(folder.rglob("*scale1grow2mm_dseg.nii.gz"))[:1]
    labels = sitk.ReadImage(str(parcels))
    array = sitk.GetArrayFromImage(labels)
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(next(folder.rglob("*memprage_desc-brainmask.nii.gz"))))) > 0
    t1, flair = (_painted(array, mask, levels, labels) for levels in (_T1, _FLAIR))
    maps, bounds = {}, {}
    for name, metabolite in _NAMES.items():
        path = next(folder.rglob(f"*_met-{name}_desc-signal_mrsi.nii.gz"))
        image, bound = (
            sitk.ReadImage(str(p)) for p in (path, path.with_name(path.name.replace("desc-signal", "desc-crlb")))
        )
        values = sitk.GetArrayFromImage(image).astype(np.float32)
        # The pipeline writes 0 for a failed fit, and outside the brain.
        values[(values == 0) & (sitk.GetArrayFromImage(bound) > 0)] = np.nan
        maps[metabolite] = sitk.GetImageFromArray(values)
        maps[metabolite].CopyInformation(image)
        bounds[metabolite] = bound
    return PaintedExamination(t1, flair, maps, bounds)


def _painted(labels: np.ndarray, mask: np.ndarray, levels: tuple[float, ...], like: sitk.Image) -> sitk.Image:
    white = labels >= _WHITE
    stem = (labels >= _BRAIN_STEM[0]) & (labels <= _BRAIN_STEM[1])
    brain = mask | (labels > 0)
    painted = np.select([white, stem, labels > 0, brain], levels, 0.0)
    image = sitk.GetImageFromArray((gaussian_filter(painted, _BLUR) * brain).astype(np.float32))
    image.CopyInformation(like)
    return image
