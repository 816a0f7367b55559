"""Which slices of a map have enough brain to be selected (paper, Sec. 3.1: 11 to 18 a scan)."""

from dataclasses import dataclass

import numpy as np

from inference_core.errors import InputError


@dataclass(frozen=True)
class SliceSelection:
    """What a slice needs.

    Attributes:
        share: accepted voxels, as a share of the fullest slice's, 0 to 1.
        voxels: accepted voxels.
    """

    share: float = 0.3
    voxels: int = 1

    def check(self) -> None:
        """Check that both are possible.

        Raises:
            InputError: if not.
        """
        if not 0 <= self.share <= 1:
            raise InputError(f"A share of {self.share:g} can't be: give 0 to 1 with --slice-share.")
        if self.voxels < 0:
            raise InputError(f"{self.voxels} voxels can't be: give a number from 0 with --slice-voxels.")


def select_slices(accepted: np.ndarray, selection: SliceSelection) -> np.ndarray:
    """Which slices are selected, bool `(slice,)`.

    Args:
        accepted: bool `(metabolite, slice, row, column)`, the voxels that the quality filter lets through; a voxel
            counts if one metabolite's does.
        selection: what a slice needs.

    Raises:
        InputError: if no slice has it.
    """
    counts = accepted.any(axis=0).sum(axis=(1, 2))
    fullest = int(counts.max())
    if fullest == 0:
        raise InputError("The quality filter rejects every voxel of the brain: loosen its thresholds.")
    selected = (counts >= selection.share * fullest) & (counts >= selection.voxels)
    if not selected.any():
        raise InputError(
            f"No slice has {selection.voxels} accepted voxels, the fullest has {fullest}: lower --slice-voxels."
        )
    return selected
