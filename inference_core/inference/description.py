"""How a result was made, for the JSON file beside it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from inference_core import __version__

if TYPE_CHECKING:
    from inference_core.inference.quantity_source import QuantityResult
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.inference.uncertainty.calibration import Calibration


def describe_result(resolver: "SuperResolver", result: "QuantityResult", sources: Mapping[str, str]) -> dict[str, Any]:
    """What `json` can write about a super-resolved map, or a ratio of some.

    Args:
        resolver: what made it.
        result: all of it.
        sources: the files of the maps, T1 and FLAIR, by what they are.
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
        "Weights": weights and weights.path.name,
        "WeightsSHA256": weights and weights.sha256,
        "TrainedOn": weights.metadata.get("trained_on", "unknown") if weights else "unknown",
        "Device": resolver.device,
        "Runtime": resolver.runtime,
        "Precision": resolver.precision,
        "SoftwareName": "MRSISuperRes",
        "SoftwareVersion": __version__,
    } | (_of_ratio(result) if ratio else {})


def describe_uncertainty(result: "QuantityResult", calibration: "Calibration") -> dict[str, Any]:
    """What to add to a result's description for the map of its uncertainty.

    Args:
        result: all of it.
        calibration: that the uncertainty comes from.
    """
    if result.quantity.ratio is None:
        return calibration.describe()
    return {"Description": "Standard error of a ratio of metabolite maps. For research, not for diagnosis."}


def _kind(result: "QuantityResult") -> str:
    return "Ratio of super-resolved metabolite maps" if result.quantity.ratio else "Super-resolved metabolite map"


def _of_ratio(result: "QuantityResult") -> dict[str, Any]:
    ratio, reference = result.quantity.ratio, result.quantity.reference
    certain = result.uncertainty is not None
    masked = (
        "not above 0 by 1.96 of its standard errors" if certain else "below a tenth of its median in the measured brain"
    )
    compared = {"Reference": reference.name, "ReferenceValue": result.reference_level} if reference else {}
    return {
        "Numerator": list(ratio.numerator),
        "Denominator": list(ratio.denominator),
        "Masked": f"0 where the denominator is {masked}",
        "Units": "none",
    } | compared
