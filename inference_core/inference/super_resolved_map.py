"""One metabolite's map at one sharpness, slice by slice: each slice is computed once."""

from collections.abc import Callable, Sequence

import numpy as np

from inference_core.inference.super_resolver import PreparedInput, SuperResolver
from inference_core.inference.uncertainty.calibration import Calibration
from inference_core.inference.uncertainty.features import gather_features

#: Called after each batch of slices in each pass of the network, with the number done and of all; may raise to end it.
Check = Callable[[int, int], None]


class SuperResolvedMap:
    """See the module's docstring.

    Args:
        resolver: what super-resolves.
        prepared: from `SuperResolver.prepare`.
        metabolite: its paper name.
        sharpness: lambda, 0 to 0.1.

    Attributes:
        prepared, metabolite: as given.
    """

    def __init__(self, resolver: SuperResolver, prepared: PreparedInput, metabolite: str, sharpness: float):
        self.prepared, self.metabolite = prepared, metabolite
        self._resolver, self._sharpness = resolver, sharpness
        self._values: dict[int, np.ndarray] = {}
        self._widths: dict[int, np.ndarray] = {}

    def values(self, indices: Sequence[int], check: Check | None = None) -> np.ndarray:
        """Some slices, `(slice, 64, 64)` in the map's units, 0 outside the brain.

        Raises:
            InputError: as `SuperResolver.super_resolve`.
        """
        missing = [index for index in indices if index not in self._values]
        if missing:
            found = self._resolver.super_resolve(self.prepared, self.metabolite, self._sharpness, missing, check)
            self._values.update(zip(missing, found, strict=True))
        return np.stack([self._values[index] for index in indices])

    def widths(self, indices: Sequence[int], calibration: Calibration, check: Check | None = None) -> np.ndarray:
        """Half-widths of the 68 % intervals around some slices' values, like `values`.

        Takes nine passes of the network, the first of which gives the values, too.

        Args:
            indices: of the slices.
            calibration: of the resolver's weights.
            check: see `Check`.

        Raises:
            InputError: as `SuperResolver.super_resolve`.
        """
        missing = [index for index in indices if index not in self._widths]
        if missing:
            values, features = gather_features(
                self._resolver, self.prepared, self.metabolite, self._sharpness, missing, check
            )
            widths = calibration.uncertainty(features, self.metabolite, self.prepared.n, self._sharpness)
            for index, *found in zip(missing, values, widths, strict=True):
                # What was shown stays: a GPU's batches of another size may round otherwise.
                self._values.setdefault(index, found[0])
                self._widths[index] = found[1]
        return np.stack([self._widths[index] for index in indices])

    def computed(self) -> np.ndarray:
        """The slices computed so far, `(slice, 64, 64)`, in order."""
        return np.stack([self._values[index] for index in sorted(self._values)])
