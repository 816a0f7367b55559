"""What of a super-resolved map came from the measurement, and what from the network."""

import numpy as np
import torch

from inference_core.inference.super_resolver import PreparedInput
from inference_core.networks import kspace


def network_part(values: np.ndarray, prepared: PreparedInput, slices: list[int] | None = None) -> np.ndarray:
    """What a result has that the zero-filled map has not, in the map's units.

    Args:
        values: super-resolved, `(slice, 64, 64)`.
        prepared: what they were made from.
        slices: their indices; None for all.

    Returns:
        `(slice, 64, 64)`, 0 outside the brain; negative where the network took away.
    """
    chosen = list(range(prepared.grid.slices)) if slices is None else slices
    low_resolution = torch.from_numpy(prepared.low_resolution[chosen])
    filled = kspace.zero_filled(low_resolution, tuple(values.shape[1:])).numpy()
    return (values - filled) * prepared.brain[chosen]


def measured_energy(values: np.ndarray, matrix: tuple[int, int]) -> float:
    """The share of a map's energy that lies inside the measured k-space, 0 to 1.

    The zero frequency, nearly all of any map's energy, is left out: it says nothing about detail.

    Args:
        values: super-resolved, `(..., row, column)`.
        matrix: rows and columns of the low-resolution map.

    Returns:
        NaN for maps without any detail.
    """
    spectrum = kspace.to_kspace(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64)))
    energy = spectrum.abs().square()
    energy[..., energy.shape[-2] // 2, energy.shape[-1] // 2] = 0
    total = float(energy.sum())
    return float(kspace.truncate(energy, matrix).sum()) / total if total else float("nan")
