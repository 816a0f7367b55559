"""All of a patient's metabolites, and ratios of them, super-resolved on one grid, with their uncertainties."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, warn_of
from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.inference.examination import Examination
from inference_core.inference.quantity_source import QuantityResult, check_one_grid
from inference_core.inference.super_resolver import SuperResolver
from inference_core.inference.uncertainty.calibration import Calibration
from inference_core.terms.conditions import check_sharpness, resolve_metabolite
from inference_core.terms.quantity import Quantity
from inference_core.terms.ratios import Ratio


@dataclass(frozen=True)
class PatientResult:
    """A patient's metabolites and ratios on one grid.

    Attributes:
        metabolites: by paper name, in the order given.
        ratios: by name, such as "tCho/NAA", in the order given; without those that mean nothing anywhere.
        sharpness: lambda of all of them.
        brain: where every map may hold values, `(slice, 64, 64)` bool.
        grid: where the maps lie in the patient.
        notices: sentences on the maps, with the maps' names in front unless they are about all of them.
        left_out: a sentence on each ratio that means nothing anywhere.
    """

    metabolites: Mapping[str, QuantityResult]
    ratios: Mapping[str, QuantityResult]
    sharpness: float
    brain: np.ndarray
    grid: SuperResolvedGrid
    notices: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def quantities(self) -> list[QuantityResult]:
        """The metabolites, then the ratios."""
        return [*self.metabolites.values(), *self.ratios.values()]

    @property
    def has_uncertainty(self) -> bool:
        """Whether the uncertainties are known."""
        return all(own.uncertainty is not None for own in self.metabolites.values())


def super_resolve_patient(
    resolver: SuperResolver,
    maps: Mapping[str, sitk.Image],
    t1: sitk.Image,
    flair: sitk.Image,
    sharpness: float = 0.0,
    calibration: Calibration | None = None,
    progress: Callable[[int, int], None] | None = None,
    between_slices: Callable[[], None] | None = None,
    ratios: Sequence[Ratio] = (),
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
        ratios: wanted besides the metabolites.

    Warns:
        InputWarning: as `SuperResolver.prepare`.

    Raises:
        InputError: for maps that are not on one grid or name a metabolite twice, ratios without their maps, and as
            `SuperResolver.prepare`.
    """
    named = _named(maps)
    for ratio in ratios:
        ratio.require(named)
    examination = Examination(resolver)
    for name, image in named.items():
        examination.prepare(name, image, t1, flair)
    keys = {name: name for name in named}
    warn_of(notices_by_map(examination, keys))
    return examine_patient(examination, keys, sharpness, calibration, progress, between_slices, ratios)


def examine_patient(
    examination: Examination,
    keys: Mapping[str, Hashable],
    sharpness: float,
    calibration: Calibration | None = None,
    progress: Callable[[int, int], None] | None = None,
    between_slices: Callable[[], None] | None = None,
    ratios: Sequence[Ratio] = (),
) -> PatientResult:
    """What `super_resolve_patient` gives, of maps that are prepared.

    Args:
        examination: holds the maps.
        keys: theirs, by metabolite's paper name, at least one.
        sharpness, calibration, progress, between_slices, ratios: as `super_resolve_patient`.

    Raises:
        InputError: as `super_resolve_patient`.
    """
    sharpness = check_sharpness(sharpness)
    prepared = {name: examination.prepared(key) for name, key in keys.items()}
    check_one_grid(prepared)

    def check(_done: int, _total: int) -> None:
        if between_slices is not None:
            between_slices()

    def find(quantity: Quantity) -> QuantityResult:
        return examination.quantity(quantity, keys, sharpness).whole(calibration, check)

    metabolites: dict[str, QuantityResult] = {}
    for name in keys:
        metabolites[name] = find(Quantity((name,)))
        if progress is not None:
            progress(len(metabolites), len(keys))
    found: dict[str, QuantityResult] = {}
    left_out = []
    for ratio in dict.fromkeys(ratios):
        try:
            found[ratio.name] = find(Quantity(ratio.metabolites, ratio))
        except InputError as error:
            left_out.append(str(error))
    return PatientResult(
        metabolites=metabolites,
        ratios=found,
        sharpness=sharpness,
        brain=np.logical_and.reduce([own.brain for own in prepared.values()]),
        grid=next(iter(prepared.values())).grid,
        notices=notices_by_map(examination, keys),
        left_out=tuple(left_out),
    )


def notices_by_map(examination: Examination, keys: Mapping[str, Hashable]) -> tuple[str, ...]:
    """What the user has to know of prepared maps: each sentence once, after the names of the maps that it is about.

    Args:
        examination: holds the maps.
        keys: theirs, by what to call them. A sentence on all of them has no names in front.
    """
    about: dict[str, list[str]] = {}
    for name, key in keys.items():
        for sentence in examination.notices(key):
            about.setdefault(sentence, []).append(name)
    return tuple(text if len(names) == len(keys) else f"{', '.join(names)}: {text}" for text, names in about.items())


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
