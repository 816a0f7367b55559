"""How a result was made, in the page's words."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_core import __version__
from inference_core.report.numbers import length, times
from inference_core.terms.conditions import RECOMMENDED_SHARPNESS

if TYPE_CHECKING:
    from inference_core.inference.patient_result import PatientResult
    from inference_core.inference.self_check import NoSelfCheck, SelfCheck
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.networks.weights_io import WeightsInfo


def notices(result: "PatientResult", resolver: "SuperResolver", simulated_patient: bool) -> list[str]:
    """What must not be overlooked, most important first.

    Args:
        result: the patient's maps.
        resolver: what made them.
        simulated_patient: whether the patient is simulated.
    """
    told = ["Research use only, not for diagnosis."]
    if "simulated" in _trained_on(resolver.weights):
        told.append("The network's weights come from simulated patients.")
    if simulated_patient:
        told.append("This patient is simulated, too.")
    if result.sharpness > RECOMMENDED_SHARPNESS:
        told.append(
            f"λ = {result.sharpness:g} is above {RECOMMENDED_SHARPNESS:g}: detail that looks real may be invented."
        )
    return told


def facts(result: "PatientResult", resolver: "SuperResolver") -> dict[str, str]:
    """What a reader needs to judge a result or make it again, by what to call it."""
    grid, weights = result.grid, resolver.weights
    rows, columns = grid.original_size
    first = next(iter(result.metabolites.values())).prepared
    low, high = (times(*map(length, spacing)) for spacing in (grid.low_resolution_spacing, grid.spacing))
    padded = "" if (rows, columns) == (grid.rows, grid.columns) else f", padded to {times(grid.rows, grid.columns)}"
    measured = f"{times(rows, columns)}{padded}, {grid.slices} slices, voxels of {low} mm; n = {first.n}"
    return {
        "As measured": measured,
        "Interpolated before": _interpolation(result),
        "Super-resolved": f"{times(*grid.size[:2])}, {grid.slices} slices, voxels of {high} mm",
        "Sharpness": f"λ = {result.sharpness:g} (0 to {RECOMMENDED_SHARPNESS:g} is recommended)",
        "Weights": _weights(weights),
        "Computed": f"on {resolver.device}, by {resolver.runtime} in {resolver.precision}; MRSISuperRes {__version__}",
    }


def reading_notes(
    result: "PatientResult", regions: bool, checks: "Sequence[SelfCheck | NoSelfCheck]" = ()
) -> list[str]:
    """Sentences on what the page's figures and numbers mean.

    Args:
        result: the patient's maps.
        regions: whether there are numbers of regions.
        checks: of the maps against their own measurement.
    """
    told = ["R, L, A, P, S, I: the patient's right, left, front, back, head and foot."]
    if result.has_uncertainty:
        told.append(
            "±: half of the interval made to hold the true value in about 68 of 100 voxels of simulated patients; "
            "of a region, that of the mean, errors of neighbours taken to go together."
        )
    told.append(
        "Measured detail: the share of the result's energy, its mean left out, inside the measured k-space; the "
        "rest is the network's."
    )
    if any(check.explained is not None for check in checks):
        told.append(
            "Self-check: the share of the measured detail that the result explains where it was held back from the "
            "network; zero-filling explains 0 %, and below 0 the network's detail is wrong."
        )
    told += dict.fromkeys(check.sentence for check in checks if check.explained is None)
    if regions:
        told.append(
            "Regions: mean, super-resolved and as measured. Signal gained: how much more the region holds than was "
            "measured, at the measurement's resolution; it should be next to none. A ratio's means are of where its "
            "denominator is above zero by more than its uncertainty, which may be less of the region super-resolved "
            "than as measured."
        )
    return told


def _interpolation(result: "PatientResult") -> str:
    kinds: dict[str, list[str]] = {}
    for name, own in result.metabolites.items():
        if own.prepared.interpolation is not None:
            kinds.setdefault(own.prepared.interpolation, []).append(name)
    told = "; ".join(f"{', '.join(names)} ({kind})" for kind, names in kinds.items())
    return f"{told}: taken back to what was measured" if told else "no map, as far as is known"


def _trained_on(weights: "WeightsInfo | None") -> str:
    return "" if weights is None else weights.metadata.get("trained_on", "")


def _weights(weights: "WeightsInfo | None") -> str:
    if weights is None:
        return "of an unknown file"
    version = _card(weights).get("version")
    told = f"{weights.path.name}{f', version {version}' if version else ''}, sha256 {weights.sha256[:12]}…"
    trained = _trained_on(weights)
    return f"{told}; trained on {trained}" if trained else told


def _card(weights: "WeightsInfo") -> Mapping[str, Any]:
    """The model card beside weights, if there is one and it is theirs."""
    path: Path = weights.path.with_suffix(".json")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        return card if card["sha256"] == weights.sha256 else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
