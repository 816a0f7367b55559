"""A map's noise: from its Cramér-Rao bounds, from a repeated measurement, or from the map itself.

Noise is given as maps of nothing but noise, so that whatever is done to a map can be done to it: noise differs from
voxel to voxel, and a mask or a part of k-space takes a share of it that no formula needs to know.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from inference_core.errors import InputError
from inference_core.imaging.geometry import padded_array
from inference_core.imaging.reading import read_image
from inference_core.inference.held_back import in_image
from inference_core.inference.prepared_input import PreparedInput
from inference_core.inference.rings import COLUMNS, ROWS
from inference_core.networks import kspace
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

#: Maps of noise that are drawn.
_DRAWS = 8
#: A Cramér-Rao bound above this, in percent, stands for a failed fit, whose value says nothing.
_LARGEST_BOUND = 100.0

_MATRIX = (SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX)


@dataclass(frozen=True)
class MapNoise:
    """What a map's noise may look like.

    Attributes:
        source: what it was estimated from.
        certainty: "at least", "about" or "at most": how the real noise compares with it.
        draws: maps of noise, `(draw, slice, row, column)`, in the map's units on its padded matrix.
    """

    source: str
    certainty: str
    draws: np.ndarray

    def images(self, slices: list[int], region: np.ndarray) -> np.ndarray:
        """Some slices' noise on the super-resolved grid, with a region of its k-space only.

        Args:
            slices: their indices.
            region: `(64, 64)` bool.

        Returns:
            `(draw, slice, 64, 64)`.
        """
        return np.stack([in_image(_on_grid(draw[slices]), region) for draw in self.draws])


def noise_from_bounds(prepared: PreparedInput, bounds: sitk.Image) -> MapNoise:
    """A map's noise by the fit's Cramér-Rao bounds, which real noise is no smaller than.

    Args:
        prepared: the map.
        bounds: of each voxel, in percent of its value, on the map's grid.

    Raises:
        InputError: if they are on another grid.
    """
    grid = prepared.grid
    rows, columns = grid.original_size
    if bounds.GetSize() != (columns, rows, grid.slices):
        sizes = " x ".join(map(str, bounds.GetSize())), f"{columns} x {rows} x {grid.slices}"
        raise InputError(
            f"The Cramér-Rao bounds have {sizes[0]} voxels, the map was measured on {sizes[1]}: give them on its grid."
        )
    percent = padded_array(bounds, grid)
    known = np.isfinite(percent) & (percent > 0) & (percent <= _LARGEST_BOUND)
    deviation = prepared.low_resolution * np.where(known, percent, 0) / 100
    return MapNoise("its Cramér-Rao bounds", "at least", _drawn(deviation))


def noise_beside(prepared: PreparedInput, path: Path) -> MapNoise | None:
    """A map's noise by the Cramér-Rao bounds that a prepared folder holds beside its file.

    Args:
        prepared: the map.
        path: its file, "sub-01_desc-filtered_NAA.nii.gz" beside "sub-01_desc-crlb_NAA.nii.gz".

    Returns:
        None where there are none, or they can't be read, or are on another grid than the map was measured on; noise is
        then estimated from the map, and `source` says how.
    """
    bounds = path.with_name(re.sub(r"_desc-(?:acquired|filtered)_", "_desc-crlb_", path.name))
    if bounds == path or not bounds.is_file():
        return None
    try:
        return noise_from_bounds(prepared, read_image(bounds, "map of bounds"))
    except InputError:
        return None


def noise_from_repetition(prepared: PreparedInput, repeated: PreparedInput) -> MapNoise:
    """A map's noise by how a repetition of it differs.

    Args:
        prepared: the map.
        repeated: the same metabolite of the same patient, measured again in the same place.

    Raises:
        InputError: if it is on another grid.
    """
    if not prepared.grid.matches(repeated.grid):
        raise InputError("The map and its repetition are not on one grid: give maps of one examination.")
    difference = (prepared.low_resolution - repeated.low_resolution) / np.sqrt(2)
    return MapNoise("its repetition", "about", difference[None])


def noise_from_map(prepared: PreparedInput, slices: list[int], explaining: np.ndarray) -> MapNoise:
    """A map's noise by what its k-space holds in its corners, beyond the highest frequency along either axis.

    What of it is in proportion to something that explains it is left out. Other detail that lies there counts as
    noise, so that the real noise is smaller, if no filter took it from the corners.

    Args:
        prepared: the map.
        slices: those that tell it.
        explaining: what may explain the detail there, such as the network's proposal, `(slice, 64, 64)`.
    """
    grid = prepared.grid
    halves = (grid.rows - 1) // 2, (grid.columns - 1) // 2
    inside = (np.abs(ROWS) <= halves[0]) & (np.abs(COLUMNS) <= halves[1])
    corners = inside & ((ROWS / (grid.rows / 2)) ** 2 + (COLUMNS / (grid.columns / 2)) ** 2 > 1)
    unit = MapNoise("", "", _drawn(np.ones_like(prepared.low_resolution)))
    brain = prepared.brain[slices]
    expected = (np.square(unit.images(slices, corners)) * brain).sum() / len(unit.draws)
    found, other = (
        in_image(images, corners) * brain for images in (_on_grid(prepared.low_resolution[slices]), explaining)
    )
    share = max(float((found * other).sum()), 0.0) / max(float(np.square(other).sum()), 1e-30)
    variance = float(np.square(found - share * other).sum()) / max(float(expected), 1e-30)
    return MapNoise("what the corners of its k-space hold", "at most", unit.draws * np.sqrt(variance))


def _drawn(deviation: np.ndarray) -> np.ndarray:
    """Independent noise of a standard deviation `(slice, row, column)`, `(draw, slice, row, column)`."""
    return np.random.default_rng(0).standard_normal((_DRAWS, *deviation.shape)) * deviation


def _on_grid(low_resolution: np.ndarray) -> np.ndarray:
    """Real maps on the super-resolved grid, zero-filled but not made magnitudes."""
    measured = kspace.measured_kspace(torch.from_numpy(low_resolution.astype(np.float64)), _MATRIX)
    return kspace.to_image(kspace.pad(measured, _MATRIX)).real.numpy()
