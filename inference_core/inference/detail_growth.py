"""How much detail weights' results gain with lambda: from the weights' model card."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_SPOTS = "invented spots a map"


@dataclass(frozen=True)
class DetailGrowth:
    """What was measured on simulated patients, whose truth is known.

    Attributes:
        sharpness: values of lambda, rising.
        fine_detail: the energy of fine detail, relative to the truth's, at each of them.
        invented_spots: spots in a map that the truth has not, at each of them.
    """

    sharpness: tuple[float, ...]
    fine_detail: tuple[float, ...]
    invented_spots: tuple[float, ...]

    def gained(self, sharpness: float) -> float:
        """By which share there is more fine detail than at the smallest lambda, interpolated; 0 where there is less."""
        return max(float(np.interp(sharpness, self.sharpness, self.fine_detail)) / self.fine_detail[0] - 1, 0.0)

    def spots(self, sharpness: float) -> float:
        """Spots invented in a map, interpolated."""
        return float(np.interp(sharpness, self.sharpness, self.invented_spots))


def read_detail_growth(weights: Path) -> DetailGrowth | None:
    """The figures of the model card beside a file of weights; None if there is none, or it does not tell.

    Args:
        weights: the .safetensors file.
    """
    try:
        figures = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))["figures"]["simulated_patients"]
        names = {float(name.partition("=")[2]): name for name in figures["all"] if name.startswith("lambda")}
        rows = [
            (sharpness, float(figures["all"][names[sharpness]][2]), float(figures["details"][names[sharpness]][_SPOTS]))
            for sharpness in sorted(names)
        ]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        # Weights of one's own need no card.
        return None
    return DetailGrowth(*zip(*rows, strict=True)) if rows else None
