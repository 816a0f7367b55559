"""How long the panel takes from the slider's move to new pixels: of the shown slice, and of the whole volume.

    .venv/bin/python Testing/benchmarks/slider_latency.py

Drives the unmodified module in the tests' stand-ins for Slicer, whose slice views blend with VTK as Slicer's do, but
draw without OpenGL. Beside the times stands what one pass of the network takes for one slice in the same process, so
that the panel's own share can be told from the machine's speed.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module"))

from scenes import MODULE, sample_images
from stand_ins.slicer_session import SlicerSession

TIMEOUT_S = 120
#: Milliseconds that the shown slice may take.
GOAL_MS = 100


def measure(moves: int, seed: int) -> dict[str, np.ndarray]:
    """Seconds from each of `moves` moves of the slider to the shown slice's pixels, and to the whole volume's."""
    session = SlicerSession.start()
    try:
        session.load_module(MODULE)
        panel = session.open_panel()
        session.click(panel.ui.sampleButton)
        session.click(panel.ui.applyButton)
        session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
        node = panel.panel.parameters.result
        times = {"shown slice": [], "volume": [], "one pass": _one_pass(moves)}
        for value in np.random.default_rng(seed).uniform(0, 0.1, moves).round(3):
            before = session.slice_rgba("Red")
            start = time.perf_counter()
            panel.ui.sharpnessSlider.value = float(value)
            session.wait_until(lambda v=value: node.GetAttribute("MRSISuperRes.Sharpness") == f"{v:.6g}", TIMEOUT_S)
            after = session.slice_rgba("Red")
            times["shown slice"].append(time.perf_counter() - start)
            if (before == after).all():
                raise AssertionError("the view did not change")
            session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
            times["volume"].append(time.perf_counter() - start)
        _check_last_value_of_a_burst(session, panel, node)
        return {name: np.array(values) for name, values in times.items()}
    finally:
        session.stop()


def _check_last_value_of_a_burst(session, panel, node) -> None:
    """A slider in motion may skip values, but never the one it stops at."""
    for value in (0.01, 0.07, 0.02, 0.09, 0.05, 0.033):
        panel.ui.sharpnessSlider.value = value
        session.process_events()
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    if node.GetAttribute("MRSISuperRes.Sharpness") != "0.033":
        raise AssertionError("the slider's last value was dropped")


def _one_pass(repeats: int) -> list[float]:
    from inference_core import SuperResolver

    resolver = SuperResolver.load()
    prepared = resolver.prepare(*sample_images())
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        resolver.super_resolve(prepared, "tCho", 0.02, slices=[2])
        times.append(time.perf_counter() - start)
    return times[1:]


def figures_of(times: dict[str, np.ndarray]) -> dict:
    """For JSON: of each kind, median, 95th percentile and all samples, in milliseconds; and the goal."""
    figures = {}
    for name, values in times.items():
        median, tail = np.percentile(1e3 * values, (50, 95))
        figures[name] = {"median_ms": median, "p95_ms": tail, "samples_ms": (1e3 * values).tolist()}
    shown = 1e3 * times["shown slice"]
    figures["goal"] = {"asked_ms": GOAL_MS, "share_within": float((shown <= GOAL_MS).mean())}
    return figures


def text_of(figures: dict) -> str:
    """A table, and how the shown slice stands against the goal."""
    lines = [f"{'':14}{'median':>8}{'95 %':>8}{'passes':>8}"]
    one = figures["one pass"]["median_ms"]
    for name in ("shown slice", "volume", "one pass"):
        own = figures[name]
        lines.append(f"{name:14}{own['median_ms']:8.0f}{own['p95_ms']:8.0f}{own['median_ms'] / one:8.2f}")
    goal = figures["goal"]
    lines.append(f"shown slice within {goal['asked_ms']} ms: {goal['share_within']:.0%} of the moves")
    return "\n".join(lines)


def main() -> None:
    """Print medians and 95th percentiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=30, help="moves of the slider (30)")
    parser.add_argument("--seed", type=int, default=0, help="of the values moved to (0)")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="where all samples go")
    arguments = parser.parse_args()
    if arguments.moves < 1:
        parser.error("--moves must be 1 or more")
    if arguments.output and not arguments.output.absolute().parent.is_dir():
        parser.error(f"the folder of '{arguments.output}' does not exist")
    figures = figures_of(measure(arguments.moves, arguments.seed))
    print(f"{arguments.moves} moves, sample patient of 5 slices; milliseconds")
    print(text_of(figures))
    if arguments.output:
        arguments.output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
