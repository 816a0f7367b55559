"""Table 1, the tests of its pairs, and the means behind the figures, from what the jobs measured."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from inference_core.networks import count_parameters, create_network
from inference_core.research.evaluation.statistics import PairedTest, paired_tests
from inference_core.research.reproduction.methods import TRAINED_METHODS
from inference_core.research.reproduction.study import Study
from inference_core.research.reproduction.training import training_seconds


@dataclass(frozen=True)
class TableRow:
    """One method of Table 1.

    Attributes:
        title: of the method.
        psnr: mean and standard deviation over test maps, dB.
        ssim: the same.
        hours: of training, over all folds; None without training.
        parameters: in millions; None without a network.
        paper: what the paper gives: PSNR, SSIM, hours and parameters; None if nothing.
        maps: how many test maps, counted once for each n.
    """

    title: str
    psnr: tuple[float, float]
    ssim: tuple[float, float]
    hours: float | None
    parameters: float | None
    paper: tuple[str, str, str, str] | None
    maps: int


def read_results(study: Study, name: str) -> list:
    """What a job measured, for the folds where it is done."""
    paths = [study.result(name, fold) for fold in range(study.plan.folds)]
    return [json.loads(path.read_text(encoding="utf-8")) if path.exists() else None for path in paths]


def read_scores(study: Study) -> list[dict]:
    """All scores of all methods, with the fold that they are of."""
    scores = []
    for name in ("untrained", *study.plan.methods):
        for fold, own in enumerate(read_results(study, name)):
            scores += [{"fold": fold + 1, **score} for score in own or []]
    return scores


def _by_method(scores: Iterable[dict]) -> dict[str, list[dict]]:
    groups: dict[str, list[dict]] = {}
    for score in scores:
        groups.setdefault(score["method"], []).append(score)
    return groups


def table_rows(study: Study, scores: list[dict]) -> list[TableRow]:
    """Table 1, of the methods that have scores."""
    trained = {method.title: method for method in TRAINED_METHODS.values()}
    rows = []
    for title, own in _by_method(scores).items():
        psnr, ssim = ([score[key] for score in own] for key in ("psnr", "ssim"))
        method, hours, parameters = trained.get(title), None, None
        if method:
            folders = [
                study.network_folder(method.name, n, fold)
                for n in method.resolutions
                for fold in range(study.plan.folds)
            ]
            hours = sum(training_seconds(folder) for folder in folders) / 3600
            parameters = len(method.resolutions) * count_parameters(create_network(method.network)) / 1e6
        rows.append(
            TableRow(
                title,
                (float(np.mean(psnr)), float(np.std(psnr))),
                (float(np.mean(ssim)), float(np.std(ssim))),
                hours,
                parameters,
                method.paper if method else None,
                len(own),
            )
        )
    return rows


def pairs_tested(scores: list[dict], figure: str) -> list[PairedTest]:
    """The Wilcoxon test of each pair of methods, over the test maps and n that all of them have."""
    cases = {
        title: {(s["fold"], s["n"], s["metabolite"], s["slice"]): s[figure] for s in own}
        for title, own in _by_method(scores).items()
    }
    shared = sorted(set.intersection(*(set(own) for own in cases.values()))) if cases else []
    if not shared:
        return []
    return paired_tests({title: np.array([own[case] for case in shared]) for title, own in cases.items()})


def mean_matrices(study: Study) -> dict[str, np.ndarray] | None:
    """Fig. 2's two matrices of SSIM, means over folds, or None if not measured."""
    done = [result for result in read_results(study, "conditions") if result]
    if not done:
        return None
    return {key: np.mean([result[key] for result in done], axis=0) for key in done[0]}


def sharpness_means(study: Study) -> dict[str, dict[str, float]] | None:
    """For each lambda, and each method without training: mean PSNR, SSIM, sharpness and, if measured, LPIPS.

    None if nothing was measured.
    """
    scores = [score for result in read_results(study, "sharpness") if result for score in result["scores"]]
    if not scores:
        return None
    means = {
        name: {key: float(np.mean([s[key] for s in own])) for key in ("psnr", "ssim", "sharpness")}
        for name, own in _by_method(scores).items()
    }
    perceptual = [result["lpips"] for result in read_results(study, "sharpness") if result and "lpips" in result]
    for name in perceptual[0] if perceptual else ():
        means[name]["lpips"] = float(np.mean([own[name] for own in perceptual]))
    return means


def detail_figures(study: Study) -> dict[str, dict[str, float]] | None:
    """For each lambda and method without training: what is recovered, kept and invented; None if unknown."""
    done = [result["details"] for result in read_results(study, "sharpness") if result and "details" in result]
    if not done:
        return None
    figures = {}
    for parts in zip(*done, strict=True):
        own = {f"{k} recovered": float(np.nanmean([p[f"{k} recovered"] for p in parts])) for k in _KINDS}
        for kind in _KINDS[1:]:
            in_all = sum(p[f"{kind} in all"] for p in parts)
            own[f"{kind} kept"] = sum(p[f"{kind} kept"] for p in parts) / in_all if in_all else float("nan")
            own[f"{kind} in all"] = in_all
        maps = sum(p["maps"] for p in parts)
        own["kept a map"] = sum(p[f"{kind} kept"] for p in parts for kind in _KINDS[1:]) / maps
        own["invented a map"] = sum(p["invented"] for p in parts) / maps
        figures[parts[0]["method"]] = own
    return figures


_KINDS = ("tumour", "raised", "lowered")


def turning_point(figures: dict[str, dict[str, float]]) -> float | None:
    """The first lambda at which more spots are invented than kept, both beyond those at lambda = 0; None if nowhere."""
    start = figures["0"]
    for name, own in figures.items():
        try:
            sharpness = float(name)
        except ValueError:
            continue
        invented = own["invented a map"] - start["invented a map"]
        if sharpness > 0 and invented > max(0.0, own["kept a map"] - start["kept a map"]):
            return sharpness
    return None
