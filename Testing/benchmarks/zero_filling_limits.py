"""Finds the limits by which zero-filled maps are recognised, and measures what each of them is worth.

Simulated patients' maps are measured at n x n voxels, zero-filled to 32, 48 and 64 voxels (whole, rounded to integers,
masked by the brain, cut off at one side, and on matrices that are not square), and left as measured. Each map's
measured matrix is either found exactly, missed, or found wrong; a map as measured that is taken for a zero-filled one
is a false alarm. The score is the number of exact findings less 5 for each wrong one and 25 for each false alarm. A
miss loses what super-resolution could add; a false alarm throws away what was measured.

    python Testing/benchmarks/zero_filling_limits.py            # what each shipped limit is worth
    python Testing/benchmarks/zero_filling_limits.py --search   # finds the limits, without a look at the shipped ones

For each value of `certain`, the search starts in the middle of the other limits' `VALUES` and takes them in turn until
none gets better; the best of these is found, in one to four minutes on one core. Both print the outcomes on simulated
patients that took no part, and, where ../shared/data lies beside the checkout, on the maps of a real examination,
zero-filled from their 14 x 14 voxels,
and on maps of another simulator on a real patient's anatomy.
"""

import argparse
import dataclasses
import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing" / "real_data"))

from glioma_maps import simulate_maps  # noqa: E402

from inference_core.imaging.zero_filling_traces import LIMITS, AxisProfiles, Limits, zero_filled_from  # noqa: E402
from inference_core.networks import kspace  # noqa: E402
from inference_core.research.phantom import simulate_patient  # noqa: E402
from inference_core.terms.conditions import METABOLITES  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
#: Seeds of the simulated patients: those that the limits are tuned on, and those that they are tested on.
TUNING, HELD_OUT = range(400, 408), range(500, 508)
#: What a finding of each kind counts.
WORTH = {"exact": 1, "left alone": 0, "missed": 0, "wrong": -5, "false alarm": -25}
#: Values that the search tries. The first switches a limit off, but for `trusted_share` and `certain`. Lower values of
#: `certain`, or higher ones of the others, can score better here but find more of the real maps wrong.
VALUES = {
    "trusted_share": (0.25, 0.35),
    "step": (0.0, 2.0, 4.0, 6.0, 8.0),
    "partner_share": (0.0, 0.2, 0.3, 0.4, 0.5),
    "partner_offset": (0.0, 2.0, 4.0),
    "masked_loss": (0.0, 5.0, 10.0, 15.0, 20.0),
    "certain": (12.0, 14.0, 16.0),
}
#: Limits whose values the search starts from, one descent for each combination.
STARTS = ("certain",)


@dataclass
class Case:
    """A map whose measured matrix is known.

    Attributes:
        kind: how it was made.
        array: `(slice, row, column)`.
        measured: rows and columns that it was zero-filled from, or None for a map as measured.
        square: whether matrix and field of view are.
    """

    kind: str
    array: np.ndarray
    measured: tuple[int, int] | None
    square: bool = True

    def axes(self, trusted_share: float) -> tuple[AxisProfiles, AxisProfiles]:
        """Profiles along rows and columns."""
        along = (np.moveaxis(self.array, axis, -1).reshape(-1, self.array.shape[axis]) for axis in (1, 2))
        rows, columns = (AxisProfiles(profiles.astype(float), trusted_share) for profiles in along)
        return rows, columns


def cases(seed: int) -> Iterator[Case]:
    """The maps of one simulated patient."""
    patient = simulate_patient(seed).middle_slices(3)
    brain = patient.truth[0] > 0.3

    def masked(array: np.ndarray) -> np.ndarray:
        places = (np.arange(size) * 64 // size for size in array.shape[1:])
        return array * brain[np.ix_(range(len(brain)), *places)]

    def low_resolution(metabolite: int, shape: tuple[int, int]) -> torch.Tensor:
        return kspace.low_resolution(torch.from_numpy(patient.acquired[metabolite]), shape)

    for metabolite in range(7):
        for array in (patient.acquired[metabolite], patient.truth[metabolite]):
            yield Case("as measured, 64", array, None)
            yield Case("as measured, 64, masked", masked(array), None)
    for number, n in enumerate(range(12 + seed % 3, 33, 3)):
        metabolite = (number + seed) % 7
        low = low_resolution(metabolite, (n, n))
        yield Case("as measured, n", low.numpy(), None)
        yield Case("as measured, n, masked", masked(low.numpy()), None)
        for size in (32, 48, 64):
            if n >= size - 2:
                continue
            filled = kspace.zero_filled(low, (size, size)).numpy()
            yield Case(f"{size}, whole", filled, (n, n))
            yield Case(f"{size}, rounded", np.round(filled * 1000 / filled.max()), (n, n))
            cut = filled.copy()
            np.moveaxis(cut, 1 + number % 2, 0)[: size // 3] = 0
            yield Case(f"{size}, cut", cut, (n, n))
            # Where a mask hides as many voxels as zero-filling added, there is nothing to find.
            if n <= 0.55 * size:
                yield Case(f"{size}, masked", masked(filled), (n, n))
        narrow = (n, round(0.75 * n))
        if narrow[1] >= 12:
            filled = kspace.zero_filled(low_resolution(metabolite, narrow), (64, 48)).numpy()
            yield Case("64 x 48, whole", filled, narrow, square=False)
            yield Case("64 x 48, masked", masked(filled), narrow, square=False)


def real_cases() -> Iterator[Case]:
    """The maps of a real examination, and maps on a real patient's anatomy."""
    for file in sorted((DATA / "oryx-K_01" / "maps").glob("*_conc_*.nii.gz")):
        array = np.nan_to_num(sitk.GetArrayFromImage(sitk.ReadImage(str(file)))).clip(min=0).astype(np.float32)
        yield Case("examination, as measured", array, None)
        for size in (24, 32, 48, 64):
            filled = kspace.zero_filled(torch.from_numpy(array), (size, size)).numpy()
            yield Case("examination, whole", filled, array.shape[1:])
            yield Case("examination, rounded", np.round(filled * 1000 / filled.max()), array.shape[1:])
    folder, names = DATA / "tcga-DU-7294", ("t1", "flair", "tumour_segmentation")
    maps = simulate_maps({name: sitk.ReadImage(str(folder / f"{name}.nii.gz")) for name in names}, seed=0)
    for number, metabolite in enumerate(METABOLITES):
        truth, acquired = sitk.GetArrayFromImage(maps.truth[metabolite]), maps.acquired[metabolite]
        for array in (truth, acquired):
            yield Case("anatomy, as measured", array, None)
        for n in range(12 + number % 3, 33, 3):
            for array in (truth, acquired):
                low = kspace.low_resolution(torch.from_numpy(array), (n, n))
                yield Case("anatomy, as measured, n", low.numpy(), None)
            filled = kspace.zero_filled(low, (64, 64)).numpy()
            yield Case("anatomy, rounded", np.round(filled * 3000 / filled.max()), (n, n))
            yield Case("anatomy, masked", filled * maps.brain, (n, n))


class Corpus:
    """Maps, and what is found of them under different limits."""

    def __init__(self, cases: Iterable[Case]):
        self.cases = list(cases)
        self._profiles: dict[float, list[tuple[AxisProfiles, AxisProfiles]]] = {}

    def outcomes(self, limits: Limits) -> Counter[tuple[str, str]]:
        """How often each `(kind of map, outcome)` came."""
        share = limits.trusted_share
        if share not in self._profiles:
            self._profiles[share] = [case.axes(share) for case in self.cases]
        found: Counter[tuple[str, str]] = Counter()
        for case, (rows, columns) in zip(self.cases, self._profiles[share], strict=True):
            shape = case.array.shape[1:]
            counts = zero_filled_from(rows.cliff(limits), columns.cliff(limits), shape, case.square, limits)
            if case.measured is None:
                outcome = "left alone" if counts is None else "false alarm"
            else:
                outcome = "missed" if counts is None else "exact" if counts == case.measured else "wrong"
            found[case.kind, outcome] += 1
        return found

    def score(self, limits: Limits) -> int:
        """What the outcomes are worth together."""
        return sum(WORTH[outcome] * number for (_, outcome), number in self.outcomes(limits).items())


def varied(corpus: Corpus, limits: Limits, name: str) -> dict[float, int]:
    """Scores for the values of a limit."""
    return {value: corpus.score(dataclasses.replace(limits, **{name: value})) for value in VALUES[name]}


def search(corpus: Corpus) -> Limits:
    """The limits of the best score; see the module's docstring."""
    starts = itertools.product(*(VALUES[name] for name in STARTS))
    found = [_descent(corpus, dict(zip(STARTS, start, strict=True))) for start in starts]
    return max(found, key=corpus.score)


def _descent(corpus: Corpus, start: dict[str, float]) -> Limits:
    """Each other limit in turn gets the value of the best score, until none changes; the present one wins a tie."""
    limits = Limits(**{name: values[len(values) // 2] for name, values in VALUES.items()} | start)
    before = None
    while limits != before:
        before = limits
        for name in [name for name in VALUES if name not in start]:
            scores, present = varied(corpus, limits, name), getattr(limits, name)
            best = max(VALUES[name], key=lambda value: (scores[value], value == present))
            limits = dataclasses.replace(limits, **{name: best})
    print(f"{corpus.score(limits):>6}  {limits}", flush=True)
    return limits


def print_outcomes(title: str, corpus: Corpus, limits: Limits) -> None:
    """A table of the outcomes by kind of map."""
    found = corpus.outcomes(limits)
    print(f"\n{title}: score {corpus.score(limits)}")
    print(f"{'':<26}" + "".join(f"{outcome:>12}" for outcome in WORTH))
    kinds = dict.fromkeys(case.kind for case in corpus.cases)
    for kind in kinds:
        print(f"{kind:<26}" + "".join(f"{found[kind, outcome]:>12}" for outcome in WORTH))
    print(f"{'all':<26}" + "".join(f"{sum(found[kind, outcome] for kind in kinds):>12}" for outcome in WORTH))


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--search", action="store_true", help="find the limits instead of measuring the shipped ones")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tuning, held_out = (Corpus(case for seed in seeds for case in cases(seed)) for seeds in (TUNING, HELD_OUT))
    limits = LIMITS
    if arguments.search:
        limits = search(tuning)
        print(f"\nFound: {limits}\nShipped: {'the same' if limits == LIMITS else LIMITS}")
    else:
        print(f"{'limit':<16}{'value':>8}  score where varied (as shipped: {tuning.score(limits)})")
        for name in VALUES:
            scores = ", ".join(f"{value:g}: {score}" for value, score in varied(tuning, limits, name).items())
            print(f"{name:<16}{getattr(limits, name):>8g}  {scores}", flush=True)
    print_outcomes("Simulated patients that the limits were found on", tuning, limits)
    print_outcomes("Other simulated patients", held_out, limits)
    if DATA.is_dir():
        print_outcomes("Real data", Corpus(real_cases()), limits)
    else:
        print(f"\nReal data: not found ({DATA})")


if __name__ == "__main__":
    sys.exit(main())
