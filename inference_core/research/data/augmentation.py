"""Random changes to training examples, as tensor code without anything that waits for the device."""

import math

import torch
from torch import Tensor

from inference_core.research.data.random_words import RandomWords
from inference_core.terms.conditions import MRI_MATRIX, MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

#: Words that `augment` takes.
WORDS = 7
#: Largest shift, in map voxels.
_LARGEST_SHIFT = 3
#: Range of the exponent that the MRI's intensities, 0 to 1, are raised to; drawn evenly on a logarithmic scale. Wide,
#: because how intensity goes with tissue where tissues share a voxel differs between sequences more than simulated.
_GAMMA = (0.5, 2.2)
#: For each number of quarter turns: what source row and source column are made of, in rows, columns and the last index.
_TURNS = (((1, 0, 0), (0, 1, 0)), ((0, 1, 0), (-1, 0, 1)), ((-1, 0, 1), (0, -1, 1)), ((0, -1, 1), (1, 0, 0)))


class Augmentation:
    """One random rotation by 90 degrees, flip and shift for all of an example, flip of the slabs' depth, and contrast
    of each MRI.

    Args:
        device: of all tensors.
    """

    def __init__(self, device: torch.device | str = "cpu"):
        self._turns = torch.tensor(_TURNS, device=device).flatten(1)
        self._places = {
            matrix: torch.cartesian_prod(*2 * [torch.arange(matrix, device=device)]).unbind(1)
            for matrix in (SUPER_RESOLVED_MATRIX, MRI_MATRIX)
        }
        self._depths = torch.arange(MRI_UPSAMPLING, device=device)

    def __call__(self, random: RandomWords, maps: Tensor, mri: Tensor) -> tuple[Tensor, Tensor]:
        """Examples, changed.

        Args:
            random: decides; `WORDS` are taken.
            maps: `(example, map, 64, 64)`.
            mri: `(example, MRI, 192, 192, 3)`, 0 to 1, two MRI.

        Returns:
            The same shapes, float32.
        """
        turn = self._turns.index_select(0, random.below(4))
        flip, flip_depth = (random.uniform(1) < 0.5 for _ in range(2))
        shifts = [random.below(2 * _LARGEST_SHIFT + 1)[:, None] - _LARGEST_SHIFT for _ in range(2)]
        low, high = (math.log(bound) for bound in _GAMMA)
        exponents = torch.exp(low + (high - low) * random.uniform(mri.shape[1]))

        place, inside = self._sources(SUPER_RESOLVED_MATRIX, turn, flip, shifts, 1)
        maps = _take(maps.float().flatten(2), place, inside).view_as(maps)
        place, inside = self._sources(MRI_MATRIX, turn, flip, shifts, MRI_UPSAMPLING)
        depth = torch.where(flip_depth, MRI_UPSAMPLING - 1 - self._depths, self._depths)
        place = (place[..., None] * MRI_UPSAMPLING + depth[:, None]).flatten(1)
        inside = inside[..., None].expand(-1, -1, MRI_UPSAMPLING).flatten(1)
        moved = _take(mri.flatten(2), place, inside).float()
        return maps, (moved ** exponents[..., None]).view(mri.shape)

    def _sources(
        self, matrix: int, turn: Tensor, flip: Tensor, shifts: list[Tensor], factor: int
    ) -> tuple[Tensor, Tensor]:
        """Which voxel comes to each place, `(example, place)`, and whether there is one."""
        rows, columns = (places - shift * factor for places, shift in zip(self._places[matrix], shifts, strict=True))
        inside = (rows >= 0) & (rows < matrix) & (columns >= 0) & (columns < matrix)
        rows = torch.where(flip, matrix - 1 - rows, rows)
        parts = turn[:, :, None].unbind(1)
        row, column = (own[0] * rows + own[1] * columns + own[2] * (matrix - 1) for own in (parts[:3], parts[3:]))
        return (row * matrix + column).masked_fill(~inside, 0), inside


def _take(images: Tensor, place: Tensor, inside: Tensor) -> Tensor:
    """Voxels of `(example, image, voxel)` at `place` `(example, voxel)`, 0 where nothing is `inside`."""
    return images.gather(2, place[:, None].expand(-1, images.shape[1], -1)) * inside[:, None]
