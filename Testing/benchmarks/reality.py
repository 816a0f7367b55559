"""What weights are worth where they were not trained: foreign simulations, and real examinations' held-back k-space.

    python Testing/benchmarks/reality.py [--weights FILE ...] [--examination FOLDER] [--output TABLE.tsv]

Foreign simulations are `clinic_maps` on TCGA-DU-7294 and, if its folder is given, on a person with multiple sclerosis.
Real examinations are K_01 (n = 14 cut to 10) and, if its folder is given, a whole-brain examination with painted MRI
(`painted_examination`; n = 42 cut to 16, 24 and 28). Each row is one method: the gain over zero-filling inside the
brain in dB, in all, by n and of the least metabolite; the share of contrast kept of spots that MRI does not show; and
what the self-check says.
"""

import argparse
import sys
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing" / "real_data"))

from clinic_maps import ClinicMaps, clinic_maps, glioma_patient, sclerosis_patient  # noqa: E402
from painted_examination import read_painted_examination  # noqa: E402

from inference_core.errors import InputWarning  # noqa: E402
from inference_core.imaging.failed_fits import fill_enclosed_zeros  # noqa: E402
from inference_core.inference.held_back import with_less_kspace  # noqa: E402
from inference_core.inference.map_noise import MapNoise, noise_from_bounds  # noqa: E402
from inference_core.inference.prepared_input import PreparedInput  # noqa: E402
from inference_core.inference.self_check import self_check  # noqa: E402
from inference_core.inference.super_resolver import SuperResolver  # noqa: E402
from inference_core.networks import kspace  # noqa: E402
from inference_core.research.evaluation.metrics import psnr  # noqa: E402
from inference_core.research.evaluation.true_details import region_contrasts, share_recovered  # noqa: E402
from inference_core.terms.conditions import METABOLITES  # noqa: E402

RESOLUTIONS = (12, 16, 24, 32)
#: Resolutions that the whole-brain examination is cut to.
CUTS = (16, 24, 28)
#: How the network's detail is treated, and the measured k-space kept.
TREATMENTS = (("network", "hard"), ("matched", "hard"), ("matched", "noise"))
#: Bounds above this, percent, are left out of K_01.
_LARGEST_BOUND = 40
_MATRIX = (64, 64)


class Scores:
    """Gains and contrasts of one method."""

    def __init__(self) -> None:
        self.gains: dict[tuple, list[float]] = defaultdict(list)
        self.contrasts: list = []
        self.explained: list[float] = []

    def mean(self, place: int | None = None, value=None) -> float:
        """The mean gain, of all or where the key's `place` is `value`; each key counts once."""
        chosen = [np.mean(gains) for key, gains in self.gains.items() if place is None or key[place] == value]
        return float(np.mean(chosen)) if chosen else float("nan")

    def by(self, place: int) -> dict:
        """Mean gains by the values that the keys have at a place."""
        return {value: self.mean(place, value) for value in dict.fromkeys(key[place] for key in self.gains)}


def zero_filled(prepared: PreparedInput, slices: list[int]) -> np.ndarray:
    """The standard method's maps."""
    return kspace.zero_filled(torch.from_numpy(prepared.low_resolution[slices]), _MATRIX).numpy()


def gains(output: np.ndarray, standard: np.ndarray, truth: np.ndarray, brain: np.ndarray) -> list[float]:
    """By how many dB the output is nearer to the truth than the standard method, slice by slice."""
    return [
        psnr(own * inside, true * inside) - psnr(other * inside, true * inside)
        for own, other, true, inside in zip(output, standard, truth, brain, strict=True)
    ]


def treated(resolver: SuperResolver, detail: str, consistency: str) -> SuperResolver:
    """The same network, its detail and the measured k-space treated otherwise."""
    return resolver.with_detail(detail).with_consistency(consistency)


def noise_of(prepared: PreparedInput, deviation: float) -> MapNoise:
    """A map's noise where its standard deviation is known, as Cramér-Rao bounds would tell it."""
    percent = 100 * deviation / np.maximum(prepared.low_resolution, deviation)
    return noise_from_bounds(prepared, sitk.GetImageFromArray(percent.astype(np.float32)))


def foreign(
    maps: ClinicMaps,
    resolvers: dict[str, SuperResolver],
    slices: list[int],
    scores: dict,
    resolutions: Sequence[int] = RESOLUTIONS,
    metabolites: Sequence[str] = METABOLITES,
) -> None:
    """Measure on one person's simulated maps."""
    for n in resolutions:
        for metabolite in metabolites:
            first = next(iter(resolvers.values()))
            prepared = first.prepare(maps.measured(metabolite, n), maps.t1, maps.flair)
            truth, occult = maps.truth[metabolite][slices], maps.occult[metabolite][slices]
            brain, lesions = maps.brain[slices], maps.tumour[slices] | (occult != 0)
            standard = zero_filled(prepared, slices)

            def contrasts(images, truth=truth, occult=occult, brain=brain, lesions=lesions):
                found = []
                for arrays in zip(images, truth, occult, brain, lesions, strict=True):
                    image, true, spots, inside, known = arrays
                    for sign in (1, -1):
                        region = spots == sign
                        found += region_contrasts(image, true, region, inside, known & ~region)
                return found

            scores["zero-filling"].contrasts += contrasts(standard)
            for weights, resolver in resolvers.items():
                for treatment in TREATMENTS:
                    own, score = treated(resolver, *treatment), scores[", ".join((weights, *treatment))]
                    own.match(prepared, metabolite, noise_of(prepared, maps.deviation(metabolite, n)))
                    output = own.super_resolve(prepared, metabolite, 0.0, slices)
                    score.gains[n, metabolite] += gains(output, standard, truth, brain & prepared.brain[slices])
                    score.contrasts += contrasts(output)
                    score.explained.append(self_check(own, prepared, metabolite, slices=slices).explained)
        print(f"n = {n} done", flush=True)


def held_back(
    images: dict[str, sitk.Image],
    t1: sitk.Image,
    flair: sitk.Image,
    cuts: tuple[int, ...],
    resolvers: dict[str, SuperResolver],
    scores: dict,
    slices: list[int] | None,
) -> None:
    """Measure on a real examination's k-space beyond a cut."""
    for metabolite, image in images.items():
        full = next(iter(resolvers.values())).prepare(image, t1, flair)
        full = replace(full, low_resolution=np.stack([fill_enclosed_zeros(own) for own in full.low_resolution]))
        chosen = list(range(full.grid.slices)) if slices is None else slices
        truth, brain = zero_filled(full, chosen), full.brain[chosen]
        for n in cuts:
            cut = with_less_kspace(full, (n, n))
            standard = zero_filled(cut, chosen)
            for weights, resolver in resolvers.items():
                for treatment in TREATMENTS:
                    own, score = treated(resolver, *treatment), scores[", ".join((weights, *treatment))]
                    output = own.super_resolve(cut, metabolite, 0.0, chosen)
                    score.gains[n, metabolite] += gains(output, standard, truth, brain)
                    if n == cuts[-1]:
                        score.explained.append(self_check(own, full, metabolite, slices=chosen).explained)


def print_table(name: str, scores: dict[str, Scores], rows: list[list[str]]) -> None:
    """One part of the table."""
    print(f"\n{name}")
    for method, score in scores.items():
        spots = share_recovered(score.contrasts) if score.contrasts else None
        spots = "-" if spots is None else f"{spots:.2f}"
        if not score.gains:
            print(f"  {method:<24} spots {spots}")
            rows.append([name, method, "", "", "", spots, ""])
            continue
        by_n, by_metabolite = score.by(0), score.by(1)
        least = min(by_metabolite, key=by_metabolite.get)
        each = " / ".join(f"{n}: {gain:.1f}" for n, gain in by_n.items())
        explained = float(np.mean(score.explained))
        print(
            f"  {method:<24} {score.mean():+.2f} dB  ({each})  least {least} {by_metabolite[least]:+.2f}  "
            f"spots {spots}  self-check {explained:+.2f}"
        )
        least_gain = f"{least} {by_metabolite[least]:+.2f}"
        rows.append([name, method, f"{score.mean():+.2f}", each, least_gain, spots, f"{explained:+.3f}"])


def k01(data: Path) -> tuple[dict[str, sitk.Image], sitk.Image, sitk.Image]:
    """K_01's maps without voxels whose fit failed, its T1, and its T2 in FLAIR's place."""
    folder, images = data / "oryx-K_01", {}
    for metabolite in ("tCho", "tCr", "NAA", "Ins", "Glu"):
        image = sitk.ReadImage(str(folder / "maps" / f"K_01_conc_{metabolite}.nii.gz"), sitk.sitkFloat32)
        bounds = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "maps" / f"K_01_sd_{metabolite}.nii.gz")))
        images[metabolite] = sitk.GetImageFromArray(
            np.where(bounds > _LARGEST_BOUND, 0, sitk.GetArrayFromImage(image)).astype(np.float32)
        )
        images[metabolite].CopyInformation(image)
    return images, *(sitk.ReadImage(str(folder / f"{name}_brain.nii.gz"), sitk.sitkFloat32) for name in ("t1", "t2"))


def measure(arguments: argparse.Namespace) -> None:
    """All of it."""
    resolvers = {"default": SuperResolver.load(device=arguments.device)}
    resolvers |= {path.stem: SuperResolver.load(path, arguments.device) for path in arguments.weights}
    rows: list[list[str]] = []
    people = {} if arguments.real_only else {"foreign simulation, TCGA-DU-7294": glioma_patient(arguments.data)}
    if arguments.sclerosis and not arguments.real_only:
        people["foreign simulation, multiple sclerosis"] = sclerosis_patient(arguments.sclerosis)
    for name, patient in people.items():
        scores: dict[str, Scores] = defaultdict(Scores)
        foreign(clinic_maps(patient), resolvers, [1, 4, 7, 10], scores, arguments.n, arguments.metabolite)
        print_table(name, scores, rows)
    scores = defaultdict(Scores)
    held_back(*k01(arguments.data), (10,), resolvers, scores, None)
    print_table("held-back k-space, K_01 (n = 14 cut to 10)", scores, rows)
    if arguments.examination:
        own, scores = read_painted_examination(arguments.examination), defaultdict(Scores)
        held_back(own.maps, own.t1, own.flair, CUTS, resolvers, scores, [4, 6, 8, 10, 12, 14, 16])
        print_table("held-back k-space, whole brain (n = 42 cut)", scores, rows)
    if arguments.output:
        header = ["what", "method", "gain, dB", "by n", "least metabolite", "spots kept", "self-check"]
        arguments.output.write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the test data")
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="weights to measure beside the default")
    parser.add_argument("--sclerosis", type=Path, help="folder with t1, flair and lesion of a person")
    parser.add_argument("--examination", type=Path, help="folder of a whole-brain examination")
    parser.add_argument("--n", type=int, nargs="+", default=RESOLUTIONS, help="of the foreign simulations")
    parser.add_argument("--metabolite", nargs="+", default=METABOLITES, help="of the foreign simulations")
    parser.add_argument("--real-only", action="store_true", help="leave the foreign simulations out")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, help="table to write")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        measure(parser.parse_args())
