"""Calibrate the uncertainty of weights' results on simulated patients: `mrsi-superres calibrate`."""

import argparse
import json
from pathlib import Path

#: Simulated patients that neither train, validate nor test weights: to fit, and to measure on.
_FIRST_SEED = 5_000_000
_RESOLUTIONS = (8, 12, 16, 20, 24, 28, 32)
_SHARPNESSES = (0.0, 0.03, 0.1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--weights", type=Path, help="weights to calibrate, instead of the default ones (.safetensors)")
    parser.add_argument(
        "--patients",
        type=int,
        nargs=2,
        default=(60, 20),
        metavar=("FIT", "TEST"),
        help="simulated patients to fit on, and to measure on (60 20)",
    )
    parser.add_argument("--slices", type=int, default=2, help="slices of each patient (2)")
    parser.add_argument(
        "--first-seed", type=int, default=_FIRST_SEED, help=f"of the simulated patients ({_FIRST_SEED})"
    )
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")
    parser.add_argument("--output", type=Path, help="JSON file to write (beside the weights, where it is looked for)")


def run(arguments: argparse.Namespace) -> int:
    """Fit, measure, write the calibration, and print the shares of true values that the intervals hold."""
    from inference_core.commands.progress import progress_bar
    from inference_core.errors import InputError
    from inference_core.files.atomic import write_file
    from inference_core.files.folders import check_folder
    from inference_core.files.inputs import check_not_inputs
    from inference_core.files.own_outputs import check_replaceable, json_with
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.inference.uncertainty.calibration import FEATURES, calibration_path
    from inference_core.research.calibration.fit import conformed_intervals, coverage, half_widths
    from inference_core.research.calibration.samples import Samples, sample_patient

    fitted_on, tested_on = arguments.patients
    if fitted_on < 2 or tested_on < 1 or arguments.slices < 1:
        raise InputError("--patients must be at least 2 1, and --slices 1: there is nothing to calibrate on otherwise.")
    resolver = SuperResolver.load(arguments.weights, arguments.device)
    output = arguments.output or calibration_path(resolver.weights.path)
    check_folder(output.parent)
    check_not_inputs([output], [("weights", resolver.weights.path)])
    if arguments.output is None:
        check_replaceable([(output, json_with("weights_sha256"))])
    print(f"Device: {resolver.device} ({resolver.device_reason})")
    seeds = range(arguments.first_seed, arguments.first_seed + sum(arguments.patients))
    sampled = [
        sample_patient(resolver, _patient(seed, arguments.slices), _resolutions(seed), _SHARPNESSES)
        for seed in progress_bar(seeds, unit="patient")
    ]
    fitting, testing = (Samples.concatenate(part) for part in (sampled[:fitted_on], sampled[fitted_on:]))
    intervals, factor = conformed_intervals(fitting)
    # Names as calibration files have them. Taken as the standard deviation of a normal distribution:
    spread = testing.features[:, list(FEATURES).index("augmentation_deviation")]
    measured = {
        "spread as it is": coverage(testing, spread, 1.96),
        "all evidence": coverage(testing, half_widths(testing, intervals), factor),
    }
    for name, groups in measured.items():
        print(f"\n{name}: share of true values inside the intervals, mean half-width of the 68 % one over the level")
        for group, shares in groups.items():
            print(f"  {group:12} 68 %: {shares['68 %']:.3f}  95 %: {shares['95 %']:.3f}  width {shares['width']:.3f}")
    content = {
        "description": "Intervals around super-resolved values, calibrated on simulated patients: for research only.",
        "weights_sha256": resolver.weights.sha256,
        "command": _command(arguments),
        "intervals": intervals.as_json(),
        "factor_95": round(factor, 4),
        "coverage": {name: _rounded(groups) for name, groups in measured.items()},
    }
    write_file(output, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    print(f"\n{output}")
    return 0


def _patient(seed: int, slices: int):
    """One of four as in the paper's data; the others far beyond, and on scanners of all kinds.

    MRI-occult spots are small: the measurement shows the least of those.
    """
    from inference_core.research.data.simulated import SimulatedSlices
    from inference_core.research.phantom.acquisition import Scanner

    broad = bool(seed % 4)
    scanner = Scanner.draw(seed) if broad else None
    return SimulatedSlices(seed, slices, varied=broad, scanner=scanner, small_spots=True)


def _resolutions(seed: int) -> list[int]:
    """Three of the n, other ones for the next patient."""
    return [_RESOLUTIONS[(seed + step) % len(_RESOLUTIONS)] for step in (0, 2, 4)]


def _rounded(groups: dict) -> dict:
    return {group: {key: round(value, 4) for key, value in shares.items()} for group, shares in groups.items()}


def _command(arguments: argparse.Namespace) -> str:
    patients = " ".join(map(str, arguments.patients))
    return (
        f"mrsi-superres calibrate --patients {patients} --slices {arguments.slices} --first-seed {arguments.first_seed}"
    )
