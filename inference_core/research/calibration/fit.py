"""Fitting a calibration, and measuring the coverage of its intervals."""

import numpy as np
import torch

from inference_core.inference.uncertainty.calibration import FEATURES, condition_terms, half_width
from inference_core.research.calibration.samples import REGIONS, Samples
from inference_core.terms.conditions import METABOLITES

#: Degrees of freedom of the t distribution that errors are taken to follow: their tails are long.
_DEGREES = 4.0
_STEPS, _RATE = 400, 0.05
#: Share of all weight that tumours and MRI-occult lesions have, evenly: they are few, and what intervals are asked for.
#: With half of it, the intervals of coarse maps were far too wide.
_SPECIAL_SHARE = 0.2
#: Widths that are tried.
_WIDTHS = 200


def balanced_weights(samples: Samples) -> np.ndarray:
    """Weights, 1 in all: tumours and MRI-occult lesions count as much as the many voxels of ordinary tissue."""
    weights = np.zeros(len(samples.error))
    there = [index for index in range(len(REGIONS)) if (samples.region == index).any()]
    for index in there:
        ordinary = REGIONS[index] == "ordinary"
        share = 1 - _SPECIAL_SHARE if ordinary else _SPECIAL_SHARE / (len(REGIONS) - 1)
        own = samples.region == index
        weights[own] = share * samples.weight[own] / samples.weight[own].sum()
    return weights / weights.sum()


def _half_widths(samples: Samples, coefficients: np.ndarray) -> np.ndarray:
    terms = condition_terms(samples.n, samples.sharpness)
    return half_width(samples.features**2, terms, coefficients[samples.metabolite])


def _quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(values, kind="stable")
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), share * weights.sum())])


def fit_coefficients(samples: Samples, features: tuple[str, ...] = FEATURES) -> np.ndarray:
    """Coefficients `(metabolite, feature, 3)` under which the errors are the most likely.

    Args:
        samples: of all metabolites.
        features: those that take part; the others' coefficients leave nothing of them.
    """
    torch.manual_seed(0)
    used = torch.tensor([name in features for name in FEATURES])
    squares = torch.from_numpy(samples.features**2)
    terms = torch.from_numpy(condition_terms(samples.n, samples.sharpness))
    error, metabolite = torch.from_numpy(samples.error.astype(np.float64)), torch.from_numpy(samples.metabolite).long()
    weights = torch.from_numpy(balanced_weights(samples))
    coefficients = torch.zeros(len(METABOLITES), len(FEATURES), 3, dtype=torch.float64)
    coefficients[..., 0] = -3.0
    coefficients.requires_grad_()
    optimizer = torch.optim.Adam([coefficients], _RATE)
    for _ in range(_STEPS):
        factors = torch.exp((coefficients[metabolite] * terms[:, None]).sum(dim=-1)) * used
        variance = (factors * squares).sum(dim=1).clamp_min(1e-12)
        tails = (_DEGREES + 1) / 2 * torch.log1p(error**2 / (_DEGREES * variance))
        loss = (weights * (0.5 * torch.log(variance) + tails)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = coefficients.detach().numpy()
    # exp(-60) of anything is nothing.
    found[:, ~used.numpy()] = [-60.0, 0.0, 0.0]
    return found


def conform(samples: Samples, coefficients: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients whose intervals hold 68 % of the samples, and how much wider those are that hold 95 %.

    What a voxel is, is not known beforehand, and lesions err more than other tissue. The intervals are as wide as
    makes the largest deviation from 68 and 95 %, of all samples and of each of `REGIONS`, as small as it can be: they
    hold somewhat more of all, and somewhat less of the region that errs most.

    Args:
        samples: of patients that the coefficients were not fitted on.
        coefficients: from `fit_coefficients`.
    """
    ratio, scaled = np.abs(samples.error) / _half_widths(samples, coefficients), coefficients.copy()
    inner, outer = (_balanced(ratio, samples, share) for share in (0.68, 0.95))
    scaled[..., 0] += 2 * np.log(inner)
    return scaled, outer / inner


def _balanced(ratio: np.ndarray, samples: Samples, share: float) -> float:
    """The width, as a factor, that deviates least from the share where it deviates most, over all and each region."""
    regions = [samples.region == index for index in range(len(REGIONS))]
    everything = np.ones(len(ratio), bool)
    groups = [(ratio[own], samples.weight[own]) for own in (everything, *regions) if own.any()]
    exact = [_quantile(*group, share) for group in groups]
    widths = np.geomspace(max(min(exact), 1e-9), max(max(exact), 1e-9), _WIDTHS)

    def deviation(width: float) -> float:
        return max(abs(float(np.average(values <= width, weights=weights)) - share) for values, weights in groups)

    return float(min(widths, key=deviation))


def coverage(samples: Samples, coefficients: np.ndarray, factor_95: float) -> dict[str, dict[str, float]]:
    """The share of true values inside the intervals: in all, by region, by metabolite and by lambda.

    Returns:
        For each group "68 %" and "95 %", the shares; "width", the mean half-width of the 68 % intervals as a share of
        the map's level; and "voxels".
    """
    widths = _half_widths(samples, coefficients)
    groups = {"all": np.ones(len(widths), bool)}
    groups |= {name: samples.region == index for index, name in enumerate(REGIONS) if index}
    groups |= {name: samples.metabolite == index for index, name in enumerate(METABOLITES)}
    groups |= {f"n = {n}": samples.n == n for n in np.unique(samples.n)}
    groups |= {f"lambda = {value:g}": samples.sharpness == value for value in np.unique(samples.sharpness)}
    found = {}
    for name, own in groups.items():
        if own.any():
            weights, error, width = samples.weight[own], np.abs(samples.error[own]), widths[own]
            found[name] = {
                "68 %": float(np.average(error <= width, weights=weights)),
                "95 %": float(np.average(error <= factor_95 * width, weights=weights)),
                "width": float(np.average(width, weights=weights)),
                "voxels": int(own.sum()),
            }
    return found
