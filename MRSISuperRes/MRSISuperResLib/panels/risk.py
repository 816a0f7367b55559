"""The text below the sharpness slider: how much fine detail results gain at this lambda."""

import functools
from pathlib import Path

from slicer.i18n import tr as _

from inference_core.inference.detail_growth import DetailGrowth, read_detail_growth
from inference_core.terms.conditions import RECOMMENDED_SHARPNESS


def state_risk(label, sharpness: float, weights: str) -> None:
    """Fill the label.

    Args:
        label: the panel's.
        sharpness: lambda.
        weights: the file of weights, "" for those that come with the module.
    """
    if sharpness <= RECOMMENDED_SHARPNESS + 1e-9:
        label.text = _(
            "A higher \u03bb looks sharper, but may invent detail that is not there. "
            "0 is closest to the truth on average."
        )
        label.styleSheet = ""
        return
    text = _("\u03bb = {0:.3f} is above the recommended range: edges and spots may be invented, do not rely on them.")
    label.text = " ".join([text.format(sharpness), *_measured(_growth(weights), sharpness)])
    label.styleSheet = "color: #e08a2e; font-weight: bold;"


def _measured(growth: DetailGrowth | None, sharpness: float) -> list[str]:
    """In words, what was measured; nothing if nothing was."""
    if growth is None:
        return []
    text = _(
        "On simulated patients, maps held {0:.0%} more fine detail than at \u03bb = 0 (at \u03bb = {1:g}: {2:.0%})."
    )
    told = [text.format(growth.gained(sharpness), RECOMMENDED_SHARPNESS, growth.gained(RECOMMENDED_SHARPNESS))]
    if (spots := growth.spots(sharpness)) > 0:
        told.append(_("One map in {0:.0f} had a spot that is not there.").format(1 / spots))
    return told


@functools.lru_cache(maxsize=8)
def _growth(weights: str) -> DetailGrowth | None:
    import inference_core

    default = Path(inference_core.__file__).parent / "weights" / "multi-conditional.safetensors"
    return read_detail_growth(Path(weights) if weights else default)
