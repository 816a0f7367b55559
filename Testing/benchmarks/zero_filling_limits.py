"""Tunes the numbers by which zero-filled maps are recognised, and measures what each of them is worth.

Simulated patients' maps are measured at n x n voxels, zero-filled to 32, 48 and 64 voxels (whole, rounded to integers,
masked by the brain, cut off at one side, and on matrices that are not square), and left as measured. Each map's
measured matrix is either found exactly, missed, or found wrong; a map as measured that is taken for a zero-filled one
is a false alarm. The score is the number of exact findings less 15 for each wrong one and 25 for each false alarm: in
doubt, a map is taken as measured.

    python Testing/benchmarks/zero_filling_limits.py            # scores of the shipped limits, and each one varied
    python Testing/benchmarks/zero_filling_limits.py --fewer    # which limits can be switched off, or share a value
    python Testing/benchmarks/zero_filling_limits.py --search   # coordinate search that starts from the shipped limits

All print the outcome on patients that took no part in the search, too.
"""

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np
import torch

from inference_core.imaging.zero_filling_traces import LIMITS, AxisProfiles, Limits, zero_filled_from
from inference_core.networks import kspace
from inference_core.research.phantom import simulate_patient

#: Seeds of the simulated patients: those that the limits are tuned on, and those that they are tested on.
TUNING, HELD_OUT = range(400, 408), range(500, 508)
#: What a finding of each kind counts.
WORTH = {"exact": 1, "left alone": 0, "missed": 0, "wrong": -15, "false alarm": -25}
#: Values that switch a limit off.
OFF = {
    "step": 0.0,
    "edge_whole": inf,
    "edge_masked": inf,
    "partner_share": 0.0,
    "partner_offset": 0.0,
    "rest_share": inf,
    "masked_loss": 0.0,
    "usual_fall": inf,
    "fall_weight": 1.0,
    "bright_lead": 0.0,
    "likely": -inf,
    "clear": -inf,
    "certain_alone": inf,
    "certain": inf,
    "agreed": -inf,
    "near": 0,
    "lone_share": inf,
}
#: Limits of one unit, which may share a value.
UNITS = (
    ("trusted_share", "partner_share", "rest_share", "lone_share"),
    (
        *("step", "edge_whole", "edge_masked", "partner_offset", "masked_loss", "usual_fall"),
        *("bright_lead", "likely", "clear", "certain_alone", "certain", "agreed"),
    ),
)
#: Factors that a limit is varied by.
FACTORS = (0.6, 0.8, 0.9, 1.1, 1.3, 1.6)


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


class Corpus:
    """Maps, and what is found of them under different limits."""

    def __init__(self, seeds: range):
        self.cases = [case for seed in seeds for case in cases(seed)]
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


def candidates(name: str, limits: Limits) -> list[float]:
    """Values to try for a limit: off, and around the present one."""
    present = getattr(limits, name)
    varied = [present * factor for factor in FACTORS] if np.isfinite(present) else []
    if name == "near":
        varied = [float(int(present) + step) for step in (-2, -1, 1, 2) if present + step > 0]
    return [*([OFF[name]] if name in OFF else []), *(float(f"{value:.2g}") for value in varied)]


def search(corpus: Corpus, limits: Limits, rounds: int) -> Limits:
    """Each limit in turn gets the value of the best score; off wins a tie, and the present value the next."""
    for _ in range(rounds):
        before = limits
        for field in dataclasses.fields(Limits):
            present = getattr(limits, field.name)
            options = [*candidates(field.name, limits), present]
            scores = {value: corpus.score(dataclasses.replace(limits, **{field.name: value})) for value in options}
            best = max(scores.values())
            order = [OFF.get(field.name), present, *options]
            chosen = next(value for value in order if scores.get(value) == best)
            print(f"{field.name:<16}{present:>8g} -> {chosen:<8g} {scores[present]:>6} -> {best}", flush=True)
            limits = dataclasses.replace(limits, **{field.name: chosen})
        if limits == before:
            break
    return limits


def reduce(corpus: Corpus, limits: Limits) -> Limits:
    """Each limit in turn is switched off, or else gets another one's value, where that does not lower the score."""
    present = corpus.score(limits)
    for field in dataclasses.fields(Limits):
        value = getattr(limits, field.name)
        others = {getattr(limits, name) for unit in UNITS if field.name in unit for name in unit} - {value, 0.0, inf}
        options = [OFF[field.name]] if field.name in OFF else []
        for option in (*options, *sorted(others, key=lambda other: abs(np.log(other / value)))):
            changed = dataclasses.replace(limits, **{field.name: option})
            score = corpus.score(changed)
            print(f"{field.name:<16}{value:>8g} -> {option:<8g} {present:>6} -> {score}", flush=True)
            if score >= present:
                limits, present = changed, score
                break
    return limits


def print_outcomes(title: str, corpus: Corpus, limits: Limits) -> None:
    """A table of the outcomes by kind of map."""
    found = corpus.outcomes(limits)
    print(f"\n{title}: score {corpus.score(limits)}")
    print(f"{'':<26}" + "".join(f"{outcome:>12}" for outcome in WORTH))
    for kind in dict.fromkeys(case.kind for case in corpus.cases):
        print(f"{kind:<26}" + "".join(f"{found[kind, outcome]:>12}" for outcome in WORTH))


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fewer", action="store_true", help="look for limits that are not needed")
    parser.add_argument("--search", action="store_true", help="search for limits instead of measuring the shipped ones")
    parser.add_argument("--rounds", type=int, default=3, help="most rounds of the search")
    words = parser.parse_args()
    torch.set_num_threads(1)
    tuning, held_out = Corpus(TUNING), Corpus(HELD_OUT)
    print(f"As shipped: score {tuning.score(LIMITS)} on patients tuned on, {held_out.score(LIMITS)} on held-out ones")
    limits = LIMITS
    if words.search or words.fewer:
        limits = search(tuning, LIMITS, words.rounds) if words.search else reduce(tuning, LIMITS)
        print("\n" + "\n".join(f"{name} = {value:g}" for name, value in dataclasses.asdict(limits).items()))
    else:
        present = tuning.score(limits)
        print(f"{'limit':<16}{'value':>8}{'off':>8}  score where varied (as shipped: {present})")
        for field in dataclasses.fields(Limits):
            value = getattr(limits, field.name)
            scores = {
                v: tuning.score(dataclasses.replace(limits, **{field.name: v})) for v in candidates(field.name, limits)
            }
            off = scores.pop(OFF[field.name]) if field.name in OFF else ""
            varied = ", ".join(f"{v:g}: {score}" for v, score in scores.items())
            print(f"{field.name:<16}{value:>8g}{off:>8}  {varied}", flush=True)
    print_outcomes("Patients tuned on", tuning, limits)
    print_outcomes("Held-out patients", held_out, limits)


if __name__ == "__main__":
    sys.exit(main())
