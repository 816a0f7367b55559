"""A patient's images on the network's grids."""

from dataclasses import dataclass

import numpy as np

from inference_core.imaging.geometry import SuperResolvedGrid


@dataclass(frozen=True)
class PreparedInput:
    """A patient's images on the network's grids, and what undoes the way there.

    Attributes:
        low_resolution: the padded map without failed fits, `(slice, row, column)` float32 in the input's units.
        t1: `(slice, 192, 192, 3)` float32, 0 to 1.
        flair: like `t1`.
        brain: where the result may hold values, `(slice, 64, 64)` bool.
        scales: what each slice is divided by for the network, `(slice,)` float32 in the input's units.
        n: input resolution that the network is given.
        grid: where the result lies in the patient.
        interpolation: how the map was interpolated before it was loaded, as `MeasuredSupport` names it, or None. The
            other attributes are those of the map as it was measured.
    """

    low_resolution: np.ndarray
    t1: np.ndarray
    flair: np.ndarray
    brain: np.ndarray
    scales: np.ndarray
    n: int
    grid: SuperResolvedGrid
    interpolation: str | None = None
