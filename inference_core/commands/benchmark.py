"""Measure how fast everything is on this machine: `mrsi-superres benchmark`."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parts = "machine, forward, latency, volume, growth, training"
    parser.add_argument("--parts", nargs="+", metavar="PART", help=f"{parts} (all; machine always is)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")
    parser.add_argument("--runtime", nargs="+", metavar="NAME", help="what runs the network (all but compiled)")
    parser.add_argument("--precision", nargs="+", metavar="NAME", help="float32, float16, bfloat16 (what there is)")
    parser.add_argument("--threads", type=int, help="threads of the CPU (as PyTorch chooses)")
    parser.add_argument("--slices", type=int, default=39, help="slices of the volume (39)")
    parser.add_argument("--batch", type=int, default=8, help="slices of a training step (8)")
    parser.add_argument("--rounds", type=int, help="turns of each candidate (8; 30 on a GPU)")
    parser.add_argument("--quick", action="store_true", help="as little as shows that it works")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="where all samples go")


def run(arguments: argparse.Namespace) -> int:
    """Print the tables and write the samples.

    Status 1 if a runtime's output is too far from the plain network's, or one that was asked for does not work.
    """
    import torch

    from inference_core.research.benchmarking.settings import check_settings

    settings = check_settings(arguments)
    threads = torch.get_num_threads()
    torch.set_num_threads(arguments.threads or threads)
    try:
        figures, failures = _measure(settings)
    finally:
        torch.set_num_threads(threads)
    if arguments.output:
        _write(arguments.output, figures)
    for failure in failures:
        print(f"\nFailed: {failure}")
    return 1 if failures else 0


def _measure(settings) -> tuple[dict, list[str]]:
    """The figures, and what must not be."""
    from inference_core.networks.weights_io import load_weights
    from inference_core.research.benchmarking.machine import FLOP_PER_SLICE, describe_machine, measure_rates
    from inference_core.research.benchmarking.parts import MEASURE
    from inference_core.research.benchmarking.report import goals_text, machine_text

    network, weights = load_weights()
    rates = measure_rates(settings.device, settings.rounds)
    floor = FLOP_PER_SLICE / rates["matrix products"][0]
    machine = describe_machine(settings.device, weights.path.name) | {
        "rates": {what: {"per_s": rate, "times": samples.as_dict()} for what, (rate, samples) in rates.items()},
        "floor_ms": 1e3 * floor,
    }
    figures = {"settings": settings.as_dict(), "machine": machine, "left_out": settings.left_out}
    print(machine_text(machine, settings.left_out), flush=True)
    goals, failures = [], []
    for name in settings.parts:
        if name in MEASURE:
            part = MEASURE[name](network, settings, floor)
            print(f"\n{part.text}", flush=True)
            figures[name] = part.figures
            goals += part.goals
            failures += part.failures
    if goals:
        print(f"\n{goals_text(goals)}", flush=True)
    return figures | {"goals": [goal.as_dict() for goal in goals]}, failures


def _write(path: Path, figures: dict) -> None:
    import json

    from inference_core.files.atomic import write_file

    write_file(path, json.dumps(figures, indent=1, allow_nan=False) + "\n")
