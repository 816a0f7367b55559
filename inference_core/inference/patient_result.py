"""All of a patient's metabolites, super-resolved on one grid, with how sure each is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.inference.super_resolver import PreparedInput, SuperResolver
from inference_core.inference.uncertainty.calibration import Calibration
from inference_core.inference.uncertainty.estimate import super_resolve_with_uncertainty
from inference_core.terms.conditions import check_sharpness, resolve_metabolite


@dataclass(frozen=True)
class MetaboliteResult:
    """One metabolite's maps.

    Attributes:
        prepared: the low-resolution map, without failed fits, and what goes with it.
        values: super-resolved, `(slice, 64, 64)`, in the map's units.
        uncertainty: half-width of the 68 % interval around `values`, or None where the weights have no calibration.
    """

    prepared: PreparedInput
    values: np.ndarray
    uncertainty: np.ndarray | None


@dataclass(frozen=True)
class PatientResult:
    """A patient's metabolites on one grid.

    Attributes:
        metabolites: by paper name, in the order given.
        sharpness: lambda of all of them.
        brain: where every one of them may hold values, `(slice, 64, 64)` bool.
        grid: where the maps lie in the patient.
    """

    metabolites: Mapping[str, MetaboliteResult]
    sharpness: float
    brain: np.ndarray
    grid: SuperResolvedGrid

    @property
    def values(self) -> dict[str, np.ndarray]:
        """The super-resolved maps by metabolite."""
        return {name: result.values for name, result in self.metabolites.items()}

    @property
    def uncertainties(self) -> dict[str, np.ndarray] | None:
        """Those of the maps, or None where the weights have no calibration."""
        found = {name: result.uncertainty for name, result in self.metabolites.items()}
        return None if any(width is None for width in found.values()) else found


def super_resolve_patient(
    resolver: SuperResolver,
    maps: Mapping[str, sitk.Image],
    t1: sitk.Image,
    flair: sitk.Image,
    sharpness: float = 0.0,
    calibration: Calibration | None = None,
    progress: Callable[[int, int], None] | None = None,
    between_slices: Callable[[], None] | None = None,
) -> PatientResult:
    """Super-resolve all of a patient's metabolites.

    Args:
        resolver: what super-resolves.
        maps: low-resolution maps by metabolite or alias, all on one grid.
        t1, flair: the patient's, as `SuperResolver.prepare` takes them.
        sharpness: lambda, 0 to 0.1.
        calibration: of the resolver's weights; without it there is no uncertainty. With it, each slice takes eight
            passes of the network instead of one.
        progress: called after each metabolite with the number done and of all; may raise to end it.
        between_slices: called after each batch of slices in each pass; may raise to end it.

    Raises:
        InputError: for maps that are not on one grid or name a metabolite twice, and as `SuperResolver.prepare`.
    """
    sharpness = check_sharpness(sharpness)
    named = _named(maps)
    found: dict[str, MetaboliteResult] = {}
    for done, (name, image) in enumerate(named.items(), 1):
        first = next(iter(found.items()), None)
        prepared = resolver.prepare(image, t1, flair, like=first and first[1].prepared)
        if first:
            _check_grid(*first, name, prepared)
        maps_of = super_resolve_with_uncertainty(
            resolver, prepared, name, sharpness, calibration, lambda *_: between_slices and between_slices()
        )
        found[name] = MetaboliteResult(prepared, *maps_of)
        if progress is not None:
            progress(done, len(named))
    return on_one_grid(found, sharpness)


def on_one_grid(metabolites: Mapping[str, MetaboliteResult], sharpness: float) -> PatientResult:
    """Results of a patient's metabolites as one.

    Args:
        metabolites: by paper name, at least one.
        sharpness: lambda of all of them.

    Raises:
        InputError: if they are not on one grid.
    """
    (first, own), *others = metabolites.items()
    for name, other in others:
        _check_grid(first, own, name, other.prepared)
    prepared = [result.prepared for result in metabolites.values()]
    return PatientResult(metabolites, sharpness, np.logical_and.reduce([p.brain for p in prepared]), own.prepared.grid)


def _check_grid(first: str, own: MetaboliteResult, name: str, prepared: PreparedInput) -> None:
    if not own.prepared.grid.matches(prepared.grid):
        raise InputError(
            f"The maps of {first} and {name} are not on one grid: give maps of one examination, in the same matrix and "
            "place."
        )


def _named(maps: Mapping[str, sitk.Image]) -> dict[str, sitk.Image]:
    if not maps:
        raise InputError("There is no metabolite map: give at least one.")
    named: dict[str, sitk.Image] = {}
    for given, image in maps.items():
        name = resolve_metabolite(given)
        if name in named:
            raise InputError(f"There are two maps of {name}: leave one out.")
        named[name] = image
    return named
