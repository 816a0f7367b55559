"""A patient's prepared maps as a source of slices: of a metabolite, or of a ratio of several."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from inference_core.errors import InputError
from inference_core.terms.quantity import Quantity
from inference_core.terms.ratios import RatioMap, least_denominator, means_nothing, normalised, ratio_in_part


@dataclass(frozen=True)
class Slices:
    """Some slices, `(slice, 64, 64)`: their values, and what of these the network added (None for a ratio)."""

    values: np.ndarray
    added: np.ndarray | None


class Source:
    """Gives slices of one quantity at one sharpness.

    Args:
        resolver: a `SuperResolver`.
        quantity: a metabolite, or a ratio of some.
        prepared: `PreparedInput`s by metabolite, those that the quantity has.
        sharpness: lambda.
        tissue: where what the ratio is compared with is in the maps, bool; None for the whole brain.

    Raises:
        InputError: for maps that are not on one grid.
    """

    def __init__(
        self,
        resolver,
        quantity: Quantity,
        prepared: Mapping[str, object],
        sharpness: float,
        tissue: np.ndarray | None = None,
    ):
        self._resolver, self._quantity, self._prepared, self._sharpness = resolver, quantity, prepared, sharpness
        self.first = next(iter(prepared.values()))
        self.grid = self.first.grid
        for name, own in prepared.items():
            if not own.grid.matches(self.grid):
                raise InputError(
                    f"The maps of {next(iter(prepared))} and {name} are not on one grid: a ratio needs maps of one "
                    "examination, in the same matrix and place."
                )
        self._brain = np.logical_and.reduce([own.brain for own in prepared.values()])
        self._tissue = self._brain if tissue is None else self._brain & tissue
        self._meaning = quantity.ratio is None
        self._seen: dict[int, np.ndarray] = {}
        self._level: float | None = None
        self._ratios: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        if quantity.ratio:
            measured = {name: own.low_resolution for name, own in prepared.items()}
            filled = np.logical_and.reduce([values > 0 for values in measured.values()])
            # Of the measured maps, so that it does not depend on which slices are asked for first.
            self._least = least_denominator(quantity.ratio, measured, filled)

    def slices(self, indices: Iterable[int]) -> Slices:
        """Super-resolved.

        Raises:
            InputError: as `SuperResolver.super_resolve`.
        """
        from inference_core.inference.data_share import network_part

        indices = list(indices)
        if self._quantity.ratio:
            ratio = self._ratio(indices)
            self._meaning |= bool(ratio.mask.any())
            return Slices(ratio.values / np.float32(self._reference_level()), None)
        (name,) = self._prepared
        values = self._resolver.super_resolve(self.first, name, self._sharpness, slices=indices)
        self._seen.update(zip(indices, values, strict=True))
        return Slices(values, network_part(values, self.first, indices))

    def certainty(
        self, calibration, indices: list[int], check: Callable[[int, int], None]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values, those of a ratio without voxels whose denominator may be zero, and half-widths of 68 % intervals.

        Args:
            calibration: of the resolver's weights.
            indices: of the slices.
            check: called between passes; may raise to end it.
        """
        from inference_core.inference.uncertainty.features import gather_evidence

        values, widths = {}, {}
        for name, own in self._prepared.items():
            values[name], evidence = gather_evidence(self._resolver, own, name, self._sharpness, indices, check)
            widths[name] = calibration.uncertainty(evidence, name, own.n, self._sharpness)
        if self._quantity.ratio is None:
            (name,) = values
            return values[name], widths[name]
        found = ratio_in_part(self._quantity.ratio, values, self._brain[indices], 0.0, widths)
        self._meaning |= bool(found.mask.any())
        level = np.float32(self._reference_level())
        return found.values / level, found.uncertainty / level

    def _ratio(self, indices: list[int]) -> RatioMap:
        # What the reference's level took is shown later, too.
        missing = [index for index in indices if index not in self._ratios]
        if missing:
            maps = {
                name: self._resolver.super_resolve(own, name, self._sharpness, slices=missing)
                for name, own in self._prepared.items()
            }
            found = ratio_in_part(self._quantity.ratio, maps, self._brain[missing], self._least)
            self._ratios.update(zip(missing, zip(found.values, found.mask, strict=True), strict=True))
        values, mask = (np.stack(parts) for parts in zip(*(self._ratios[index] for index in indices), strict=True))
        return RatioMap(values, None, mask)

    def _reference_level(self) -> float:
        """What a relative ratio is divided by; 1 for others.

        It is that of the ratio as it is before its uncertainty is known, lest what is shown changes with that.
        """
        if self._level is None:
            if self._quantity.reference:
                # If it is in none, one slice is enough to find that out.
                indices = np.flatnonzero(self._tissue.any(axis=(1, 2))).tolist() or [0]
                self._level = normalised(self._ratio(indices), self._tissue[indices])[1]
            else:
                self._level = 1.0
        return self._level

    def check_meaning(self) -> None:
        """To be called after all slices.

        Raises:
            InputError: if they were of a ratio that means nothing anywhere.
        """
        if not self._meaning:
            raise InputError(means_nothing(self._quantity.ratio))

    def measured_energy(self) -> float | None:
        """The share of all slices' energy that lies in the measured k-space, 0 to 1; None for a ratio."""
        from inference_core.inference.data_share import measured_energy

        if not self._seen:
            return None
        return measured_energy(np.stack(list(self._seen.values())), (self.grid.rows, self.grid.columns))
