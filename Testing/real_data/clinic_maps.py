"""Maps as a clinic measures them, on a real person's anatomy: a point spread in the truth, and strong noise.

Made with the simulator of `glioma_maps`, which is not the one that the default weights were trained with. The truth has
the point spread of an acquisition; the noise is the same for each sample of k-space, so that maps of fewer voxels are
less noisy.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from glioma_maps import simulate_maps
from scipy.ndimage import gaussian_filter

from inference_core.networks import kspace
from inference_core.terms.conditions import METABOLITES, SUPER_RESOLVED_MATRIX

#: Standard deviation of the noise in a voxel of a map of n = 32, of the map's mean level in the brain.
NOISE = {"tCho": 0.06, "tCr": 0.04, "NAA": 0.04, "Gly": 0.15, "Gln": 0.11, "Glu": 0.07, "Ins": 0.09}
_NOISE_RESOLUTION = 32
#: Full width at half maximum of the truth's point spread, in voxels of the 64 x 64 map.
POINT_SPREAD = 1.2
_FWHM = 2 * (2 * np.log(2)) ** 0.5


@dataclass(frozen=True)
class ClinicMaps:
    """A person's maps.

    Attributes:
        t1, flair: the person's images.
        truth: noise-free, by metabolite, `(slice, 64, 64)`.
        noisy: as the whole k-space would give them.
        image: gives the maps their place in the patient.
        brain, tumour: bool `(slice, 64, 64)`.
        occult: spots that MRI does not show, by metabolite: 1 raised, -1 lowered, else 0.
    """

    t1: sitk.Image
    flair: sitk.Image
    truth: dict[str, np.ndarray]
    noisy: dict[str, np.ndarray]
    image: sitk.Image
    brain: np.ndarray
    tumour: np.ndarray
    occult: dict[str, np.ndarray]

    def measured(self, metabolite: str, n: int) -> sitk.Image:
        """A map of n x n voxels."""
        array = kspace.low_resolution(torch.from_numpy(self.noisy[metabolite]), (n, n)).numpy()
        image = sitk.GetImageFromArray(array.astype(np.float32))
        fineness = SUPER_RESOLVED_MATRIX / n
        image.SetSpacing((np.array(self.image.GetSpacing()) * [fineness, fineness, 1]).tolist())
        image.SetOrigin(self.image.GetOrigin())
        image.SetDirection(self.image.GetDirection())
        return image

    def deviation(self, metabolite: str, n: int) -> float:
        """Standard deviation of the noise in a voxel of a map of n x n."""
        level = float(self.truth[metabolite][self.brain].mean())
        return NOISE[metabolite] * level * n / _NOISE_RESOLUTION


def clinic_maps(patient: dict[str, sitk.Image], seed: int = 0, point_spread: float = POINT_SPREAD) -> ClinicMaps:
    """Maps of a person.

    Args:
        patient: "t1", "flair" and "tumour_segmentation" on one grid in LPS order, as `glioma_maps` takes them.
        seed: of the maps and their noise.
        point_spread: full width at half maximum in the plane, in voxels of the 64 x 64 map.
    """
    maps = simulate_maps(patient, seed)
    truth, noisy = {}, {}
    for index, metabolite in enumerate(METABOLITES):
        array = sitk.GetArrayFromImage(maps.truth[metabolite])
        sigma = point_spread / _FWHM
        truth[metabolite] = gaussian_filter(array, (0, sigma, sigma)) if point_spread else array
        level = float(truth[metabolite][maps.brain].mean())
        fineness = SUPER_RESOLVED_MATRIX / _NOISE_RESOLUTION
        noise = np.random.default_rng([seed, index]).standard_normal(array.shape) * NOISE[metabolite] * level * fineness
        noisy[metabolite] = truth[metabolite] + noise * (truth[metabolite] > 0.02 * level)
    image = maps.truth["NAA"]
    return ClinicMaps(patient["t1"], patient["flair"], truth, noisy, image, maps.brain, maps.tumour, maps.occult)


def glioma_patient(data: Path) -> dict[str, sitk.Image]:
    """TCGA-DU-7294."""
    folder = data / "tcga-DU-7294"
    return {name: sitk.ReadImage(str(folder / f"{name}.nii.gz")) for name in ("t1", "flair", "tumour_segmentation")}


def sclerosis_patient(folder: Path) -> dict[str, sitk.Image]:
    """A skull-stripped person with multiple sclerosis: `t1`, `flair` and `lesion` on one grid; lesions as oedema."""
    images = {}
    for name in ("t1", "flair"):
        image = sitk.ReadImage(str(folder / f"{name}.nii.gz"), sitk.sitkFloat32)
        images[name] = sitk.DICOMOrient(sitk.Threshold(image, 0.0, 1e9, 0.0), "LPS")
    lesion = sitk.DICOMOrient(sitk.ReadImage(str(folder / "lesion.nii.gz")), "LPS")
    return images | {"tumour_segmentation": sitk.Cast(lesion > 0, sitk.sitkUInt8) * 2}
