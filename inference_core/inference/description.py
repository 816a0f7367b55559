"""How a result was made, for the JSON file beside it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from inference_core import __version__

if TYPE_CHECKING:
    from inference_core.inference.quantity_source import QuantityResult
    from inference_core.inference.self_check import NoSelfCheck, SelfCheck
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.inference.uncertainty.calibration import Calibration


def describe_result(
    resolver: "SuperResolver",
    result: "QuantityResult",
    sources: Mapping[str, str],
    checks: "Iterable[SelfCheck | NoSelfCheck]" = (),
) -> dict[str, Any]:
    """What `json` can write about a super-resolved map, or a ratio of some.

    Args:
        resolver: what made it.
        result: all of it.
        sources: the files of the maps, T1 and FLAIR, by what they are.
        checks: of the maps against their own measurement.
    """
    weights, prepared, ratio = resolver.weights, result.prepared, result.quantity.ratio
    return {
        "Description": f"{_kind(result)}. For research, not for diagnosis.",
        "Sources": dict(sources),
        "Metabolite": ratio.name if ratio else result.quantity.name,
        "InputResolution": prepared.n,
        "InputMatrix": [prepared.grid.rows, prepared.grid.columns],
        "InputInterpolation": prepared.interpolation,
        "Sharpness": result.sharpness,
        "Detail": resolver.detail,
        "Consistency": resolver.consistency,
        "Weights": weights and weights.path.name,
        "WeightsSHA256": weights and weights.sha256,
        "TrainedOn": weights.metadata.get("trained_on", "unknown") if weights else "unknown",
        "Device": resolver.device,
        "Runtime": resolver.runtime,
        "Precision": resolver.precision,
        "SoftwareName": "MRSISuperRes",
        "SoftwareVersion": __version__,
        **({"SelfCheck": {check.metabolite: check.describe() for check in checks}} if checks else {}),
        **(_of_ratio(result) if ratio else _of_match(resolver, result)),
    }


def describe_uncertainty(result: "QuantityResult", calibration: "Calibration") -> dict[str, Any]:
    """What to add to a result's description for the map of its uncertainty.

    Args:
        result: all of it.
        calibration: that the uncertainty comes from.
    """
    if result.quantity.ratio is None:
        return calibration.describe()
    return {"Description": "Half-width of a ratio's 68 % interval. For research, not for diagnosis."}


def _of_match(resolver: "SuperResolver", result: "QuantityResult") -> dict[str, Any]:
    match = resolver.match(result.prepared, result.quantity.name)
    if match is None:
        return {}
    moved = (
        {} if match.noise is None else {"LargestMove": f"1 standard deviation of the noise, by {match.noise.source}"}
    )
    return {
        **moved,
        "DetailMatch": {
            "Description": "What the detail that the network adds was multiplied by in k-space: an amplitude, and the "
            "Gaussian point spread (full width at half maximum) that it was smoothed with.",
            "Amplitude": round(match.amplitude, 4),
            "PointSpreadMillimetres": round(match.point_spread * result.grid.spacing[0], 2),
        },
    }


def _kind(result: "QuantityResult") -> str:
    return "Ratio of super-resolved metabolite maps" if result.quantity.ratio else "Super-resolved metabolite map"


def _of_ratio(result: "QuantityResult") -> dict[str, Any]:
    ratio, reference = result.quantity.ratio, result.quantity.reference
    certain = result.uncertainty is not None
    masked = (
        "not above 0 by more than its uncertainty" if certain else "below a tenth of its median in the measured brain"
    )
    compared = {"Reference": reference.name, "ReferenceValue": result.reference_level} if reference else {}
    return {
        "Numerator": list(ratio.numerator),
        "Denominator": list(ratio.denominator),
        "Masked": f"0 where the denominator is {masked}",
        "Units": "none",
    } | compared
