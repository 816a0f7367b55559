"""How long the panel takes from the slider's move to new pixels: of the shown slice, and of the whole volume.

    .venv/bin/python Testing/benchmarks/slider_latency.py

Drives the unmodified module in the tests' stand-ins for Slicer, whose slice views blend with VTK as Slicer's do, but
draw without OpenGL. Beside the times stands what one pass of the network takes for one slice in the same process, so
that the panel's own share can be told from the machine's speed.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module"))

from scenes import MODULE, sample_images
from stand_ins.slicer_session import SlicerSession

PATIENCE = 120


def measure(moves: int, seed: int) -> dict[str, np.ndarray]:
    """Seconds from each of `moves` moves of the slider to the shown slice's pixels, and to the whole volume's."""
    session = SlicerSession.start()
    try:
        session.load_module(MODULE)
        panel = session.open_panel()
        session.click(panel.ui.sampleButton)
        session.click(panel.ui.applyButton)
        session.wait_until(lambda: not panel.panel.live.working, PATIENCE)
        node = panel.panel.parameters.result
        times = {"shown slice": [], "volume": [], "one pass": _one_pass(moves)}
        for value in np.random.default_rng(seed).uniform(0, 0.1, moves).round(3):
            before = session.slice_rgba("Red")
            start = time.perf_counter()
            panel.ui.sharpnessSlider.value = float(value)
            session.wait_until(lambda v=value: node.GetAttribute("MRSISuperRes.Sharpness") == f"{v:.6g}", PATIENCE)
            after = session.slice_rgba("Red")
            times["shown slice"].append(time.perf_counter() - start)
            if (before == after).all():
                raise AssertionError("the view did not change")
            session.wait_until(lambda: not panel.panel.live.working, PATIENCE)
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
    session.wait_until(lambda: not panel.panel.live.working, PATIENCE)
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


def main() -> None:
    """Print medians and 95th percentiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=30, help="moves of the slider (30)")
    parser.add_argument("--seed", type=int, default=0, help="of the values moved to (0)")
    arguments = parser.parse_args()
    times = measure(arguments.moves, arguments.seed)
    print(f"{arguments.moves} moves, sample patient of 5 slices; milliseconds")
    print(f"{'':14}{'median':>8}{'95 %':>8}{'passes':>8}")
    one = np.median(times["one pass"])
    for name, values in times.items():
        median, tail = np.percentile(values, (50, 95))
        print(f"{name:14}{median * 1e3:8.0f}{tail * 1e3:8.0f}{median / one:8.2f}")


if __name__ == "__main__":
    main()
