"""What is run where there is a GPU: its parts can be chosen, and its first one says whether everything works."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_SCRIPT = ROOT / "Testing" / "benchmarks" / "gpu.sh"
#: Packages that a machine with a GPU need not have.
_ABSENT = ("tqdm", "tensorboard", "skimage", "matplotlib", "jinja2", "pytorch_msssim", "torchvision")

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


def _script(*arguments, **variables):
    environment = os.environ | {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1", **variables}
    return subprocess.run(
        ["bash", str(_SCRIPT), *map(str, arguments)], capture_output=True, text=True, env=environment, check=False
    )


def test_a_part_that_is_unknown_is_refused(tmp_path):
    done = _script(tmp_path / "results", "cpu", "smoke", "everything")
    assert done.returncode == 2
    assert "Unknown part 'everything': choose from smoke tests forward" in done.stderr
    assert not (tmp_path / "results").exists()


def test_without_a_gpu_that_is_said(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA GPU")
    done = _script(tmp_path / "results")
    assert done.returncode == 2
    assert "PyTorch finds no CUDA GPU here" in done.stderr


def test_a_part_leaves_its_results_and_replaces_its_own(tmp_path):
    (tmp_path / "steps.tsv").write_text("part\tresult\tseconds\nforward\tfailed (1)\t7\nsmoke\tdone\t9\n")
    done = _script(tmp_path, "cpu", "forward")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split("\t") for line in (tmp_path / "steps.tsv").read_text().splitlines()]
    assert [line[:2] for line in lines] == [["part", "result"], ["smoke", "done"], ["forward", "done"]]
    assert json.loads((tmp_path / "forward.json").read_text())["forward"]
    assert "One slice, ms" in (tmp_path / "forward.log").read_text()


def test_what_a_part_started_ends_with_its_time(tmp_path):
    done = _script(tmp_path, "cpu", "pieces", LIMIT="2")
    assert done.returncode == 1
    assert "failed (143)" in (tmp_path / "steps.tsv").read_text()
    left = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not [words for words in left if str(tmp_path).encode() in words]


def test_one_step_of_everything_runs_with_few_packages(tmp_path):
    smoke, output = _SCRIPT.with_name("gpu_smoke.py"), tmp_path / "smoke.json"
    code = (
        f"import runpy, sys; sys.modules |= dict.fromkeys({_ABSENT}); "
        f"sys.argv = ['smoke', '--device', 'cpu', '--output', {str(output)!r}]; "
        f"runpy.run_path({str(smoke)!r}, run_name='__main__')"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(output.read_text())
    assert {"packages", "modules", "train against the critic", "simulate"} <= {result["step"] for result in results}
    assert all(result["worked"] for result in results)
    # No bars in logs.
    assert "\r" not in done.stdout + done.stderr
