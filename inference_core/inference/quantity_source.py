"""A metabolite or ratio of a patient at one sharpness: some slices at a time, or as a whole.

The panel asks for slices, so that the one that is looked at comes first; the command line asks for all. Both get the
same numbers: what a slice of a ratio holds does not depend on which slices are asked for, or in which order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference_core.errors import InputError
from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.inference.data_share import measured_energy, network_part
from inference_core.inference.super_resolved_map import Check, SuperResolvedMap
from inference_core.inference.super_resolver import PreparedInput
from inference_core.inference.uncertainty.calibration import Calibration
from inference_core.terms.quantity import Quantity
from inference_core.terms.ratios import RatioMap, least_denominator, no_meaningful_values, ratio_map, reference_level


@dataclass(frozen=True)
class Slices:
    """Some slices, `(slice, 64, 64)`: their values, and what of these the network added (None for a ratio)."""

    values: np.ndarray
    added: np.ndarray | None


@dataclass(frozen=True)
class QuantityResult:
    """All slices of a metabolite or ratio of a patient at one sharpness.

    Attributes:
        quantity: which.
        sharpness: lambda.
        values: `(slice, 64, 64)` float32; a metabolite's in its map's units. 0 where masked.
        uncertainty: half-width of the 68 % interval around `values`, or None where it was not asked for.
        mask: where the values mean something, `(slice, 64, 64)` bool: in the brain, and of a ratio where its
            denominator is above zero by more than its uncertainty.
        measured: the low-resolution map, or the ratio of those, `(slice, row, column)`, in the units of `values`.
        measured_mask: where that means something, bool.
        reference_level: what a ratio was divided by to be in multiples of its median in normal tissue; else None.
        prepared: what it was made from; of a ratio, the first metabolite's.
    """

    quantity: Quantity
    sharpness: float
    values: np.ndarray
    uncertainty: np.ndarray | None
    mask: np.ndarray
    measured: np.ndarray
    measured_mask: np.ndarray
    reference_level: float | None
    prepared: PreparedInput

    @property
    def grid(self) -> SuperResolvedGrid:
        """Where it lies in the patient."""
        return self.prepared.grid


class QuantitySource:
    """See the module's docstring.

    The uncertainty of a denominator says where it may be zero. Until that is known, and where there is no
    calibration, a denominator counts as zero below a tenth of its median in the *measured* maps' brain.

    What a ratio is compared with, its median in normal tissue, is taken before the uncertainty masks it. In the panel
    the uncertainty comes seconds after the values: if the level followed it, all that is shown would change once more.
    And a level that the mask decides on would differ between weights with a calibration and without.

    Args:
        quantity: a metabolite, or a ratio of some.
        maps: the maps that it needs, by metabolite.
        sharpness: lambda, that of the maps.
        tissue: where the normal tissue is that a ratio is compared with, `(slice, 64, 64)` bool; None for the whole
            brain.

    Attributes:
        first: what the first of the maps was made from.
        grid: where all of them lie.

    Raises:
        InputError: for maps that are not on one grid.
    """

    def __init__(
        self,
        quantity: Quantity,
        maps: Mapping[str, SuperResolvedMap],
        sharpness: float,
        tissue: np.ndarray | None = None,
    ):
        check_one_grid({name: own.prepared for name, own in maps.items()})
        self._quantity, self._maps, self._sharpness = quantity, maps, sharpness
        self.first = next(iter(maps.values())).prepared
        self.grid = self.first.grid
        self._brain = np.logical_and.reduce([own.prepared.brain for own in maps.values()])
        self._tissue = self._brain if tissue is None else self._brain & tissue
        self._meaningful = quantity.ratio is None
        self._level: float | None = None
        self._measured = {name: own.prepared.low_resolution for name, own in maps.items()}
        self._measured_brain = np.logical_and.reduce([values > 0 for values in self._measured.values()])
        if quantity.ratio:
            # Of the measured maps, so that it does not depend on which slices are asked for first.
            self._least = least_denominator(quantity.ratio, self._measured, self._measured_brain)

    def slices(self, indices: Sequence[int], check: Check | None = None) -> Slices:
        """Some slices, without their uncertainty.

        Raises:
            InputError: as `SuperResolver.super_resolve`, or for a reference that holds no value of the ratio.
        """
        indices = list(indices)
        if self._quantity.ratio:
            found = self._as_referred(self._unmasked_ratio(indices, check), check)
            return Slices(found.values, None)
        (own,) = self._maps.values()
        values = own.values(indices, check)
        return Slices(values, network_part(values, self.first, indices))

    def slices_with_uncertainty(
        self, indices: Sequence[int], calibration: Calibration, check: Check | None = None
    ) -> RatioMap:
        """Some slices' values, half-widths of the 68 % intervals around them, and where they mean something.

        Args:
            indices: of the slices.
            calibration: of the resolver's weights.
            check: see `Check`.

        Raises:
            InputError: as `slices`.
        """
        indices = list(indices)
        widths = {name: own.widths(indices, calibration, check) for name, own in self._maps.items()}
        values = {name: own.values(indices) for name, own in self._maps.items()}
        if self._quantity.ratio is None:
            (name,) = values
            return RatioMap(values[name], widths[name], self._brain[indices])
        found = ratio_map(self._quantity.ratio, values, self._brain[indices], uncertainties=widths)
        return self._as_referred(found, check)

    def whole(self, calibration: Calibration | None = None, check: Check | None = None) -> QuantityResult:
        """All slices.

        Args:
            calibration: of the resolver's weights, to have the uncertainty, which takes nine passes of the network
                instead of one; or None.
            check: see `Check`.

        Raises:
            InputError: as `slices`, and for a ratio that means nothing anywhere.
        """
        indices = range(self.grid.slices)
        if calibration is not None:
            found = self.slices_with_uncertainty(indices, calibration, check)
        elif self._quantity.ratio:
            found = self._as_referred(self._unmasked_ratio(indices, check), check)
        else:
            found = RatioMap(self.slices(indices, check).values, None, self._brain)
        self.check_meaning()
        measured, measured_mask = self._as_measured()
        return QuantityResult(
            quantity=self._quantity,
            sharpness=self._sharpness,
            values=found.values,
            uncertainty=found.uncertainty,
            mask=found.mask,
            measured=measured,
            measured_mask=measured_mask,
            reference_level=self._level,
            prepared=self.first,
        )

    def check_meaning(self) -> None:
        """To be called after all slices.

        Raises:
            InputError: if they were of a ratio that means nothing anywhere.
        """
        if not self._meaningful:
            raise InputError(no_meaningful_values(self._quantity.ratio))

    def measured_energy(self) -> float | None:
        """The share of all slices' energy that lies in the measured k-space, 0 to 1; None for a ratio."""
        if self._quantity.ratio:
            return None
        (own,) = self._maps.values()
        return measured_energy(own.computed(), (self.grid.rows, self.grid.columns))

    def _unmasked_ratio(self, indices: Sequence[int], check: Check | None) -> RatioMap:
        """A ratio as it is, in what its uncertainty has not masked yet."""
        values = {name: own.values(indices, check) for name, own in self._maps.items()}
        return ratio_map(self._quantity.ratio, values, self._brain[list(indices)], self._least)

    def _as_referred(self, found: RatioMap, check: Check | None) -> RatioMap:
        """A ratio in multiples of its level in normal tissue, if that is wanted."""
        self._meaningful |= bool(found.mask.any())
        if self._quantity.reference is None:
            return found
        return found.in_multiples_of(self._reference_level(check))

    def _reference_level(self, check: Check | None) -> float:
        if self._level is None:
            # If it is in none, one slice is enough to find that out.
            indices = np.flatnonzero(self._tissue.any(axis=(1, 2))).tolist() or [0]
            self._level = reference_level(self._unmasked_ratio(indices, check), self._tissue[indices])
        return self._level

    def _as_measured(self) -> tuple[np.ndarray, np.ndarray]:
        if self._quantity.ratio is None:
            (values,) = self._measured.values()
            return values, values > 0
        found = ratio_map(self._quantity.ratio, self._measured, self._measured_brain, self._least)
        found = found.in_multiples_of(self._level or 1.0)
        return found.values, found.mask


def check_one_grid(prepared: Mapping[str, PreparedInput]) -> None:
    """Check that maps lie on one grid.

    Args:
        prepared: by metabolite.

    Raises:
        InputError: if they do not.
    """
    (first, own), *others = prepared.items()
    for name, other in others:
        if not own.grid.matches(other.grid):
            raise InputError(
                f"The maps of {first} and {name} are not on one grid: give maps of one examination, in the same matrix "
                "and place."
            )
