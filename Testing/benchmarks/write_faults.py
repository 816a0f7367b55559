"""Let every change that every command makes to files fail, and count what is left broken.

    python Testing/benchmarks/write_faults.py [--most 50] [--scenarios predict batch]

Needs Linux and a C compiler. Of each scenario and kind of fault (the disk full from there on, an input/output error,
the disk read-only from there on, a kill, a write of half the bytes) at most `--most` calls fail, spread evenly; all of
them by default. After each run every output must be whole, as it was before, or absent, every input untouched, nothing
temporary left, the reason told in a sentence; after a kill the same command must complete. Otherwise the status is 1.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "core" / "files"))

from fault_injection import KINDS, Campaign, unavailable
from fault_scenarios import SCENARIOS, make_inputs


def main() -> int:
    """Run the campaign, and print a line for each scenario."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, help="calls of each kind and scenario that are let fail (all)")
    parser.add_argument("--scenarios", nargs="+", metavar="WORD", help="those whose names begin so (all)")
    arguments = parser.parse_args()
    if unavailable():
        print(f"Faults can't be injected: {unavailable()}.")
        return 2

    def chosen(count: int) -> list[int]:
        most = min(arguments.most or count, count)
        return sorted({1 + round(step * (count - 1) / max(most - 1, 1)) for step in range(most)})

    wanted = [one for one in SCENARIOS if not arguments.scenarios or one.name.startswith(tuple(arguments.scenarios))]
    memory, total, problems = Path("/dev/shm"), 0, []
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        campaign = Campaign(Path(folder), make_inputs)
        print(f"{'scenario':24} {'seconds':>8} {'injections':>10} {'problems':>9}   injections of calls")
        for scenario in wanted:
            start = time.monotonic()
            tally = campaign.run(scenario, KINDS, chosen)
            done = sum(tally.injections.values())
            parts = ", ".join(f"{kind} {tally.injections.get(kind, 0)}/{tally.calls[kind]}" for kind in KINDS)
            seconds = time.monotonic() - start
            print(f"{scenario.name:24} {seconds:8.0f} {done:10} {len(tally.problems):9}   {parts}", flush=True)
            for problem in tally.problems:
                print(f"    {problem}", flush=True)
            total += done
            problems += tally.problems
        campaign.close()
    print(f"{total} injections in {len(wanted)} scenarios, {len(problems)} problems; all inputs as they were.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
