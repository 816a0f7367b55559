"""Measure how fast everything is on this machine: `mrsi-superres benchmark`."""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

#: What can be measured; "machine" always is.
_PARTS = ("forward", "volume", "growth", "training")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--parts", nargs="+", default=list(_PARTS), metavar="PART", help=", ".join(_PARTS) + " (all)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")
    parser.add_argument("--runtime", nargs="+", help="what runs the network (all that the device takes)")
    parser.add_argument("--precision", nargs="+", help="precisions (float32; on a GPU all)")
    parser.add_argument("--threads", type=int, help="threads of the CPU (as PyTorch chooses)")
    parser.add_argument("--slices", type=int, default=39, help="slices of the volume (39)")
    parser.add_argument("--batch", type=int, default=8, help="slices of a training step (8)")
    parser.add_argument("--rounds", type=int, default=8, help="turns of each candidate (8)")
    parser.add_argument("--quick", action="store_true", help="few turns and little growth: to see that it works")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="where all samples go")


def run(arguments: argparse.Namespace) -> int:
    """Print the table and write the samples; status 1 if a runtime's output is too far from the plain network's."""
    import json

    import torch

    from inference_core.benchmarking.machine import FLOP_PER_SLICE, describe_machine, matrix_rate
    from inference_core.benchmarking.report import machine_text
    from inference_core.devices import choose_device
    from inference_core.outputs import atomic_path
    from inference_core.weights_io import load_weights

    _check(arguments)
    device, _ = choose_device(arguments.device)
    runtimes, precisions = _choices(arguments, device)
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    rounds = 2 if arguments.quick else arguments.rounds

    machine = describe_machine(device)
    rate, products = matrix_rate(device, rounds)
    floor = FLOP_PER_SLICE / rate
    print(machine_text(machine, rate, floor), flush=True)
    figures = {"machine": machine | {"flop_per_s": rate, "products": products.as_dict(), "floor_ms": 1e3 * floor}}
    for part, measure in (("forward", _forward), ("volume", _volume), ("growth", _growth), ("training", _training)):
        if part in arguments.parts:
            what = _Run(arguments, device, runtimes, precisions, rounds, floor, load_weights()[0])
            text, figures[part] = measure(what)
            print(f"\n{text}", flush=True)
    if arguments.output:
        with atomic_path(arguments.output) as temporary:
            temporary.write_text(json.dumps(figures, indent=1) + "\n")
    wrong = [row for row in figures.get("forward", ()) if row["difference"] > row["tolerance"]]
    for row in wrong:
        print(
            f"\n{row['name']} differs from the plain network by {row['difference']:.1e} of the map's range, more than "
            f"the {row['tolerance']:.0e} that it may: do not use it."
        )
    return 1 if wrong else 0


class _Run(NamedTuple):
    """What the parts are told."""

    arguments: argparse.Namespace
    device: str
    runtimes: list[str]
    precisions: list[str]
    rounds: int
    floor: float
    network: Any


def _forward(run: _Run) -> tuple[str, list[dict]]:
    from inference_core.benchmarking.forward import measure_forward
    from inference_core.benchmarking.report import forward_text

    rows = measure_forward(run.network, run.device, run.runtimes, run.precisions, run.rounds)
    figures = [
        row._asdict() | {"times": {what: samples.as_dict() for what, samples in row.times.items()}} for row in rows
    ]
    return forward_text(rows, run.floor), figures


def _volume(run: _Run) -> tuple[str, list[dict]]:
    import torch

    from inference_core.benchmarking.report import volume_text
    from inference_core.benchmarking.volume import measure_volume

    counts = [1, 2] if run.arguments.quick else sorted({1, 5, 13, run.arguments.slices})
    options = {"rounds": 1 if run.arguments.quick else 3, "threads": torch.get_num_threads()}
    volumes = [
        measure_volume(slices, run.device, runtime, precision, **options)
        for runtime in run.runtimes
        for precision in run.precisions
        for slices in counts
    ]
    return volume_text(volumes), volumes


def _growth(run: _Run) -> tuple[str, dict]:
    from inference_core.benchmarking.growth import measure_growth
    from inference_core.benchmarking.report import growth_text

    batches, matrices = ((1, 2), (32, 64)) if run.arguments.quick else ((1, 2, 4, 8), (32, 48, 64, 96))
    growth = measure_growth(run.network, run.device, batches, matrices, run.rounds)
    figures = {kind: {str(v): samples.as_dict() for v, samples in times.items()} for kind, times in growth.items()}
    return growth_text(growth), figures


def _training(run: _Run) -> tuple[str, dict]:
    from inference_core.benchmarking.report import training_text
    from inference_core.benchmarking.training_steps import measure_training

    batch = 1 if run.arguments.quick else run.arguments.batch
    times = measure_training(run.network, run.device, batch, 2 if run.arguments.quick else max(3, run.rounds // 2))
    figures = {"batch": batch, "times": {name: samples.as_dict() for name, samples in times.items()}}
    return training_text(times, batch), figures


def _check(arguments: argparse.Namespace) -> None:
    from inference_core.errors import InputError
    from inference_core.outputs import check_folder

    for part in arguments.parts:
        if part not in _PARTS:
            raise InputError(f"Unknown part '{part}': choose from {', '.join(_PARTS)}.")
    for name in ("threads", "slices", "batch", "rounds"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(f"--{name} is {value}: it must be 1 or more.")
    if arguments.output is not None:
        check_folder(arguments.output.absolute().parent)
        if arguments.output.is_dir():
            raise InputError(f"'{arguments.output}' is a folder: name a file to write, such as benchmark.json.")


def _choices(arguments: argparse.Namespace, device: str) -> tuple[list[str], list[str]]:
    """Runtimes and precisions to measure; those that the user named are refused if the device can't have them."""
    from inference_core.engine.runtimes import PRECISIONS, RUNTIMES, check_runtime
    from inference_core.errors import InputError

    def possible(runtime: str | None, precision: str) -> bool:
        try:
            check_runtime(runtime, precision, device)
        except InputError:
            return False
        return True

    for runtime in arguments.runtime or [None]:
        for precision in arguments.precision or ["float32"]:
            check_runtime(runtime, precision, device)
    # PyTorch's compiler takes a minute before it is any faster, so that it has to be asked for.
    runtimes = arguments.runtime or [r for r in RUNTIMES if r != "compiled" and possible(r, "float32")]
    return runtimes, arguments.precision or [p for p in PRECISIONS if possible(None, p)]
