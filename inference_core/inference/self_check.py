"""The self-check: the network's detail on one map, compared with held-back k-space of that map.

The outer part of the measured k-space is held back (`held_back`), the rest super-resolved, and the detail that the
network adds compared with what was held back, inside the brain::

    explained = 1 - |network's detail - measured detail|^2 / |measured detail|^2

Zero-filling explains 0. A network that adds what is not there comes out below 0. The measured detail holds noise, which
nothing can explain: its share is told beside. Where detail is matched to the data, the slices are checked with the
match that the other slices give.

The check says nothing of detail finer than what was measured, but a network that fails at n = 16 cut to 10 will not
do better from 16 to 64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inference_core.errors import InputError
from inference_core.inference.detail_match import match_detail
from inference_core.inference.held_back import HeldBack, held_back_problem, hold_back, in_image, telling_slices
from inference_core.inference.map_noise import MapNoise, noise_from_map
from inference_core.inference.prepared_input import PreparedInput
from inference_core.inference.rings import RADIUS
from inference_core.terms.conditions import resolve_metabolite

if TYPE_CHECKING:
    from inference_core.inference.super_resolver import SuperResolver

#: Slices that are looked at, at most.
SLICES = 8
#: Standard errors from 0 beyond which the sign is taken as certain.
_CERTAIN = 2.0
#: A smaller share explained is next to none.
_NEXT_TO_NONE = 0.05
#: Where noise makes up more of the held-back k-space, nothing can be said.
_MOSTLY_NOISE = 0.9
#: Parts that each slice is cut into for the standard error, along rows and along columns.
_PARTS = 2

#: What a check may come to.
CONFIRMED, CONTRADICTED, UNDECIDED, NOISE = "confirmed", "contradicted", "undecided", "noise"
#: Where there is none.
NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class RingCheck:
    """A ring of the held-back k-space.

    Attributes:
        from_resolution, to_resolution: the n of maps whose k-space ends where the ring begins and ends.
        explained: see `SelfCheck`; NaN where nothing was measured.
        noise: the share of what was measured there that is noise, 0 to 1.
    """

    from_resolution: float
    to_resolution: float
    explained: float
    noise: float


@dataclass(frozen=True)
class SelfCheck:
    """What the check of one map came to.

    Attributes:
        metabolite: its paper name.
        sharpness: lambda.
        n: the map's resolution.
        kept: the resolution that was left.
        slices: indices of those looked at.
        detail: how the network's detail was treated, one of `inference_core.terms.detail.DETAILS`.
        explained: the share of the held-back measured detail that the super-resolved map explains, at most 1; 0 as
            zero-filling, below 0 worse.
        error: its standard error.
        unscaled: what the network's detail explains as it is, without being matched to the data.
        noise: the share of the held-back measured k-space that is noise, 0 to 1.
        noise_source: what it was estimated from.
        noise_certainty: "at least", "about" or "at most".
        rings: from low to high frequency.
    """

    metabolite: str
    sharpness: float
    n: int
    kept: int
    slices: tuple[int, ...]
    detail: str
    explained: float
    error: float
    unscaled: float
    noise: float
    noise_source: str
    noise_certainty: str
    rings: tuple[RingCheck, ...]

    @property
    def verdict(self) -> str:
        """One of "confirmed", "contradicted", "undecided", "noise"."""
        if self.explained + _CERTAIN * self.error < 0:
            return CONTRADICTED
        if self.explained > max(_CERTAIN * self.error, _NEXT_TO_NONE):
            return CONFIRMED
        return NOISE if self.noise > _MOSTLY_NOISE else UNDECIDED

    @property
    def contradicted(self) -> bool:
        """Whether the measurement contradicts the network's detail."""
        return self.verdict == CONTRADICTED

    @property
    def sentence(self) -> str:
        """The result in plain words."""
        about = f"Self-check ({self.metabolite}, n = {self.n} cut to {self.kept}, lambda = {self.sharpness:g})"
        held_back = "of the measured detail that was held back from it"
        if self.detail == "zero-filled":
            found = (
                f"{about}: none of the network's detail is shown; as the network proposes it, it would explain "
                f"{self.unscaled:.0%} {held_back} (zero-filling: 0%)"
            )
        else:
            found = f"{about}: the network's detail explains {self.explained:.0%} {held_back} (zero-filling: 0%)"
        if self.detail == "matched":
            found += f"; without being matched to the data it would explain {self.unscaled:.0%}"
        return f"{found}. {self.noise_certainty.capitalize()} {self.noise:.0%} of it is noise, by {self.noise_source}."

    @property
    def warning(self) -> str | None:
        """What the user has to be warned of, if anything."""
        if self.detail == "zero-filled":
            # There is no detail of the network's that the user could trust by mistake.
            return None
        if self.contradicted:
            way = "match the detail to the data, or " if self.detail == "network" else ""
            return (
                f"The measured k-space contradicts the detail that the network adds to this map of {self.metabolite}: "
                f"{way}use lambda = 0 and zero-filled detail."
            )
        if self.verdict == NOISE:
            return (
                f"The fine detail that was measured of {self.metabolite} may be nearly all noise: whether the detail "
                "that the network adds is true can't be determined from this map."
            )
        if self.verdict == UNDECIDED:
            return (
                f"The measured k-space confirms next to none of the detail that the network adds to this map of "
                f"{self.metabolite}: judge it with care, at lambda = 0."
            )
        return None

    def describe(self) -> dict[str, Any]:
        """What `json` can write about it."""
        return {
            "Description": "Share of the held-back measured detail that the super-resolved map explains; 0 as "
            "zero-filling, below 0 worse.",
            "InputResolution": self.n,
            "KeptResolution": self.kept,
            "Slices": list(self.slices),
            "Explained": _rounded(self.explained),
            "StandardError": _rounded(self.error),
            "ExplainedUnmatched": _rounded(self.unscaled),
            "NoiseShare": _rounded(self.noise),
            "NoiseSource": f"{self.noise_certainty}, by {self.noise_source}",
            "Rings": [
                {
                    "FromResolution": round(ring.from_resolution, 1),
                    "ToResolution": round(ring.to_resolution, 1),
                    "Explained": _rounded(ring.explained),
                    "NoiseShare": _rounded(ring.noise),
                }
                for ring in self.rings
            ],
            "Verdict": self.verdict,
        }


def _rounded(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return round(value, 4) if np.isfinite(value) else None


def self_check(
    resolver: "SuperResolver",
    prepared: PreparedInput,
    metabolite: str,
    sharpness: float = 0.0,
    slices: list[int] | None = None,
    noise: MapNoise | None = None,
    check: Callable[[int, int], None] | None = None,
) -> SelfCheck:
    """Check the network's detail against the map's own measured k-space.

    Takes one pass of the network for each slice, or two at another lambda than 0 where detail is matched.

    Args:
        resolver: whose detail is checked; what it keeps for its slider stays.
        prepared: from `SuperResolver.prepare`.
        metabolite: one of `inference_core.METABOLITES`, or an alias of one.
        sharpness: lambda, 0 to 0.1.
        slices: their indices; None for up to 8 that show enough of the brain.
        noise: of the map; None to estimate it from the map.
        check: called after each batch of slices in each pass, with the number done and of all; may raise to end it.

    Raises:
        InputError: for maps of n below 12 or without enough brain, and as `SuperResolver.super_resolve`.
    """
    metabolite = resolve_metabolite(metabolite)
    problem = held_back_problem(prepared)
    if problem is not None:
        raise InputError(problem)
    chosen = telling_slices(prepared, SLICES) if slices is None else list(slices)
    held_back, apart = hold_back(prepared), resolver.apart()
    proposed = apart.propose(held_back.prepared, metabolite, sharpness, chosen, check)
    scaled = proposed
    if resolver.detail == "matched" and resolver.proposes:
        at_zero = proposed
        if sharpness > 0:
            at_zero = apart.propose(held_back.prepared, metabolite, 0.0, chosen, check)
        scaled = _matched(proposed, at_zero, held_back, chosen)
    elif resolver.detail == "zero-filled":
        scaled = np.zeros_like(proposed)
    noise = noise or noise_from_map(prepared, chosen, proposed)
    brain, measured = held_back.brain[chosen], held_back.detail[chosen]
    errors, energy = (
        _in_parts(np.square(image) * brain) for image in (in_image(scaled, held_back.region) - measured, measured)
    )
    rings = tuple(_ring_check(scaled, held_back, chosen, noise, *edges) for edges in _ring_edges(held_back))
    return SelfCheck(
        metabolite=metabolite,
        sharpness=float(sharpness),
        n=prepared.n,
        kept=held_back.prepared.n,
        slices=tuple(chosen),
        detail=resolver.detail if resolver.proposes else "network",
        explained=_share(errors.sum(), energy.sum()),
        error=_standard_error(errors, energy),
        unscaled=_share((np.square(in_image(proposed, held_back.region) - measured) * brain).sum(), energy.sum()),
        noise=_noise_share(noise, chosen, held_back.region, brain, energy.sum()),
        noise_source=noise.source,
        noise_certainty=noise.certainty,
        rings=rings,
    )


def _matched(proposed: np.ndarray, at_zero: np.ndarray, held_back: HeldBack, chosen: list[int]) -> np.ndarray:
    """Proposals scaled by the match that the other slices give, so that none is checked with what it told itself."""
    halves = [list(range(start, len(chosen), 2)) for start in (0, 1)]
    scaled = np.zeros_like(proposed)
    for own, other in (halves, halves[::-1]):
        telling = other or own
        match = match_detail(at_zero[telling], held_back, [chosen[place] for place in telling])
        scaled[own] = _multiplied(proposed[own], match.gain())
    return scaled


def _multiplied(images: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Images whose k-space is multiplied by a gain, both over `(64, 64)`."""
    axes = (-2, -1)
    return np.fft.ifft2(np.fft.fft2(images, axes=axes) * np.fft.ifftshift(gain), axes=axes).real


def _share(errors: float, energy: float) -> float:
    return float(1 - errors / energy) if energy > 0 else float("nan")


def _in_parts(images: np.ndarray) -> np.ndarray:
    """The sum of each quarter of each slice."""
    side = images.shape[-1] // _PARTS
    return images.reshape(len(images), _PARTS, side, _PARTS, side).sum(axis=(2, 4)).ravel()


def _standard_error(errors: np.ndarray, energy: np.ndarray) -> float:
    """Of the share explained, a ratio of sums over parts that are taken as independent."""
    there = energy > 0
    count, total = int(there.sum()), float(energy.sum())
    if count < 2 or total <= 0:
        return float("inf")
    rest = errors[there] - errors.sum() / total * energy[there]
    return float(np.sqrt(count / (count - 1) * np.square(rest).sum()) / total)


def _noise_share(noise: MapNoise, slices: list[int], region: np.ndarray, brain: np.ndarray, energy: float) -> float:
    found = (np.square(noise.images(slices, region)) * brain).sum() / len(noise.draws)
    return float(min(found / energy, 1.0)) if energy > 0 else float("nan")


def _ring_edges(held_back: HeldBack) -> list[tuple[float, float]]:
    """Radii between which rings lie: two up to the highest frequency along an axis, and the corners beyond it."""
    first = RADIUS[held_back.region].min()
    last, corner = np.sqrt(held_back.matrix[0] * held_back.matrix[1]) / 2, RADIUS[held_back.region].max()
    middle = (first + last) / 2
    return [(first, middle), (middle, last), (last, corner + 1e-6)]


def _ring_check(
    scaled: np.ndarray, held_back: HeldBack, chosen: list[int], noise: MapNoise, inner: float, outer: float
) -> RingCheck:
    radius, brain = RADIUS, held_back.brain[chosen]
    region = held_back.region & (radius >= inner) & (radius < outer)
    measured, shown = (in_image(images, region) * brain for images in (held_back.detail[chosen], scaled))
    energy = float(np.square(measured).sum())
    return RingCheck(
        from_resolution=float(2 * inner),
        to_resolution=float(2 * outer),
        explained=_share(float(np.square(shown - measured).sum()), energy),
        noise=_noise_share(noise, chosen, region, brain, energy),
    )


@dataclass(frozen=True)
class NoSelfCheck:
    """Why a map can't be checked; used as a `SelfCheck`.

    Attributes:
        metabolite: its paper name.
        sentence: why.
    """

    metabolite: str
    sentence: str
    explained: float | None = None
    warning: str | None = None
    verdict: str = NOT_CHECKED
    contradicted: bool = False
    rings: tuple[RingCheck, ...] = ()

    def describe(self) -> dict[str, Any]:
        """What `json` can write about it."""
        return {"Verdict": self.verdict, "Reason": self.sentence}
