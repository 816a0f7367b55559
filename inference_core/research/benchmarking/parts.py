"""The benchmark's parts: each measures, and gives its table, its figures for JSON, and the goals it speaks to."""

from collections.abc import Mapping
from typing import NamedTuple

import torch

from inference_core.errors import InputError
from inference_core.networks import MultiEncoderUNet
from inference_core.research.benchmarking import goals, report
from inference_core.research.benchmarking.failures import reason_of
from inference_core.research.benchmarking.forward import ForwardRow, measure_forward
from inference_core.research.benchmarking.goals import Goal
from inference_core.research.benchmarking.growth import exponent, measure_growth
from inference_core.research.benchmarking.latency import measure_latency
from inference_core.research.benchmarking.settings import BenchmarkSettings
from inference_core.research.benchmarking.timing import Samples
from inference_core.research.benchmarking.volume import measure_volume


class Part(NamedTuple):
    """What a part gives.

    Attributes:
        text: its table.
        figures: for JSON, as `inference_core.research.benchmarking` describes them.
        goals: what the project asks of them.
        failures: what must not be: one sentence each.
    """

    text: str
    figures: dict | list
    goals: tuple[Goal, ...] = ()
    failures: tuple[str, ...] = ()


def _as_dicts(times: Mapping[str, Samples]) -> dict[str, dict]:
    return {str(name): samples.as_dict() for name, samples in times.items()}


def _failures(unavailable: list[tuple[str, str, str | None]], settings: BenchmarkSettings) -> tuple[str, ...]:
    """Of runtimes that the user named: what they are, in which words, and why they were not measured."""
    return tuple(f"{what}: {reason}" for runtime, what, reason in unavailable if reason and runtime in settings.named)


def forward(network: MultiEncoderUNet, settings: BenchmarkSettings, floor: float) -> Part:
    """One slice: the plain network against the engine; `floor` in seconds."""
    rows = measure_forward(network, settings.device, settings.runtimes, settings.precisions, settings.rounds)
    wrong = tuple(
        f"{row.name} differs from the plain network by {row.difference:.1e} of the map's range, more than the "
        f"{row.tolerance:.0e} that it may: do not use it."
        for row in rows
        if row.wrong
    )
    unavailable = [(row.name.partition(",")[0], row.name, row.unavailable) for row in rows]
    plain = rows[0].times["new slice"].median
    return Part(
        report.forward_text(rows, floor),
        [_forward_figures(row, plain, floor) for row in rows],
        failures=wrong + _failures(unavailable, settings),
    )


def _forward_figures(row: ForwardRow, plain: float, floor: float) -> dict:
    finite = row.difference < float("inf")
    return {
        "name": row.name,
        "times": _as_dicts(row.times),
        "times_faster": {what: plain / samples.median for what, samples in row.times.items()},
        "times_floor": {what: samples.median / floor for what, samples in row.times.items()},
        "difference": row.difference if finite else None,
        "tolerance": row.tolerance,
        "unavailable": row.unavailable,
    }


def latency(network: MultiEncoderUNet, settings: BenchmarkSettings, floor: float) -> Part:
    """The shown slice, below the panel."""
    rows = measure_latency(network, settings.device, settings.runtimes, settings.precisions, settings.rounds)
    return Part(
        report.latency_text(rows),
        [row._asdict() | {"times": _as_dicts(row.times)} for row in rows],
        tuple(
            goals.slider(1e3 * row.times["another lambda"].percentile(95), f"{row.runtime}, {row.precision}")
            for row in rows
            if row.times
        ),
        _failures([(row.runtime, f"{row.runtime}, {row.precision}", row.unavailable) for row in rows], settings),
    )


def volume(network: MultiEncoderUNet, settings: BenchmarkSettings, floor: float) -> Part:
    """A whole volume, each runtime and precision in a process of its own, with the default weights."""
    volumes, asked = [], []
    for runtime in settings.runtimes:
        for precision in settings.precisions:
            own = {"slices": settings.slices, "runtime": runtime, "precision": precision}
            try:
                rounds = 1 if settings.quick else 3
                own = measure_volume(**own, device=settings.device, rounds=rounds, threads=torch.get_num_threads())
            except InputError as error:
                volumes.append(own | {"unavailable": reason_of(error)})
                continue
            volumes.append(own)
            what = f"{settings.slices} slices, {runtime}, {precision}"
            if own["peak_gib"] is not None:
                asked.append(goals.volume_memory(own["peak_gib"], what))
            if settings.device.startswith("cuda"):
                asked.append(goals.volume_on_gpu(own["first"]["median_ms"], what))
    unavailable = [(own["runtime"], f"{own['runtime']}, {own['precision']}", own["unavailable"]) for own in volumes]
    return Part(report.volume_text(volumes), volumes, tuple(asked), _failures(unavailable, settings))


def growth(network: MultiEncoderUNet, settings: BenchmarkSettings, floor: float) -> Part:
    """How cost grows."""
    slices, batches, matrices = (1, 2, 5, 13, 39), (1, 2, 4, 8), (32, 48, 64, 96)
    rounds = max(3, settings.rounds // 2)
    if settings.quick:
        slices, batches, matrices, rounds = (1, 2), (1, 2), (32, 64), 1
    times = measure_growth(network, settings.device, slices, batches, matrices, rounds)
    figures = {over: {"times": _as_dicts(own), "exponent": exponent(own)} for over, own in times.items()}
    return Part(report.growth_text(times), figures)


def training(network: MultiEncoderUNet, settings: BenchmarkSettings, floor: float) -> Part:
    """Steps of training."""
    from inference_core.research.benchmarking.training_steps import fastest_precision, measure_training
    from inference_core.research.benchmarking.whole_steps import measure_whole_steps

    rounds = 1 if settings.quick else max(3, settings.rounds // 2)
    times = measure_training(network, settings.device, settings.batch, rounds)
    plain = times["plain network"].median
    faster = {name: plain / samples.median for name, samples in times.items() if "critic" not in name}
    whole = measure_whole_steps(
        network, settings.device, settings.batch, fastest_precision(settings.device), max(2, rounds)
    )
    # Forward once, and backward for the inputs and for the weights: three times the arithmetic of a pass.
    least = 3 * settings.batch * floor
    same = [*faster, "whole step, lambda = 0"]
    times |= whole
    of_floor = {name: times[name].median / least for name in same}
    return Part(
        report.training_text(times, faster, of_floor, settings.batch),
        {"batch": settings.batch, "times": _as_dicts(times), "times_faster": faster, "times_floor": of_floor},
        tuple(goals.training(value, name) for name, value in faster.items() if name != "plain network"),
    )


#: What measures each part; all are called with the network, the settings and the floor in seconds.
MEASURE = {"forward": forward, "latency": latency, "volume": volume, "growth": growth, "training": training}
