"""The benchmark's figures as text."""

from collections.abc import Mapping, Sequence

from inference_core.research.benchmarking.forward import ForwardRow
from inference_core.research.benchmarking.goals import Goal
from inference_core.research.benchmarking.growth import exponent
from inference_core.research.benchmarking.latency import LatencyRow
from inference_core.research.benchmarking.timing import Samples


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned, the first to the left."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in [header, *rows]
    )


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}"


def _spread(samples: Samples) -> list[str]:
    return [_ms(samples.median), _ms(samples.percentile(5)), _ms(samples.percentile(95))]


def _gib(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _with_notes(text: str, unavailable: Mapping[str, str | None]) -> str:
    notes = [f"Not measured: {name}: {reason}" for name, reason in unavailable.items() if reason]
    return "\n".join([text, *notes])


def machine_text(machine: Mapping, left_out: Mapping[str, str]) -> str:
    """The machine's description, and what is not measured on it."""
    memory = "" if machine["memory_gib"] is None else f", {machine['memory_gib']:.0f} GiB"
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"{machine['vector_instructions']}{memory}; {machine['system']}",
        f"Python {machine['python']}, PyTorch {machine['torch']}, MRSISuperRes {machine['version']} "
        f"({machine['commit'] or 'no commit'}), {machine['weights']}, device {machine['device']}",
    ]
    if "gpu" in machine:
        lines.append(
            f"{machine['gpu']}, {machine['gpu_memory_gib']:.0f} GiB, driver {machine['gpu_driver'] or 'unknown'}, "
            f"CUDA {machine['cuda']}"
        )
    rates = {what: rate["per_s"] / 1e9 for what, rate in machine["rates"].items()}
    lines.append(
        f"Matrix products: {rates['matrix products']:.0f} GFLOP/s; copying: {rates['copying']:.0f} GB/s. At that rate "
        f"the published network's arithmetic takes {machine['floor_ms']:.3g} ms a slice (the floor)"
    )
    return _with_notes("\n".join(lines), left_out)


def forward_text(rows: Sequence[ForwardRow], floor: float) -> str:
    """One slice through each runtime; `floor` in seconds."""
    plain = rows[0].times["new slice"].median
    cells = [
        [
            row.name if row.name.startswith("plain") else f"{row.name}: {what}",
            *_spread(samples),
            f"{plain / samples.median:.2f}",
            f"{samples.median / floor:.2f}",
            "" if row.name.startswith("plain") else f"{row.difference:.0e}",
        ]
        for row in rows
        for what, samples in row.times.items()
    ]
    header = ["One slice, ms", "median", "5 %", "95 %", "times faster", "of the floor", "difference"]
    return _with_notes(table(header, cells), {row.name: row.unavailable for row in rows})


def latency_text(rows: Sequence[LatencyRow]) -> str:
    """The shown slice."""
    cells = [
        [f"{row.runtime}, {row.precision}: {what}", *_spread(samples)]
        for row in rows
        for what, samples in row.times.items()
    ]
    title = f"The shown slice ({rows[0].patient}), ms"
    unavailable = {f"{row.runtime}, {row.precision}": row.unavailable for row in rows}
    return _with_notes(table([title, "median", "5 %", "95 %"], cells), unavailable)


def volume_text(volumes: Sequence[Mapping]) -> str:
    """Whole volumes."""
    cells = []
    for volume in volumes:
        if volume["unavailable"]:
            continue
        prepare, first, other = (volume[what]["median_ms"] / 1e3 for what in ("prepare", "first", "other_lambda"))
        cells.append(
            [
                f"{volume['slices']} slices: {volume['runtime']}, {volume['precision']}",
                f"{prepare:.2f}",
                f"{first:.3g}",
                f"{volume['slices'] / first:.1f}",
                f"{other:.3g}",
                _gib(volume["peak_gib"]),
                _gib(volume["gpu_peak_gib"]),
            ]
        )
    header = ["A volume, s", "prepare", "pass", "slices/s", "other lambda", "peak, GiB", "on the GPU"]
    unavailable = {f"{volume['runtime']}, {volume['precision']}": volume["unavailable"] for volume in volumes}
    return _with_notes(table(header, cells), unavailable)


def growth_text(growth: Mapping[str, Mapping[int, Samples]]) -> str:
    """Cost by slices, batch and N."""
    cells = [
        [
            f"{over} = {value}",
            _ms(samples.median),
            _ms(samples.median / (value if over != "N" else (value / 64) ** 2)),
            f"{over}^{exponent(own):.2f}" if value == max(own) else "",
        ]
        for over, own in growth.items()
        for value, samples in own.items()
    ]
    return table(["Growth, ms", "median", "64 x 64 voxels", "grows as"], cells)


def training_text(
    times: Mapping[str, Samples], faster: Mapping[str, float], of_floor: Mapping[str, float], batch: int
) -> str:
    """Training steps a second; `faster` and `of_floor` are ratios of some of them."""
    cells = [
        [
            name,
            f"{samples.median:.3g}",
            f"{1 / samples.median:.2f}",
            f"{faster[name]:.2f}" if name in faster else "",
            f"{of_floor[name]:.2f}" if name in of_floor else "",
        ]
        for name, samples in times.items()
    ]
    return table([f"A training step, batch {batch}", "s", "steps/s", "times faster", "of the floor"], cells)


def goals_text(goals: Sequence[Goal]) -> str:
    """The project's performance goals."""
    cells = [
        [goal.what, f"{goal.measured:.3g}", f"{goal.asked:g}", goal.unit, "yes" if goal.met else "no"] for goal in goals
    ]
    return table(["Goals", "measured", "asked", "", "met"], cells)
