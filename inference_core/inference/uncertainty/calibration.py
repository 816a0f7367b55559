"""From features of a map to intervals around its values, fitted to errors on simulated patients.

    s^2 = sum_j exp(a_j + b_j (16 / n - 1) + c_j lambda / 0.1) e_j^2

for the features e_j, see `features.Features`, with coefficients of each metabolite. The 68 % interval is the value +-
s, the 95 % interval the value +- `factor_95` s. Errors have longer tails than a normal distribution's, so that the
factor is not 1.96.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference_core.errors import InputError
from inference_core.inference.uncertainty.features import Features
from inference_core.networks.weights_io import WeightsInfo
from inference_core.terms.conditions import METABOLITES, SHARPNESS_RANGE

#: Attributes of `Features` in the order of the coefficients, and what calibration files call them.
FEATURES = ("level", "augmentation_deviation", "unexplained")
FEATURE_KEYS = ("level", "spread", "unexplained")
_REFERENCE_RESOLUTION = 16


def condition_terms(n: np.ndarray | float, sharpness: np.ndarray | float) -> np.ndarray:
    """What a, b and c are multiplied by: 1, 16 / n - 1 and lambda / 0.1, `(..., 3)`."""
    n, sharpness = np.broadcast_arrays(np.asarray(n, dtype=np.float64), sharpness)
    return np.stack([np.ones(n.shape), _REFERENCE_RESOLUTION / n - 1, sharpness / SHARPNESS_RANGE[1]], axis=-1)


def half_width(squares: np.ndarray, terms: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """s, from the squares of the features.

    Args:
        squares: `(..., feature)`.
        terms: from `condition_terms`, `(..., 3)`.
        coefficients: a, b and c, `(..., feature, 3)`.
    """
    return np.sqrt((np.exp((coefficients * terms[..., None, :]).sum(axis=-1)) * squares).sum(axis=-1))


@dataclass(frozen=True)
class Calibration:
    """Of one file of weights.

    Attributes:
        coefficients: a, b and c of each feature, `(feature, 3)`, by metabolite.
        factor_95: half-width of the 95 % interval in those of the 68 % interval.
        about: how it was made, and the share of true values that its intervals held, as the file has it.
    """

    coefficients: Mapping[str, np.ndarray]
    factor_95: float
    about: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """Of its content, in hexadecimal digits: equal for calibrations that give the same intervals."""
        numbers = {name: self.coefficients[name].tolist() for name in sorted(self.coefficients)}
        return hashlib.sha256(json.dumps([numbers, self.factor_95]).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """What `json` can write about a map of uncertainties."""
        return {
            "Description": "Half-width of the interval around each super-resolved value that is made to hold the true "
            "value in about 68 % of the voxels, of all and, as nearly as can be, of those in tumours and in spots that "
            "MRI does not show, of simulated patients. For research, not for diagnosis.",
            "HalfWidth95Factor": self.factor_95,
        }

    def uncertainty(self, features: Features, metabolite: str, n: float, sharpness: float) -> np.ndarray:
        """Half-width of the 68 % interval, in the map's units, of the features' shape.

        Args:
            features: of the map.
            metabolite: its paper name.
            n: input resolution.
            sharpness: lambda.
        """
        squares = np.stack([np.square(getattr(features, name), dtype=np.float64) for name in FEATURES], axis=-1)
        terms = condition_terms(n, sharpness)
        return half_width(squares, terms, self.coefficients[metabolite]).astype(np.float32)


def calibration_path(weights: Path) -> Path:
    """Where the calibration of a file of weights lies."""
    return weights.with_suffix(".certainty.json")


def load_calibration(weights: WeightsInfo) -> Calibration:
    """The calibration beside a file of weights.

    Raises:
        InputError: if there is none, it is damaged, or was made for other weights.
    """
    path = calibration_path(weights.path)
    make = f"make one with `mrsi-superres calibrate --weights {weights.path}`"
    if not path.is_file():
        raise InputError(f"There is no calibration beside the weights '{weights.path}': {make}.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        coefficients = {
            name: np.array([content["coefficients"][name][key] for key in FEATURE_KEYS], dtype=np.float64)
            for name in METABOLITES
        }
        factor, sha256 = float(content["factor_95"]), content["weights_sha256"]
        if any(c.shape != (len(FEATURES), 3) or not np.isfinite(c).all() for c in coefficients.values()) or factor < 1:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"The calibration '{path}' is damaged: {make}.") from error
    if sha256 != weights.sha256:
        raise InputError(f"The calibration '{path}' is of other weights than '{weights.path.name}' beside it: {make}.")
    return Calibration(coefficients, factor, content)
