"""Headers that are odd, but for nibabel; at length in `Testing/benchmarks/odd_headers.py`."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from odd_headers import compare_with_nibabel, odd_files


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(odd_files())
def test_odd_headers_are_read_as_nibabel_reads_them(odd):
    with tempfile.TemporaryDirectory() as folder:
        compare_with_nibabel(odd, Path(folder))
