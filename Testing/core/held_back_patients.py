"""Prepared patients whose detail is known, and a resolver whose proposals are."""

import numpy as np
import SimpleITK as sitk
import torch

from inference_core.imaging.geometry import super_resolved_grid
from inference_core.inference.prepared_input import PreparedInput
from inference_core.networks import kspace
from inference_core.networks.scaling import slice_scale


def fine_images(slices=4, seed=0):
    """Positive images of `(slice, 64, 64)` with detail of all frequencies, and their brain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.meshgrid(np.arange(64) - 32, np.arange(64) - 32, indexing="ij")
    brain = np.broadcast_to((rows / 24) ** 2 + (columns / 20) ** 2 < 1, (slices, 64, 64))
    spectrum = kspace.to_kspace(torch.from_numpy(rng.standard_normal((slices, 64, 64))))
    pink = kspace.to_image(spectrum / (1 + torch.from_numpy(np.hypot(rows, columns)) / 6)).real.numpy()
    return 10 + pink / pink.std(), brain


def prepared_of(images, brain, n):
    """The patient whose map of n x n voxels the images give."""
    low_resolution = kspace.low_resolution(torch.from_numpy(images), (n, n)).to(torch.float32)
    grid = super_resolved_grid(sitk.Image(n, n, len(images), sitk.sitkFloat32))
    mri = np.ones((len(images), 192, 192, 3), np.float32)
    scales = slice_scale(low_resolution).flatten().numpy()
    return PreparedInput(low_resolution.numpy(), mri, mri, brain, scales, n, grid)


class KnownProposals:
    """Stands in for a resolver: proposes the images it was given."""

    proposes = True

    def __init__(self, images, detail="network"):
        self.images, self.detail = images, detail

    def apart(self):
        return self

    def propose(self, prepared, metabolite, sharpness=0.0, slices=None, progress=None):
        return self.images[slices]
