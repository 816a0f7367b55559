"""Metabolite maps simulated on a real patient's T1 and tumour segmentation.

A simulator of its own, simpler than and independent of `inference_core.research.phantom`: tissue from T1 intensities,
constant levels a tissue, factors in tumour core and oedema, a smooth gradient, and round spots that MRI does not show.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_multiotsu

from inference_core.terms.conditions import METABOLITES

#: Grey matter, white matter, CSF; factors in tumour core and oedema; relative noise of the 64 x 64 maps.
_LEVELS = {
    "tCho": (1.0, 1.4, 0.1, 2.2, 1.3, 0.04),
    "tCr": (8.0, 6.0, 0.8, 0.7, 0.9, 0.03),
    "NAA": (9.5, 8.5, 0.5, 0.25, 0.7, 0.03),
    "Gly": (0.9, 0.6, 0.1, 3.0, 1.2, 0.10),
    "Gln": (3.0, 1.6, 0.4, 1.8, 1.2, 0.07),
    "Glu": (9.0, 6.0, 0.6, 0.6, 0.8, 0.05),
    "Ins": (5.0, 4.2, 0.5, 1.1, 1.4, 0.06),
}
_VOXEL = 3.4
_SLICES = 12
_SPOTS = 5


@dataclass(frozen=True)
class SimulatedMaps:
    """Maps on the real patient's anatomy.

    Attributes:
        truth: noise-free maps by metabolite, images of 64 x 64 x 12 voxels of 3.4 mm.
        acquired: the same with noise, as `(slice, row, column)` arrays.
        brain: `(slice, row, column)` bool.
        tumour: its core, like `brain`.
        occult: spots that MRI does not show by metabolite, `(slice, row, column)` int8: 1 raised, -1 lowered, else 0.
    """

    truth: dict[str, sitk.Image]
    acquired: dict[str, np.ndarray]
    brain: np.ndarray
    tumour: np.ndarray
    occult: dict[str, np.ndarray]


def _tissues(t1: np.ndarray, tumour: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grey matter, white matter and CSF as 0-or-1 volumes, by thresholds on a smoothed T1."""
    brain = t1 > 0
    smooth = gaussian_filter(t1, 0.5)
    low, high = threshold_multiotsu(smooth[brain & (tumour == 0)], classes=3)
    return tuple(brain & part for part in ((smooth > low) & (smooth <= high), smooth > high, smooth <= low))


def simulate_maps(patient: dict[str, sitk.Image], seed: int) -> SimulatedMaps:
    """Maps of all metabolites around the tumour."""
    rng = np.random.default_rng(seed)
    t1 = sitk.GetArrayFromImage(patient["t1"]).astype(np.float32)
    tumour = sitk.GetArrayFromImage(patient["tumour_segmentation"])
    grey, white, fluid = _tissues(t1, tumour)
    brain = t1 > 0

    grid = sitk.Image(64, 64, _SLICES, sitk.sitkFloat32)
    grid.SetSpacing((_VOXEL,) * 3)
    grid.SetDirection(patient["t1"].GetDirection())
    core = np.array(np.nonzero(tumour)).mean(axis=1)[::-1]
    middle = np.array(np.nonzero(brain)).mean(axis=1)[::-1]
    centre = np.array(patient["t1"].TransformContinuousIndexToPhysicalPoint([middle[0], middle[1], core[2]]))
    corner = centre - (np.array(grid.GetSize()) - 1) / 2 * _VOXEL
    grid.SetOrigin(corner.tolist())
    fine = sitk.Image([3 * s for s in grid.GetSize()], sitk.sitkFloat32)
    fine.SetSpacing((_VOXEL / 3,) * 3)
    fine.SetOrigin((corner - _VOXEL / 3).tolist())

    def on_grid(volume: np.ndarray) -> np.ndarray:
        image = sitk.GetImageFromArray(volume.astype(np.float32))
        image.CopyInformation(patient["t1"])
        sampled = sitk.GetArrayFromImage(sitk.Resample(image, fine, sitk.Transform(), sitk.sitkLinear, 0.0))
        return sampled.reshape(_SLICES, 3, 64, 3, 64, 3).mean(axis=(1, 3, 5))

    share = on_grid(brain)
    inside = share > 0.5
    z, y, x = np.indices(t1.shape, dtype=np.float32)
    # Spots keep to the slices that the maps show, and away from the tumour.
    band = np.abs(z - core[2]) < _SLICES * _VOXEL / 2
    healthy = np.argwhere(brain & band & (tumour == 0) & ~fluid)
    truth, acquired, occult = {}, {}, {}
    for metabolite in METABOLITES:
        gm, wm, csf, in_core, in_oedema, noise = _LEVELS[metabolite]
        level = gm * grey + wm * white + csf * fluid
        level = np.where(tumour == 1, in_core * (gm + wm) / 2, np.where(tumour == 2, in_oedema * level, level))
        level = level * (1 + 0.1 * rng.normal() * (y - middle[1]) / 90 + 0.05 * rng.normal() * (x - middle[0]) / 70)
        spots = np.zeros_like(level)
        for place in healthy[rng.choice(len(healthy), _SPOTS, replace=False)]:
            distance = (z - place[0]) ** 2 + (y - place[1]) ** 2 + (x - place[2]) ** 2
            amount = rng.choice([-0.6, 0.8])
            profile = np.exp(-distance / (2 * rng.uniform(2.5, 5) ** 2))
            level = level * (1 + amount * profile)
            spots[profile >= 0.5] = np.sign(amount)
        array = on_grid(level * brain) * (share > 0.1)
        image = sitk.GetImageFromArray(array.astype(np.float32))
        image.CopyInformation(grid)
        truth[metabolite] = image
        occult[metabolite] = np.round(on_grid(spots)).astype(np.int8)
        noisy = array + noise * (gm + wm) / 2 * rng.standard_normal(array.shape) * (share > 0.1)
        acquired[metabolite] = np.maximum(noisy, 0).astype(np.float32)
    return SimulatedMaps(truth, acquired, inside, on_grid(tumour == 1) > 0.5, occult)
