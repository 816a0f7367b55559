"""Fitting a calibration, and measuring the coverage of its intervals."""

from dataclasses import replace

import numpy as np
import torch

from inference_core.inference.uncertainty.calibration import IntervalModel, interval_terms, logarithms
from inference_core.research.calibration.samples import REGIONS, Samples
from inference_core.terms.conditions import METABOLITES

#: Degrees of freedom of the t distribution that errors are taken to follow: their tails are long.
_DEGREES = 4.0
_STEPS, _RATE = 600, 0.03
#: Share of the weight that tumours and MRI-occult lesions have in the likelihood, evenly: they are few, and what
#: intervals are asked for.
_SPECIAL_SHARE = 0.2
#: What the likelihood counts beside the squared deviations of coverage: alone, it leaves occult lesions uncovered.
_LIKELIHOOD, _DEVIATIONS = 3.0, 20.0
#: What the deviation counts in a metabolite, an n or a lambda, and in a patient, beside that in all, in tumours
#: and in each kind of occult spot.
#: Patients teach what holds on data unlike one's own: without them, maps by another simulator were covered less.
_CONDITION, _PATIENT = 0.2, 0.3
#: Of all coefficients but the offsets, squared.
_PENALTY = 1e-3
#: How softly a true value counts as inside its interval, in units of log(half-width).
_SOFTNESS = 0.15
#: Shares of the samples between which features are looked at.
_RANGE = (0.001, 0.999)
#: Added to errors before the logarithm, as a share of the level.
_LEAST_ERROR = 1e-4
#: Parts of the patients that intervals' widths are set on in turn.
_FOLDS = 5
#: Widths that are tried.
_WIDTHS = 200


def balanced_weights(samples: Samples) -> np.ndarray:
    """Weights, 1 in all: tumours and MRI-occult lesions count more than the few voxels that they are."""
    weights = np.zeros(len(samples.error))
    there = [index for index in range(len(REGIONS)) if (samples.region == index).any()]
    for index in there:
        ordinary = REGIONS[index] == "ordinary"
        share = 1 - _SPECIAL_SHARE if ordinary else _SPECIAL_SHARE / (len(REGIONS) - 1)
        own = samples.region == index
        weights[own] = share * samples.weight[own] / samples.weight[own].sum()
    return weights / weights.sum()


def _regions(samples: Samples) -> dict[str, np.ndarray]:
    """All, tumours and MRI-occult lesions, `(voxel,)` bool by name; those that there are."""
    groups = {"all": np.ones(len(samples.error), bool)}
    groups |= {name: samples.region == index for index, name in enumerate(REGIONS) if index}
    return {name: group for name, group in groups.items() if group.any()}


def _conditions(samples: Samples) -> dict[str, np.ndarray]:
    """Metabolites, n and lambda, as `_regions`."""
    groups = {name: samples.metabolite == index for index, name in enumerate(METABOLITES)}
    groups |= {f"n = {n}": samples.n == n for n in np.unique(samples.n)}
    groups |= {f"lambda = {value:g}": samples.sharpness == value for value in np.unique(samples.sharpness)}
    return {name: group for name, group in groups.items() if group.any()}


def fit_intervals(samples: Samples) -> IntervalModel:
    """Intervals that hold 68 % of the samples, and under which the errors are likely.

    68 % of all, of tumours and of each kind of occult spot, and, with less weight, of each patient's, metabolite's,
    n's and lambda's.

    Args:
        samples: of all metabolites.
    """
    torch.manual_seed(0)
    x = logarithms(samples.features)
    ranges = np.quantile(x, _RANGE, axis=0).T
    terms = interval_terms(np.clip(x, *ranges.T), samples.n, samples.sharpness)
    mean, deviation = terms.mean(axis=0), terms.std(axis=0)
    deviation[deviation < 1e-9] = 1.0
    standard, error = torch.from_numpy((terms - mean) / deviation), torch.from_numpy(np.abs(samples.error, dtype=float))
    metabolite, weights = torch.from_numpy(samples.metabolite).long(), torch.from_numpy(balanced_weights(samples))
    patients = {seed: samples.patient == seed for seed in np.unique(samples.patient)}
    counted = ((_regions(samples), 1.0), (_conditions(samples), _CONDITION), (patients, _PATIENT))
    groups = torch.from_numpy(np.stack([samples.weight * group for part, _ in counted for group in part.values()]))
    groups /= groups.sum(dim=1, keepdim=True)
    importance = torch.tensor([share for part, share in counted for _ in part], dtype=torch.float64)
    offsets = torch.full((len(METABOLITES),), -2.5, dtype=torch.float64, requires_grad=True)
    coefficients = torch.zeros(terms.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([offsets, coefficients], _RATE)
    for _ in range(_STEPS):
        width = standard @ coefficients + offsets[metabolite]
        inside = torch.sigmoid((width - torch.log(error + _LEAST_ERROR)) / _SOFTNESS)
        deviations = (importance * (groups @ inside - 0.68) ** 2).sum()
        tails = (_DEGREES + 1) / 2 * torch.log1p(error**2 / (_DEGREES * torch.exp(2 * width)))
        unlikely = (weights * (width + tails)).sum() + _PENALTY * (coefficients**2).sum()
        loss = _DEVIATIONS * deviations + _LIKELIHOOD * unlikely
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = coefficients.detach().numpy() / deviation
    return IntervalModel(offsets.detach().numpy() - mean @ found, found, ranges)


def half_widths(samples: Samples, intervals: IntervalModel) -> np.ndarray:
    """Of the samples' 68 % intervals, as shares of the level, `(voxel,)`."""
    return intervals.half_width(samples.features, samples.metabolite, samples.n, samples.sharpness)


def _quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(values, kind="stable")
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), share * weights.sum())])


def conformed_intervals(samples: Samples) -> tuple[IntervalModel, float]:
    """Intervals that hold 68 % of patients that they were not fitted on, and how much wider those are that hold 95 %.

    Widths are set on each fifth of the patients by intervals fitted on the others (cross-conformal prediction, Vovk
    2015, Ann Math Artif Intell 74:9). What a voxel is, is not known beforehand, and lesions err more than other tissue:
    the intervals are as wide as makes the largest deviation from 68 and 95 %, of all samples and of each of `REGIONS`,
    as small as it can be.

    Args:
        samples: of at least two patients, of all metabolites.
    """
    seeds = np.unique(samples.patient)
    fold = np.searchsorted(seeds, samples.patient) % min(_FOLDS, len(seeds))
    ratio = np.zeros(len(samples.error))
    for index in np.unique(fold):
        others = fit_intervals(samples.where(fold != index))
        own = samples.where(fold == index)
        ratio[fold == index] = np.abs(own.error) / half_widths(own, others)
    inner, outer = (_balanced(ratio, samples, share) for share in (0.68, 0.95))
    intervals = fit_intervals(samples)
    return replace(intervals, offsets=intervals.offsets + np.log(inner)), outer / inner


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


def coverage(samples: Samples, widths: np.ndarray, factor_95: float) -> dict[str, dict[str, float]]:
    """The share of true values inside the intervals: in all, in tumours and occult spots, by metabolite, n and lambda.

    Args:
        samples: of patients that took no part in making the intervals.
        widths: half-widths of the 68 % intervals, as shares of the level, `(voxel,)`.
        factor_95: half-width of the 95 % intervals in those.

    Returns:
        For each group "68 %" and "95 %", the shares; "width", the mean half-width of the 68 % intervals as a share of
        the map's level; and "voxels".
    """
    found = {}
    for name, own in (_regions(samples) | _conditions(samples)).items():
        weights, error, width = samples.weight[own], np.abs(samples.error[own]), widths[own]
        found[name] = {
            "68 %": float(np.average(error <= width, weights=weights)),
            "95 %": float(np.average(error <= factor_95 * width, weights=weights)),
            "width": float(np.average(width, weights=weights)),
            "voxels": int(own.sum()),
        }
    return found
