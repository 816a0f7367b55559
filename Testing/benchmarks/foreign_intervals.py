"""Whether the uncertainty's intervals hold on maps by another simulator than the one that they were calibrated on.

    python Testing/benchmarks/foreign_intervals.py [--sclerosis FOLDER ...] [--seed 0]

Maps are `clinic_maps` on TCGA-DU-7294 and, if their folders are given, on people with multiple sclerosis; lambda is 0.
Prints the share of true values that the 68 and 95 % intervals hold: of all voxels, in the tumour, at spots that MRI
does not show, and by n.
"""

import argparse
import sys
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing" / "real_data"))

from clinic_maps import ClinicMaps, clinic_maps, glioma_patient, sclerosis_patient  # noqa: E402

from inference_core.errors import InputWarning  # noqa: E402
from inference_core.inference.super_resolver import SuperResolver  # noqa: E402
from inference_core.inference.uncertainty.calibration import Calibration, load_calibration  # noqa: E402
from inference_core.inference.uncertainty.features import gather_features  # noqa: E402

_RESOLUTIONS = (12, 16, 24, 32)
_METABOLITES = ("tCho", "NAA", "Gly", "Glu", "Ins")
_SLICES = [2, 5, 8]


def measure(maps: ClinicMaps, resolver: SuperResolver, calibration: Calibration) -> dict[str, np.ndarray]:
    """Voxels inside the 68 % and the 95 % intervals, and all voxels, `(3,)`, by region and by n."""
    found: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(3))
    for n in _RESOLUTIONS:
        for metabolite in _METABOLITES:
            prepared = resolver.prepare(maps.measured(metabolite, n), maps.t1, maps.flair)
            values, features = gather_features(resolver, prepared, metabolite, 0.0, _SLICES)
            width = calibration.uncertainty(features, metabolite, n, 0.0)
            error = np.abs(values - maps.truth[metabolite][_SLICES])
            brain, spots = maps.brain[_SLICES] & prepared.brain[_SLICES], maps.occult[metabolite][_SLICES]
            regions = {"all": brain, "tumour": brain & maps.tumour[_SLICES] & (spots == 0)}
            regions |= {"occult": brain & (spots != 0), "raised": brain & (spots > 0), "lowered": brain & (spots < 0)}
            regions |= {f"n = {n}": brain}
            for name, region in regions.items():
                inside = error[region] <= width[region], error[region] <= calibration.factor_95 * width[region]
                found[name] += [*(part.sum() for part in inside), region.sum()]
    return found


def main() -> None:
    """Measure on each person, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the test data")
    parser.add_argument(
        "--sclerosis", type=Path, nargs="+", default=[], help="folders with t1, flair and lesion of a person each"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the maps and their spots (0)")
    arguments = parser.parse_args()
    resolver = SuperResolver.load(device="cpu")
    calibration = load_calibration(resolver.weights)
    people = {"TCGA-DU-7294": glioma_patient(arguments.data)}
    people |= {f"multiple sclerosis, {folder.name}": sclerosis_patient(folder) for folder in arguments.sclerosis}
    for name, person in people.items():
        print(f"{name}: share of true values inside the intervals")
        for region, (inner, outer, voxels) in measure(
            clinic_maps(person, arguments.seed), resolver, calibration
        ).items():
            if voxels:
                print(f"  {region:8} 68 %: {inner / voxels:.2f}  95 %: {outer / voxels:.2f}  of {voxels:.0f} voxels")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        main()
