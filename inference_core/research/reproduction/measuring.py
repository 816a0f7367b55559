"""What is measured on a fold's test patients, each as one JSON file."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from inference_core.files.atomic import write_file
from inference_core.files.folders import make_folders
from inference_core.research.data.batches import make_batch
from inference_core.research.data.slice_set import SliceSet
from inference_core.research.evaluation.comparison import compare
from inference_core.research.evaluation.detail_scores import detail_scores, together
from inference_core.research.evaluation.map_batches import map_batches
from inference_core.research.evaluation.methods import Method, network_method, zero_filling
from inference_core.research.reproduction.methods import TrainedMethod, untrained_methods
from inference_core.research.reproduction.study import Study
from inference_core.terms.conditions import METABOLITES, SHARPNESS_RANGE, TRAINED_RESOLUTIONS

#: The lambdas that are looked at.
SHARPNESSES = (0.0, 0.01, 0.02, 0.03, 0.045, 0.06, 0.075, 0.09, SHARPNESS_RANGE[1])
#: Slices of each patient, and n, that studies of conditions look at: they run the network dozens of times on each.
_FEW_SLICES, _FEW_RESOLUTIONS = 2, (16, 24, 32)
#: A plan's `lpips` where the trunk is not a file.
DOWNLOADED = "downloaded"

Progress = Callable[[Iterable], Iterable]


def _write(path: Path, content: object) -> None:
    make_folders(path.parent)
    write_file(path, json.dumps(content))


def _load(weights: Path, device: str):
    """A network as fast as can be, called as `MultiEncoderUNet.forward`."""
    from inference_core.engine.engine import Engine
    from inference_core.engine.heads import can_be_folded
    from inference_core.networks.weights_io import load_weights

    network = load_weights(weights)[0].to(device)
    return Engine(network, device) if can_be_folded(network) else network


def _few(slices: SliceSet) -> list[int]:
    """Indices of a few slices of each patient, spread evenly."""
    chosen = []
    for patient in np.unique(slices.patient):
        own = np.flatnonzero(slices.patient == patient)
        chosen += own[((np.arange(_FEW_SLICES) + 0.5) * len(own) / _FEW_SLICES).astype(int)].tolist()
    return sorted(set(chosen))


def _taken(slices: SliceSet, chosen: list[int]) -> SliceSet:
    maps = {name: getattr(slices, name)[:, chosen] for name in ("acquired", "target", "valid")}
    return SliceSet(**maps, **{name: getattr(slices, name)[chosen] for name in ("t1", "flair", "patient")})


def measure_untrained(study: Study, fold: int, progress: Progress = iter) -> None:
    """Scores of the methods that need no training."""
    scores = compare(untrained_methods(), study.test_slices(fold), TRAINED_RESOLUTIONS, progress=progress)
    _write(study.result("untrained", fold), [asdict(score) for score in scores])


def measure_method(study: Study, method: TrainedMethod, fold: int, progress: Progress = iter) -> None:
    """Scores of a trained method at lambda = 0, for every test map and n."""
    slices, scores = study.test_slices(fold), []
    for resolutions in method.resolutions:
        network = _load(study.network_folder(method.name, resolutions, fold) / "weights.safetensors", study.device)
        scores += compare({method.title: network_method(network)}, slices, resolutions, progress=progress)
    _write(study.result(method.name, fold), [asdict(score) for score in scores])


def measure_conditions(study: Study, weights: Path, fold: int, progress: Progress = iter) -> None:
    """SSIM with conditions that are not the input's: rows are inputs, columns what is told (paper, Fig. 2)."""
    network, slices = _load(weights, study.device), study.test_slices(fold)
    slices = _taken(slices, _few(slices))
    told_n = {str(n): network_method(network, n=n) for n in TRAINED_RESOLUTIONS}
    told_metabolite = {name: network_method(network, metabolite=m) for m, name in enumerate(METABOLITES)}
    by_n = compare(told_n, slices, TRAINED_RESOLUTIONS, progress=progress)
    by_metabolite = compare(told_metabolite, slices, _FEW_RESOLUTIONS, progress=progress)

    def matrix(scores, key, inputs, told) -> list[list[float]]:
        cells = {(i, t): [] for i in inputs for t in told}
        for score in scores:
            cells[getattr(score, key), score.method].append(score.ssim)
        return [[float(np.mean(cells[i, t])) if cells[i, t] else float("nan") for t in told] for i in inputs]

    _write(
        study.result("conditions", fold),
        {
            "resolution": matrix(by_n, "n", TRAINED_RESOLUTIONS, told_n),
            "metabolite": matrix(by_metabolite, "metabolite", METABOLITES, told_metabolite),
        },
    )


def measure_sharpness(study: Study, weights: Path, fold: int, progress: Progress = iter) -> None:
    """Fidelity, sharpness and, where the truth is known, true and invented details over lambda (paper, Fig. 4)."""
    network, slices = _load(weights, study.device), study.test_slices(fold)
    few = _few(slices)
    methods = {f"{value:g}": network_method(network, value) for value in SHARPNESSES} | untrained_methods()
    scores = compare(methods, _taken(slices, few), _FEW_RESOLUTIONS, progress=progress)
    result = {"scores": [asdict(score) for score in scores]}
    if study.plan.lpips:
        result["lpips"] = _perceptual(study.plan.lpips, methods, slices, few)
    if study.plan.simulated:
        lesions = together(study.patients[number].lesions() for number in study.folds[fold].test)
        result["details"] = detail_scores(methods, slices, lesions, _FEW_RESOLUTIONS, few)
    _write(study.result("sharpness", fold), result)


def open_lpips(lpips: str):
    """LPIPS as a plan names it.

    Raises:
        InputError: as `load_lpips`.
    """
    from inference_core.research.evaluation.perceptual import load_lpips

    return load_lpips(None if lpips == DOWNLOADED else Path(lpips))


def _perceptual(lpips: str, methods: dict[str, Method], slices: SliceSet, few: list[int]) -> dict[str, float]:
    """Each method's mean LPIPS."""
    measure, found = open_lpips(lpips), {name: [] for name in methods}
    for part in map_batches(slices, _FEW_RESOLUTIONS, chosen=few):
        batch = part.of(slices)
        truths = batch.target.numpy()[:, 0]
        for name, method in methods.items():
            outputs = (method(batch).cpu() * batch.mask).numpy()[:, 0]
            found[name] += [measure(output, truth) for output, truth in zip(outputs, truths, strict=True)]
    return {name: float(np.mean(values)) for name, values in found.items()}


def example_maps(study: Study, weights: Path, fold: int, cases: list[tuple[int, int, int]]) -> list[dict]:
    """Arrays of a few maps for the visual comparison: for each (slice, metabolite, n), the images by title.

    Besides, "truth", "brain" and "flair", and the LPIPS of each where the plan has it.
    """
    network, slices = _load(weights, study.device), study.test_slices(fold)
    methods = {"zero-filling": zero_filling}
    methods |= {f"λ = {value:g}": network_method(network, value) for value in (0.0, 0.03, 0.06, 0.09)}
    perceptual = open_lpips(study.plan.lpips) if study.plan.lpips else None
    rows = []
    for index, m, n in cases:
        maps = [array[m, [index]] for array in (slices.acquired, slices.target, slices.valid)]
        batch = make_batch(*maps, slices.t1[[index]], slices.flair[[index]], n, m, 0.0)
        outputs = {name: (method(batch).cpu() * batch.mask).numpy()[0, 0] for name, method in methods.items()}
        truth = batch.target.numpy()[0, 0]
        rows.append(
            {
                "metabolite": METABOLITES[m],
                "n": n,
                "outputs": outputs,
                "lpips": {name: perceptual(image, truth) for name, image in outputs.items()} if perceptual else {},
                "truth": truth,
                "brain": slices.valid[m, index],
                "flair": slices.flair[index][..., 1].astype(np.float32),
            }
        )
    return rows
