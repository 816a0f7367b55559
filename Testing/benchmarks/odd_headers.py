"""Odd NIfTI files read by this program and by nibabel, many of them.

    python Testing/benchmarks/odd_headers.py [NUMBER]

Prints what became of the files (10,000 unless told otherwise), and each disagreement; ends with status 1 if there is
one.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "core"))

from odd_headers import compare_with_nibabel, odd_files


def main(number: int) -> int:
    """Read so many files; returns the exit status."""
    outcomes, failures = Counter(), []

    @seed(0)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(odd_files())
    def read(odd) -> None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcomes[compare_with_nibabel(odd, Path(folder))] += 1
            except Exception as error:
                failures.append(error)
                print(
                    f"line {error.__traceback__.tb_next.tb_lineno}: {type(error).__name__}: {error}\n    {odd}",
                    flush=True,
                )

    read()
    total = sum(outcomes.values()) + len(failures)
    print(f"{total} files, {len(failures)} disagreements with nibabel")
    for outcome, count in outcomes.most_common():
        print(f"{count:7d}  {outcome}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
