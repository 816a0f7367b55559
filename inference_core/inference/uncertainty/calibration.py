"""From features of a map to intervals around its values, fitted to errors on simulated patients.

    log(s / level) = a + b log(16 / n) + c lambda / 0.1 + sum_j (d_j + e_j log(16 / n) + f_j x_j) x_j
    x_j = log(feature_j / level + 0.01)

for the features of `FEATURES`, with a of each metabolite. Outside the range that a calibration was fitted on, x_j and n
are taken to be at its end. The 68 % interval is the value +- s, the 95 % interval the value +- `factor_95` s. Errors
have longer tails than a normal distribution's, so that the factor is not 1.96.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference_core.errors import InputError
from inference_core.inference.uncertainty.features import Features
from inference_core.networks.weights_io import WeightsInfo
from inference_core.terms.conditions import METABOLITES, SHARPNESS_RANGE, TRAINED_RESOLUTION, metabolite_index

#: Attributes of `Features`, and what calibration files call them.
FEATURES = {
    "augmentation_deviation": "spread",
    "unexplained": "unexplained",
    "unexplained_mean": "unexplained mean",
    "kspace_dependence": "k-space dependence",
}
_REFERENCE_RESOLUTION = 16
#: Added to features before the logarithm: smaller ones are all the same.
_LEAST = 0.01
#: Larger numbers in a file are damage: they would overflow.
_LARGEST_NUMBER = 100.0
#: What calibration files call b and c.
_CONDITION_KEYS = ("n", "lambda")


def logarithms(relative: np.ndarray) -> np.ndarray:
    """x of features as shares of the level, of the same shape."""
    return np.log(relative + _LEAST)


def interval_terms(x: np.ndarray, n: np.ndarray | float, sharpness: np.ndarray | float) -> np.ndarray:
    """What b, c, d, e and f are multiplied by.

    Args:
        x: `(..., feature)`.
        n: input resolution, a number or `(...)`.
        sharpness: lambda, like `n`.

    Returns:
        `(..., 2 + 3 feature)`: of b and c, then of all d, of all e and of all f.
    """
    n = np.clip(np.asarray(n, dtype=np.float64), *TRAINED_RESOLUTION)
    by_n = np.broadcast_to(np.log(_REFERENCE_RESOLUTION / n), x.shape[:-1])[..., None]
    by_sharpness = np.broadcast_to(np.asarray(sharpness) / SHARPNESS_RANGE[1], x.shape[:-1])[..., None]
    return np.concatenate([by_n, by_sharpness, x, by_n * x, x * x], axis=-1)


@dataclass(frozen=True)
class IntervalModel:
    """Half-widths of intervals as shares of the map's level.

    Attributes:
        offsets: a, `(metabolite,)`.
        coefficients: b, c, d, e and f, `(2 + 3 feature,)`, as `interval_terms` orders them.
        ranges: lowest and highest x of each feature, `(feature, 2)`.
    """

    offsets: np.ndarray
    coefficients: np.ndarray
    ranges: np.ndarray

    def half_width(
        self, relative: np.ndarray, metabolite: np.ndarray | int, n: np.ndarray | float, sharpness: np.ndarray | float
    ) -> np.ndarray:
        """s as a share of the level, `(...)`.

        Args:
            relative: features as shares of the level, those of `FEATURES` in their order, `(..., feature)`.
            metabolite: index into `METABOLITES`, a number or `(...)`.
            n, sharpness: as `interval_terms`.
        """
        x = np.clip(logarithms(relative.astype(np.float64)), *self.ranges.T)
        return np.exp(self.offsets[metabolite] + interval_terms(x, n, sharpness) @ self.coefficients)

    def as_json(self) -> dict[str, Any]:
        """What a calibration file has of it."""
        slopes = self.coefficients[len(_CONDITION_KEYS) :].reshape(3, -1).T
        return {
            "offsets": dict(zip(METABOLITES, self.offsets.round(4).tolist(), strict=True)),
            "conditions": dict(zip(_CONDITION_KEYS, self.coefficients[:2].round(4).tolist(), strict=True)),
            "features": {
                key: {"range": own_range.round(4).tolist(), "d, e, f": own_slopes.round(4).tolist()}
                for key, own_range, own_slopes in zip(FEATURES.values(), self.ranges, slopes, strict=True)
            },
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "IntervalModel":
        """From what a calibration file has.

        Raises:
            ValueError, LookupError, TypeError, OverflowError: if it is damaged.
        """
        own = [content["features"][key] for key in FEATURES.values()]
        slopes = np.array([each["d, e, f"] for each in own], dtype=np.float64)
        model = cls(
            np.array([float(content["offsets"][name]) for name in METABOLITES]),
            np.concatenate([[float(content["conditions"][key]) for key in _CONDITION_KEYS], slopes.T.reshape(-1)]),
            np.array([each["range"] for each in own], dtype=np.float64),
        )
        numbers = (model.offsets, model.coefficients, model.ranges)
        shaped = slopes.shape == (len(FEATURES), 3) and model.ranges.shape == (len(FEATURES), 2)
        # Also False for what is not a number.
        sensible = all((np.abs(array) <= _LARGEST_NUMBER).all() for array in numbers)
        if not shaped or not sensible or not (np.diff(model.ranges) >= 0).all():
            raise ValueError("damaged intervals")
        return model


@dataclass(frozen=True)
class Calibration:
    """Of one file of weights.

    Attributes:
        intervals: the 68 % ones.
        factor_95: half-width of the 95 % interval in those of the 68 % interval.
        about: how it was made, and the share of true values that its intervals held, as the file has it.
    """

    intervals: IntervalModel
    factor_95: float
    about: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """Of its content, in hexadecimal digits: equal for calibrations that give the same intervals."""
        return hashlib.sha256(json.dumps([self.intervals.as_json(), self.factor_95]).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """What `json` can write about a map of uncertainties."""
        return {
            "Description": "Half-width of the interval around each super-resolved value that is made to hold the true "
            "value in about 68 % of the voxels, of all and, as nearly as can be, of those in tumours and in spots that "
            "MRI does not show, of simulated patients. For research, not for diagnosis.",
            "HalfWidth95Factor": self.factor_95,
        }

    def uncertainty(self, features: Features, metabolite: str, n: float, sharpness: float) -> np.ndarray:
        """Half-width of the 68 % interval, in the map's units, of the features' shape; 0 where the level is 0.

        Args:
            features: of the map.
            metabolite: its paper name.
            n: input resolution.
            sharpness: lambda.
        """
        index = metabolite_index(metabolite)
        widths = self.intervals.half_width(features.relative(tuple(FEATURES)), index, n, sharpness)
        return (widths * features.level).astype(np.float32)


def calibration_path(weights: Path) -> Path:
    """Where the calibration of a file of weights lies."""
    return weights.with_suffix(".certainty.json")


def load_calibration(weights: WeightsInfo) -> Calibration:
    """The calibration beside a file of weights.

    Raises:
        InputError: if there is none, it is damaged or of an earlier version, or was made for other weights.
    """
    path = calibration_path(weights.path)
    make = f"make one with `mrsi-superres calibrate --weights {weights.path}`"
    if not path.is_file():
        raise InputError(f"There is no calibration beside the weights '{weights.path}': {make}.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        factor, sha256 = float(content["factor_95"]), content["weights_sha256"]
        earlier = "coefficients" in content
        if not earlier:
            intervals = IntervalModel.from_json(content["intervals"])
        if not 1 <= factor < math.inf:
            raise ValueError
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"The calibration '{path}' is damaged: {make}.") from error
    if earlier:
        raise InputError(f"The calibration '{path}' was made by an earlier version of MRSISuperRes: {make}.")
    if sha256 != weights.sha256:
        raise InputError(f"The calibration '{path}' is of other weights than '{weights.path.name}' beside it: {make}.")
    return Calibration(intervals, factor, content)
