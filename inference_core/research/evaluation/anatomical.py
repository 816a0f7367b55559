"""A classical anatomy-guided method: the smoothest map that fits the measurement, with edges where MRI has them.

Anatomically constrained reconstruction (Haldar et al. 2008, Magn Reson Med 59:810): a quadratic penalty on differences
between neighbours, weakened where T1 or FLAIR differ, with the measured k-space as the data. It is of the kind that the
paper cites as model-based regularisation, needs no training, and is what a network must beat to be worth it.
"""

import torch
from torch import Tensor

from inference_core.networks import kspace
from inference_core.research.data.batches import Batch
from inference_core.terms.conditions import MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

#: Offsets to half of a voxel's neighbours within 5 x 5; the others are theirs. Those within 3 x 3 gained 0.3 dB less.
_NEIGHBOURS = tuple((row, column) for row in range(3) for column in range(-2, 3) if (row, column) > (0, 0))
#: Difference of intensity, in standard deviations in the brain, that makes an edge; weight of the penalty; and of pairs
#: across an edge. These gained the most on simulated patients 1000000 to 1000007, at n = 16, 24 and 32. Nothing was
#: gained by a penalty that follows the metabolite's noise, by Bowsher's choice of the most similar neighbours, or by
#: solving on the MRI's grid.
_EDGE, _PENALTY, _ACROSS = 0.45, 0.3, 0.01
#: Weight of values outside the brain, where there is nothing. Much more would force voxels at the brain's rim down.
_OUTSIDE = 0.2
#: Leaves errors below 0.1 % of the map's range; twice as many change no figure.
_STEPS = 40
_MATRIX = (SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX)


def _on_maps_grid(mri: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of an MRI in each map voxel, in units of its standard deviation in the brain, and the share of brain.

    Both `(batch, 64, 64)`.
    """
    blocks = mri[:, 0].unflatten(2, (SUPER_RESOLVED_MATRIX, MRI_UPSAMPLING))
    blocks = blocks.unflatten(1, (SUPER_RESOLVED_MATRIX, MRI_UPSAMPLING))
    mean, inside = blocks.mean(dim=(2, 4, 5)), (blocks > 0).to(blocks.dtype).mean(dim=(2, 4, 5))
    brain = inside > 0.5
    count = brain.sum(dim=(1, 2)).clamp_min(1)
    centre = (mean * brain).sum(dim=(1, 2)) / count
    deviation = ((((mean - centre[:, None, None]) * brain) ** 2).sum(dim=(1, 2)) / count).sqrt().clamp_min(1e-6)
    return mean / deviation[:, None, None], inside


def _shifted(values: Tensor, offset: tuple[int, int]) -> Tensor:
    return torch.roll(values, (-offset[0], -offset[1]), dims=(-2, -1))


def _weights(batch: Batch) -> tuple[list[Tensor], Tensor]:
    """Weight of each pair of neighbours, 0 across the image's border, and the share of brain."""
    (t1, inside), (flair, inside_flair) = _on_maps_grid(batch.t1), _on_maps_grid(batch.flair)
    share = torch.maximum(inside, inside_flair)
    border = torch.ones(_MATRIX, dtype=t1.dtype, device=t1.device)
    weights = []
    for offset in _NEIGHBOURS:
        difference = sum((image - _shifted(image, offset)) ** 2 for image in (t1, flair))
        weight = _ACROSS + (1 - _ACROSS) * torch.exp(-difference / (2 * _EDGE**2))
        within = border.clone()
        # Rolled around from the other side.
        if offset[0]:
            within[-offset[0] :] = 0
        if offset[1] > 0:
            within[:, -offset[1] :] = 0
        elif offset[1]:
            within[:, : -offset[1]] = 0
        weights.append(weight * within / (offset[0] ** 2 + offset[1] ** 2))
    return weights, share


def anatomical_regularisation(batch: Batch) -> Tensor:
    """Super-resolved maps, `(batch, 1, 64, 64)`, by conjugate gradients.

    Minimises `|F x - y|^2 + a sum w (x_i - x_j)^2 + b sum (1 - brain) x^2` over real x, where F takes the measured
    central coefficients of x and y are those of the low-resolution map.
    """
    weights, share = _weights(batch)
    measured = kspace.measured_kspace(batch.low_resolution[:, 0], _MATRIX)
    shape = tuple(measured.shape[-2:])
    outside = _OUTSIDE * (1 - share)

    def normal(x: Tensor) -> Tensor:
        fitted = kspace.to_image(kspace.pad(kspace.truncate(kspace.to_kspace(x), shape), _MATRIX)).real
        result = fitted + outside * x
        for offset, weight in zip(_NEIGHBOURS, weights, strict=True):
            flow = _PENALTY * weight * (x - _shifted(x, offset))
            result = result + flow - _shifted(flow, (-offset[0], -offset[1]))
        return result

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(dim=(1, 2), keepdim=True)

    x = batch.zero_filled()[:, 0] * (share > 0)
    residual = kspace.to_image(kspace.pad(measured, _MATRIX)).real - normal(x)
    direction, energy = residual, dot(residual, residual)
    for _ in range(_STEPS):
        image = normal(direction)
        step = energy / dot(direction, image).clamp_min(1e-30)
        x, residual = x + step * direction, residual - step * image
        following = dot(residual, residual)
        direction = residual + following / energy.clamp_min(1e-30) * direction
        energy = following
    return x.clamp_min(0)[:, None]
