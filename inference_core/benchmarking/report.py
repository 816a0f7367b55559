"""The benchmark's figures as one table."""

from inference_core.benchmarking.forward import ForwardRow
from inference_core.benchmarking.timing import Samples


def _line(cells: list[str], widths: list[int]) -> str:
    return "  ".join([cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))])


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns aligned, the first to the left."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    return "\n".join([_line(header, widths), *(_line(row, widths) for row in rows)])


def machine_text(machine: dict, rate: float | None, floor: float | None) -> str:
    """The machine's description."""
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"{machine['vector_instructions']}, {machine['memory_gib'] or 0:.0f} GiB; {machine['system']}",
        f"Python {machine['python']}, PyTorch {machine['torch']}, MRSISuperRes {machine['version']} "
        f"({machine['commit'] or 'no commit'}), device {machine['device']}",
    ]
    if "gpu" in machine:
        lines.append(f"{machine['gpu']}, {machine['gpu_memory_gib']:.0f} GiB, CUDA {machine['cuda']}")
    if rate:
        lines.append(
            f"Matrix products: {rate / 1e9:.0f} GFLOP/s; at that rate the published network's arithmetic takes "
            f"{1e3 * floor:.1f} ms a slice (the floor)"
        )
    return "\n".join(lines)


def forward_text(rows: list[ForwardRow], floor: float | None) -> str:
    """One slice through each runtime."""
    plain = rows[0].times["new slice"].median
    cells, notes = [], []
    for row in rows:
        if row.unavailable:
            notes.append(f"{row.name}: {row.unavailable}")
            continue
        for what, samples in row.times.items():
            cells.append(
                [
                    f"{row.name}" if row is rows[0] else f"{row.name}: {what}",
                    f"{1e3 * samples.median:.1f}",
                    f"{1e3 * samples.percentile(5):.1f}",
                    f"{1e3 * samples.percentile(95):.1f}",
                    f"{plain / samples.median:.2f}",
                    f"{samples.median / floor:.2f}" if floor else "-",
                    "" if row is rows[0] else f"{row.difference:.0e}",
                ]
            )
    header = ["One slice, ms", "median", "5 %", "95 %", "times faster", "of the floor", "difference"]
    return "\n".join([table(header, cells), *notes])


def volume_text(volumes: list[dict]) -> str:
    """Whole volumes and the shown slice."""

    def middle(values: list[float]) -> float:
        return Samples(tuple(values)).median

    cells = []
    for volume in volumes:
        shown = Samples(tuple(volume["shown_slice_ms"]))
        peak = volume["peak_gib"]
        cells.append(
            [
                f"{volume['slices']} slices ({volume['runtime']}, {volume['precision']})",
                f"{volume['prepare_s']:.2f}",
                f"{middle(volume['first_s']):.2f}",
                f"{middle(volume['other_lambda_s']):.2f}",
                f"{shown.median:.0f}",
                f"{shown.percentile(95):.0f}",
                "-" if peak is None else f"{peak:.2f}",
            ]
        )
    header = ["A volume", "prepare, s", "first, s", "other lambda, s", "shown slice, ms", "95 %", "peak, GiB"]
    return table(header, cells)


def growth_text(growth: dict[str, dict[int, Samples]]) -> str:
    """Cost by batch and N."""
    cells = [
        [
            f"{kind} = {value}",
            f"{1e3 * samples.median:.1f}",
            f"{1e3 * samples.median / (value if kind == 'batch' else (value / 64) ** 2):.1f}",
        ]
        for kind, by_value in growth.items()
        for value, samples in by_value.items()
    ]
    return table(["The pass, ms", "median", "a slice of 64 x 64"], cells)


def training_text(times: dict[str, Samples], batch: int) -> str:
    """Training steps a second."""
    plain = times["plain network"].median
    cells = [
        [name, f"{samples.median:.2f}", f"{1 / samples.median:.2f}", f"{plain / samples.median:.2f}"]
        for name, samples in times.items()
    ]
    return table([f"A training step, batch {batch}", "s", "steps/s", "times faster"], cells)
