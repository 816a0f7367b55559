"""What lambda does, and where it looks best: the paper's Fig. 4 on simulated and on foreign maps.

    python Testing/benchmarks/sharpness.py OUTPUT [--weights FILE ...] [--lpips-trunk FILE]

Simulated patients are measured on the paper's scanner and on one with a clinic's point spread and noise; foreign maps
are `clinic_maps` on TCGA-DU-7294, by another simulator. OUTPUT gets table.tsv and figure.png: PSNR, LPIPS where
the package lpips is installed, and the energy of fine detail relative to the truth's, over lambda.
"""

import argparse
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing" / "real_data"))

from clinic_maps import clinic_maps, glioma_patient  # noqa: E402

from inference_core.errors import InputError, InputWarning  # noqa: E402
from inference_core.inference.prepared_input import PreparedInput  # noqa: E402
from inference_core.inference.super_resolver import SuperResolver  # noqa: E402
from inference_core.networks import kspace  # noqa: E402
from inference_core.research.calibration.samples import prepare_slices  # noqa: E402
from inference_core.research.data.simulated import SimulatedSlices  # noqa: E402
from inference_core.research.evaluation.metrics import high_frequency_energy, psnr  # noqa: E402
from inference_core.research.evaluation.perceptual import Lpips, load_lpips  # noqa: E402
from inference_core.research.phantom.acquisition import Scanner  # noqa: E402
from inference_core.terms.conditions import METABOLITES  # noqa: E402

SHARPNESSES = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1)
RESOLUTIONS = (16, 24)
#: Patients that neither train, validate nor calibrate weights.
_FIRST_SEED = 2_000_000
_CLINIC = Scanner(1.2, 3.0)
_MEASURES = ("PSNR, dB", "LPIPS", "fine detail")

#: A map, its metabolite, the slices that are looked at, the truth and where it is valid, `(slice, 64, 64)`.
Case = tuple[PreparedInput, str, list[int], np.ndarray, np.ndarray]


def simulated(scanner: Scanner | None, patients: int) -> Iterator[Case]:
    """Maps of simulated patients, two slices each."""
    for seed in range(_FIRST_SEED, _FIRST_SEED + patients):
        slices = SimulatedSlices(seed, 2, scanner=scanner).slices()
        usable = slices.usable()
        for index, metabolite in enumerate(METABOLITES):
            chosen = np.flatnonzero(usable[index]).tolist()
            for n in RESOLUTIONS:
                if chosen:
                    prepared = prepare_slices(slices, index, n)
                    yield prepared, metabolite, chosen, slices.target[index, chosen], slices.valid[index, chosen]


def foreign(data: Path, resolver: SuperResolver) -> Iterator[Case]:
    """Maps by another simulator."""
    maps, slices = clinic_maps(glioma_patient(data)), [2, 5, 8]
    for n in RESOLUTIONS:
        for metabolite in METABOLITES:
            prepared = resolver.prepare(maps.measured(metabolite, n), maps.t1, maps.flair)
            yield prepared, metabolite, slices, maps.truth[metabolite][slices], maps.brain[slices]


def scores(images: np.ndarray, truth: np.ndarray, valid: np.ndarray, lpips: Lpips | None) -> list[tuple[float, ...]]:
    """The measures of each slice."""
    found = []
    for image, true, inside in zip(images * valid, truth * valid, valid, strict=True):
        look = lpips(image, true) if lpips else float("nan")
        found.append((psnr(image, true), look, high_frequency_energy(image, true, inside)))
    return found


def measure(cases: Iterator[Case], resolvers: dict[str, SuperResolver], lpips: Lpips | None) -> dict[str, np.ndarray]:
    """Means by method: `(lambda, measure)`, or `(1, measure)` for zero-filling."""
    found: dict[str, dict] = defaultdict(lambda: defaultdict(list))
    for prepared, metabolite, slices, truth, valid in cases:
        standard = kspace.zero_filled(torch.from_numpy(prepared.low_resolution[slices]), (64, 64)).numpy()
        found["zero-filling"][0] += scores(standard, truth, valid, lpips)
        for name, resolver in resolvers.items():
            for index, sharpness in enumerate(SHARPNESSES):
                output = resolver.super_resolve(prepared, metabolite, sharpness, slices)
                found[name][index] += scores(output, truth, valid, lpips)
    return {name: np.array([np.mean(rows, axis=0) for rows in own.values()]) for name, own in found.items()}


def draw(figures: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """One row a set of maps, one column a measure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3 * len(figures)), layout="constrained")
    axes = figure.subplots(len(figures), len(_MEASURES), squeeze=False)
    for row, (what, methods) in zip(axes, figures.items(), strict=True):
        for column, (axis, measured) in enumerate(zip(row, _MEASURES, strict=True)):
            for name, values in methods.items():
                if name == "zero-filling":
                    axis.axhline(values[0, column], color="grey", linestyle=":", label=name)
                else:
                    axis.plot(SHARPNESSES, values[:, column], marker="o", label=name)
            axis.set(title=f"{what}: {measured}", xlabel="λ")
        row[0].legend(fontsize="small")
    figure.savefig(path, dpi=110)


def main(arguments: argparse.Namespace) -> None:
    """Measure, and write the table and the figure."""
    resolvers = {"default": SuperResolver.load(device="cpu", detail=arguments.detail)}
    resolvers |= {path.stem: SuperResolver.load(path, "cpu", detail=arguments.detail) for path in arguments.weights}
    try:
        lpips = load_lpips(arguments.lpips_trunk)
    except InputError as error:
        lpips = None
        print(f"Without LPIPS: {error}")
    sets: dict[str, Callable[[], Iterator[Case]]] = {
        "simulated": lambda: simulated(None, arguments.patients),
        "simulated, clinic": lambda: simulated(_CLINIC, arguments.patients),
        "foreign": lambda: foreign(arguments.data, next(iter(resolvers.values()))),
    }
    figures, rows = {}, [["maps", "method", "lambda", *_MEASURES]]
    for what, cases in sets.items():
        figures[what] = measure(cases(), resolvers, lpips)
        for name, values in figures[what].items():
            for sharpness, row in zip(SHARPNESSES, values, strict=False):
                told = "" if name == "zero-filling" else f"{sharpness:g}"
                rows.append([what, name, told, *(f"{value:.4f}" for value in row)])
                print("\t".join(rows[-1]), flush=True)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "table.tsv").write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")
    draw(figures, arguments.output / "figure.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the test data")
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="weights to measure beside the default")
    parser.add_argument("--detail", default="network", help="as of `mrsi-superres predict`")
    parser.add_argument("--patients", type=int, default=6)
    parser.add_argument("--lpips-trunk", type=Path, help="torchvision's weights of AlexNet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        main(parser.parse_args())
