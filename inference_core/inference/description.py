"""How a result was made, for the JSON file beside it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from inference_core import __version__

if TYPE_CHECKING:
    from inference_core.inference.super_resolver import PreparedInput, SuperResolver
    from inference_core.terms.ratios import Ratio


def describe_result(
    resolver: "SuperResolver",
    prepared: "PreparedInput",
    metabolite: str,
    sharpness: float,
    sources: Mapping[str, str],
) -> dict[str, Any]:
    """What `json` can write about a super-resolved map.

    Args:
        resolver: what made it.
        prepared: what it was made from.
        metabolite: its paper name.
        sharpness: lambda, 0 to 0.1.
        sources: the files of "map", "T1" and "FLAIR".
    """
    weights = resolver.weights
    return {
        "Description": "Super-resolved metabolite map. For research, not for diagnosis.",
        "Sources": dict(sources),
        "Metabolite": metabolite,
        "InputResolution": prepared.n,
        "InputMatrix": [prepared.grid.rows, prepared.grid.columns],
        "InputInterpolation": prepared.interpolation,
        "Sharpness": sharpness,
        "Weights": weights and weights.path.name,
        "WeightsSHA256": weights and weights.sha256,
        "TrainedOn": weights.metadata.get("trained_on", "unknown") if weights else "unknown",
        "Device": resolver.device,
        "Runtime": resolver.runtime,
        "Precision": resolver.precision,
        "SoftwareName": "MRSISuperRes",
        "SoftwareVersion": __version__,
    }


def describe_ratio(
    resolver: "SuperResolver",
    prepared: "PreparedInput",
    ratio: "Ratio",
    sharpness: float,
    sources: Mapping[str, str],
    certain: bool,
) -> dict[str, Any]:
    """What `json` can write about a ratio of super-resolved maps.

    Args:
        resolver, sharpness: as `describe_result`.
        prepared: what its first metabolite's map was made from.
        ratio: which.
        sources: the files of each map, T1 and FLAIR.
        certain: whether the maps' uncertainties were known.
    """
    masked = "not above 0 by 1.96 of its standard errors" if certain else "below a tenth of its median in the brain"
    return describe_result(resolver, prepared, ratio.name, sharpness, sources) | {
        "Description": "Ratio of super-resolved metabolite maps. For research, not for diagnosis.",
        "Numerator": list(ratio.numerator),
        "Denominator": list(ratio.denominator),
        "Masked": f"0 where the denominator is {masked}",
        "Units": "none",
    }


def describe_ratio_error() -> dict[str, Any]:
    """What to add to a ratio's description for the map of its uncertainty."""
    return {"Description": "Standard error of a ratio of metabolite maps. For research, not for diagnosis."}
