"""Runs commands in forked processes, each with a fault of its own; requests and answers are lines of JSON.

What takes long and writes nothing is computed once and kept, because a command is run thousands of times. What is
written, and how, is the commands' own.
"""

import contextlib
import ctypes
import datetime
import functools
import gc
import hashlib
import importlib
import io
import itertools
import json
import os
import pickle
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

COMMANDS = [
    f"inference_core.commands.{name}"
    for name in ("batch", "demo", "predict", "prepare", "regions", "reproduce", "train", "train_recipe", "validate")
]
#: What commands import when they run, loaded once.
_LATE = ["batch.validation", "batch.validation_figure", "report.report", "research.training.trainer"]
_LATE += ["research.reproduction.jobs", "research.reproduction.report"]


class Kept:
    """What functions gave before, in a folder, by the order in which they are called."""

    def __init__(self, folder: Path):
        self.folder, self.scenario, self.calls = folder, "", {}

    def call(self, name, function, key=None):
        """What `function` gives, or gave the last time; `key` tells calls apart whose order a fault may change."""
        if key is None:
            key = self.calls[name] = self.calls.get(name, 0) + 1
        path = self.folder / f"{self.scenario}-{name}-{key}.pickle"
        if path.exists():
            return pickle.loads(path.read_bytes())
        value = function()
        path.write_bytes(pickle.dumps(value))
        return value

    def keep(self, owner, name):
        """Let a function of a module or class be called once."""
        real = getattr(owner, name)

        @functools.wraps(real)
        def kept(*arguments, **options):
            return self.call(name, lambda: real(*arguments, **options))

        setattr(owner, name, kept)

    def draw_late(self, owner, name):
        """Let a function make figures that are drawn when they are first saved."""
        real = getattr(owner, name)

        def late(*arguments, **options):
            number = self.calls[name] = self.calls.get(name, 0) + 1
            return LateFigure(self, f"{name}-{number}", lambda: real(*arguments, **options))

        setattr(owner, name, late)


class LateFigure:
    """A figure that is drawn when it is saved, and only the first time in each format."""

    def __init__(self, kept, name, draw):
        self.kept, self.name, self.draw = kept, name, draw

    def savefig(self, buffer, **options):
        """As matplotlib's."""

        def save():
            drawn = io.BytesIO()
            self.draw().savefig(drawn, **options)
            return drawn.getvalue()

        buffer.write(self.kept.call("savefig", save, f"{self.name}-{options.get('format', 'png')}"))


def quick_samples(resolver, patient, resolutions, sharpnesses):
    """Voxels to calibrate on, drawn at random instead of from maps of all metabolites."""
    import numpy as np

    from inference_core.inference.uncertainty.calibration import FEATURES
    from inference_core.research.calibration.samples import REGIONS, Samples
    from inference_core.terms.conditions import METABOLITES

    rng = np.random.default_rng(patient.seed)
    count = 40 * len(METABOLITES) * len(REGIONS)
    features = rng.uniform(0.05, 1, (count, len(FEATURES)))
    return Samples(
        features=features,
        error=rng.normal(0, features.mean(axis=1)),
        metabolite=np.arange(count) % len(METABOLITES),
        n=rng.choice(resolutions, count),
        sharpness=rng.choice(sharpnesses, count),
        region=np.arange(count) // len(METABOLITES) % len(REGIONS),
        weight=np.ones(count),
        patient=np.full(count, patient.seed),
    )


def quick_scores(methods, slices, resolutions, **options):
    """Scores at random instead of those of hundreds of maps."""
    import numpy as np

    from inference_core.research.evaluation.comparison import Score
    from inference_core.terms.conditions import METABOLITES

    rng = np.random.default_rng(0)
    cases = itertools.product(methods, resolutions, METABOLITES, range(len(slices)))
    return [Score(*case, *rng.uniform(0.5, 0.9, 3).tolist()) for case in cases]


def quick_lesions(patient):
    """Lesions to go with random slices."""
    import numpy as np

    from inference_core.research.data.simulated import Lesions
    from inference_core.terms.conditions import METABOLITES

    rng = np.random.default_rng(patient.seed)
    silent = rng.integers(-1, 2, (len(METABOLITES), patient.count, 64, 64))
    return Lesions(rng.random((patient.count, 64, 64)) < 0.1, silent)


class FixedClock(datetime.datetime):
    """Reports that say when they were made are the same each time."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 1, 2, 3, 4)


def shorten(kept: Kept) -> None:
    """Load all that commands need, and compute once what takes long."""
    import matplotlib
    import numpy as np
    import torch
    import tqdm
    from training_samples import random_slices

    from inference_core.batch import validation_figure
    from inference_core.commands import benchmark, calibrate
    from inference_core.commands.pieces import Deadline
    from inference_core.inference.examination import Examination
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.preparation import quality_report
    from inference_core.report import report
    from inference_core.research.calibration import fit, samples
    from inference_core.research.data.simulated import SimulatedSlices
    from inference_core.research.evaluation import comparison, detail_scores, figures
    from inference_core.research.phantom.patient import SimulatedPatient, simulate_patient

    torch.set_num_threads(1)
    matplotlib.rcParams["svg.hashsalt"] = "the same each time"
    tqdm.tqdm.monitor_interval = 0
    # Patients are made in this process, where what is written is seen.
    os.cpu_count = lambda: 1
    report.datetime = FixedClock
    resolver = SuperResolver.load(None, "cpu")
    load = SuperResolver.load
    SuperResolver.load = lambda *given, **named: resolver if given[:1] in ((), (None,)) else load(*given, **named)
    SimulatedPatient.mri = lambda self, contrast, grid, stream: np.zeros(grid.size[::-1], np.float32)
    for owner, name in (
        (SimulatedPatient, "middle_slices"),
        (Examination, "self_check"),
        (fit, "fit_intervals"),
        (validation_figure, "validation_figure"),
        (detail_scores, "detail_scores"),
        (benchmark, "_measure"),
        (resolver, "super_resolve"),
    ):
        kept.keep(owner, name)
    samples.sample_patient, SimulatedSlices.lesions = quick_samples, quick_lesions
    SimulatedSlices.slices = lambda patient: random_slices(patient.count, patient.seed)
    # Time ends after the first step of a training, and after a reproduction's first job.
    Deadline.passed, Deadline.bounding = Deadline.__bool__, lambda self, items, doing: items
    # The templates, which all patients are made from.
    simulate_patient(3)
    # Which of them are measured on makes no difference to what is written.
    calibrate._RESOLUTIONS, calibrate._SHARPNESSES = (16,) * 7, (0.0,)
    kept.draw_late(figures, "maps_figure")
    for name in ("map_figure", "registration_figure"):
        kept.draw_late(quality_report, name)
    compare = comparison.compare

    def compare_once(methods, *rest, **options):
        def run():
            scores = compare(methods, *rest, **options)
            return scores, {name: (one.maps, one.seconds) for name, one in methods.items() if hasattr(one, "maps")}

        key = hashlib.sha256(repr((sorted(methods), rest[1:], list(map(str, options)))).encode()).hexdigest()[:16]
        scores, counts = kept.call("compare", run, key)
        for name, (maps, seconds) in counts.items():
            methods[name].maps, methods[name].seconds = maps, seconds
        return scores

    comparison.compare = compare_once
    for module in (*COMMANDS, *(f"inference_core.{name}" for name in _LATE)):
        importlib.import_module(module)
    from inference_core.research.reproduction import figures as paper_figures
    from inference_core.research.reproduction import measuring, training
    from inference_core.research.reproduction.study import Study

    Study.out_of_time = lambda study: study.until is not None and study.result("untrained", 0).exists()
    # A step takes a second, so that the budget is one step.
    training.measure_step = lambda study, method, slices, folder: 1.0
    measuring.compare, measuring.SHARPNESSES, measuring._FEW_RESOLUTIONS = quick_scores, (0.0, 0.1), (16,)
    kept.keep(measuring, "example_maps")
    for name in ("conditions_figure", "comparison_figure", "sharpness_figure", "details_figure"):
        kept.draw_late(paper_figures, name)


def child(request, kept: Kept, faults) -> None:
    """Run a command, and end."""
    status = 99
    try:
        os.chdir(request["folder"])
        for name, number in (("stdout", 1), ("stderr", 2)):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = (
            open(number, "w", buffering=size, encoding="utf-8", closefd=False)  # noqa: SIM115
            for number, size in ((1, -1), (2, 1))
        )
        os.environ.update(request.get("environment", {}))
        import tempfile

        tempfile.tempdir = None
        kept.scenario = request["scenario"]
        from inference_core.commands.cli import main

        armed = faults.faults_arm(request["root"].encode(), request["kind"], request["target"])
        if armed:
            raise RuntimeError(f"faults can't be injected here ({armed})")
        try:
            status = main(request["argv"])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        faults.faults_disarm()
        sys.stdout.flush()
    except BaseException:
        import traceback

        faults.faults_disarm()
        traceback.print_exc()
        status = 98
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def wait(pid: int, timeout_s: float) -> int | None:
    """A process's status, negative for a signal; None if it had to be ended."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def serve() -> None:
    """Answer requests until there are no more."""
    faults = ctypes.CDLL(os.environ["LD_PRELOAD"])
    faults.faults_calls.restype = ctypes.c_long
    faults.faults_logged.argtypes = [ctypes.c_long, ctypes.c_char_p, ctypes.c_int]
    faults.faults_arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    kept = Kept(Path(sys.argv[1]))
    shorten(kept)
    # What is shared with the forked processes stays shared.
    gc.freeze()
    print("ready", file=answers, flush=True)
    name = ctypes.create_string_buffer(300)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            child(request, kept, faults)
        status = wait(pid, request["timeout_s"])
        calls = []
        for turn in range(1, faults.faults_calls() + 1):
            calls.append((faults.faults_logged(turn, name, 300), name.value.decode(errors="replace")))
        answer = {"status": status, "struck": bool(faults.faults_struck()), "calls": calls}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve()
