"""The benchmark: timing in turns, what it compares, its tables and file, and what it refuses."""

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import inference_core.research.benchmarking
from inference_core.commands.cli import main
from inference_core.engine.engine import Engine
from inference_core.engine.runtimes import RUNTIMES
from inference_core.networks.weights_io import load_weights
from inference_core.research.benchmarking import forward, latency, parts, settings, volume
from inference_core.research.benchmarking.goals import slider, training
from inference_core.research.benchmarking.growth import exponent
from inference_core.research.benchmarking.report import forward_text, goals_text, machine_text, table
from inference_core.research.benchmarking.settings import BenchmarkSettings
from inference_core.research.benchmarking.timing import Samples, paired

QUICK = BenchmarkSettings("cpu", ("pytorch",), ("float32",), slices=1, batch=1, rounds=1, quick=True)


@pytest.fixture(scope="module")
def network():
    return load_weights()[0]


# Timing


def test_candidates_take_turns_and_the_first_call_of_a_turn_does_not_count():
    now, calls = [0.0], []

    def candidate(name, first, others):
        def call():
            cold = not calls or calls[-1] != name
            calls.append(name)
            now[0] += first if cold else others

        return call

    candidates = {"slow": candidate("slow", 9.0, 2.0), "fast": candidate("fast", 5.0, 1.0)}
    times = paired(candidates, rounds=3, block=3, clock=lambda: now[0])
    turns = [name for i, name in enumerate(calls) if i % 3 == 0]
    assert turns == ["slow", "fast", "fast", "slow", "slow", "fast"]
    assert times["slow"].median == 2.0
    assert times["fast"].median == 1.0
    assert {name: len(samples.seconds) for name, samples in times.items()} == {"slow": 6, "fast": 6}


def test_a_gpu_is_waited_for_before_and_after_each_call(monkeypatch):
    now, pending = [0.0], [3.0]

    def wait(device):
        now[0] += pending[0]
        pending[0] = 0.0

    def call():
        pending[0] = 2.0

    monkeypatch.setattr(torch.cuda, "synchronize", wait)
    times = paired({"call": call}, rounds=2, device="cuda", block=2, clock=lambda: now[0])
    assert times["call"].seconds == (2.0, 2.0)


def test_samples_are_told_in_milliseconds():
    told = Samples((0.001, 0.002, 0.006)).as_dict()
    assert told["median_ms"] == pytest.approx(2)
    assert told["p5_ms"] == pytest.approx(1.1)
    assert told["p95_ms"] == pytest.approx(5.6)
    assert told["samples_ms"] == pytest.approx([1, 2, 6])


def test_exponent_is_that_of_a_power_law():
    assert exponent({n: Samples((3e-5 * n**1.7,)) for n in (32, 48, 64, 96)}) == pytest.approx(1.7)


@pytest.mark.parametrize(("goal", "met"), [(slider(99.0, ""), True), (slider(101.0, ""), False)])
def test_most_goals_are_upper_bounds(goal, met):
    assert goal.met is met


@pytest.mark.parametrize(("faster", "met"), [(3.1, True), (2.9, False)])
def test_training_should_be_faster_by_a_factor(faster, met):
    assert training(faster, "").as_dict()["met"] is met


# Parts


def test_memory_is_not_that_of_the_process_that_asks():
    held = np.ones(2**27 // 4 * 5, dtype=np.float32)
    code = "from inference_core.research.benchmarking.memory import peak_gib; print(peak_gib())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if done.stdout.strip() == "None":
        pytest.skip("this system does not tell how much memory a process has held")
    assert float(done.stdout) < 0.25 < held.nbytes / 2**30


class _Stub:
    """An engine that gives what the plain network gives, but for a factor."""

    def __init__(self, network, factor):
        self.network, self.factor = network, factor

    def __call__(self, *arguments):
        return self.factor * self.network(*arguments)


@pytest.mark.parametrize(("factor", "wrong"), [(1.0, False), (1.001, True), (float("nan"), True)])
@torch.inference_mode()
def test_outputs_are_compared_with_the_plain_networks(network, monkeypatch, factor, wrong):
    monkeypatch.setattr(forward, "_CONDITIONS", [(16, 2, 0.0), (20, 0, 0.1)])
    expected = forward._oracle(network, "cpu")
    difference = forward._difference(_Stub(network, factor), expected, "cpu")
    row = forward.ForwardRow("engine", {}, difference, forward.TOLERANCES["float32"])
    assert row.wrong is wrong


def _failing_engine(*arguments):
    raise RuntimeError("no kernel\nof this kind")


def test_a_runtime_that_differs_or_fails_is_said_and_fails_if_it_was_asked_for(network, monkeypatch):
    class WrongEngine(Engine):
        def finish(self, kept, sharpness):
            return super().finish(kept, sharpness) * float("nan")

    monkeypatch.setattr(forward, "_CONDITIONS", forward._CONDITIONS[:1])
    monkeypatch.setattr(forward, "Engine", WrongEngine)
    part = parts.forward(network, QUICK, floor=0.02)
    assert [name.partition(" by ")[0] for name in part.failures] == ["pytorch differs from the plain network"]
    assert part.figures[1]["difference"] is None

    monkeypatch.setattr(forward, "Engine", _failing_engine)
    part = parts.forward(network, QUICK, floor=0.02)
    assert "Not measured: pytorch: no kernel" in part.text
    assert part.figures[1]["unavailable"] == "no kernel"
    assert part.failures == ()
    part = parts.forward(network, replace(QUICK, named=("pytorch",)), floor=0.02)
    assert part.failures == ("pytorch: no kernel",)


def test_a_metabolite_is_new_whenever_it_is_timed_as_new(network, monkeypatch):
    made, timed = [], []

    class Resolver:
        runtime = "pytorch"

        def __init__(self, *arguments, **options):
            self.seen = set()
            made.append(self)

        def prepare(self, *images):
            return SimpleNamespace(grid=SimpleNamespace(slices=5))

        def super_resolve(self, prepared, metabolite, sharpness, slices):
            assert slices == [2]
            timed.append((self, metabolite not in self.seen, sharpness))
            self.seen.add(metabolite)

    monkeypatch.setattr(latency, "SuperResolver", Resolver)
    (row,) = latency.measure_latency(network, "cpu", ["pytorch"], ["float32"], rounds=3)
    assert {what: len(samples.seconds) for what, samples in row.times.items()} == {
        "another lambda": 9,
        "a new metabolite": 9,
        "a metabolite again": 9,
    }
    assert len(made) == 4
    assert all(new for resolver, new, _ in timed if resolver is not made[0])
    lambdas = [sharpness for resolver, new, sharpness in timed if resolver is made[0] and not new]
    assert len({*lambdas}) == 12 + 1


def test_a_volume_that_fails_is_said(monkeypatch):
    monkeypatch.setattr(volume.sys, "executable", "false")
    part = parts.volume(None, replace(QUICK, named=("pytorch",)), floor=0.02)
    (failure,) = part.failures
    assert "A volume of 1 slices could not be super-resolved: its process ended with status 1" in failure
    assert f"Not measured: {failure}" in part.text


def test_times_of_a_runtime_that_gave_way_are_not_taken_for_its_own(network, monkeypatch):
    original = latency.SuperResolver

    def fallen_back(*arguments, **options):
        return original(*arguments, **(options | {"runtime": "pytorch"}))

    monkeypatch.setattr(latency, "SuperResolver", fallen_back)
    (row,) = latency.measure_latency(network, "cpu", ["faster"], ["float32"], rounds=1)
    assert row.times == {}
    assert row.unavailable == "Runtime faster does not work here, and pytorch took over."


def test_the_sample_patient_can_be_missing(monkeypatch, tmp_path):
    from inference_core.research.benchmarking import patient

    assert patient.sample_patient()[0] == "sample patient"
    monkeypatch.setattr(patient, "_SAMPLE", tmp_path)
    name, (low_resolution, _, _) = patient.sample_patient()
    assert (name, low_resolution.GetSize()) == ("ellipsoid", (20, 20, 5))


# Tables


def test_columns_are_aligned():
    assert table(["what", "ms"], [["a", "10.0"], ["longer", "7"]]) == "what      ms\na       10.0\nlonger     7"


def test_the_forward_table_has_ratios_and_reasons():
    rows = [
        forward.ForwardRow("plain network", {"new slice": Samples((0.1,))}),
        forward.ForwardRow("pytorch", {"new lambda": Samples((0.04,))}, 2e-6, 1e-4),
        forward.ForwardRow("compiled", {}, unavailable="there is no C++ compiler"),
    ]
    lines = forward_text(rows, floor=0.02).splitlines()
    assert lines[1].split() == ["plain", "network", "100.0", "100.0", "100.0", "1.00", "5.00"]
    assert lines[2].split() == ["pytorch:", "new", "lambda", "40.0", "40.0", "40.0", "2.50", "2.00", "2e-06"]
    assert lines[3:] == ["Not measured: compiled: there is no C++ compiler"]


def test_the_machine_is_described_though_not_all_is_known():
    machine = {
        "processor": "CPU",
        "cores": 2,
        "threads": 1,
        "vector_instructions": "AVX2",
        "memory_gib": None,
        "system": "S",
        "python": "3.11",
        "torch": "2.2",
        "version": "0.1",
        "commit": None,
        "weights": "w.safetensors",
        "device": "cuda",
        "gpu": "GPU",
        "gpu_memory_gib": 8.0,
        "gpu_driver": None,
        "cuda": "12",
        "rates": {"matrix products": {"per_s": 2e11}, "copying": {"per_s": 1.6e10}},
        "floor_ms": 23.1,
    }
    text = machine_text(machine, {"float16": "is not there"})
    for words in (
        "CPU, 2 cores, 1 threads, AVX2; S",
        "no commit",
        "driver unknown",
        "200 GFLOP/s",
        "16 GB/s",
        "23.1 ms",
    ):
        assert words in text
    assert text.endswith("Not measured: float16: is not there")


def test_goals_say_whether_they_are_met():
    lines = goals_text([slider(120.0, "pytorch"), training(3.2, "folded")]).splitlines()
    assert lines[1].split()[-4:] == ["120", "100", "ms", "no"]
    assert lines[2].split()[-5:] == ["3.2", "3", "times", "faster", "yes"]


# The command


def _documented():
    """The paths of `research.benchmarking`'s list, as patterns; "times" stand for what they consist of."""
    text = inference_core.research.benchmarking.__doc__
    items = re.findall(r"^- (`.*?): (.*)", text, re.MULTILINE)
    patterns = []
    for names, meaning in items:
        for name in re.findall(r"`([^`]+)`", names):
            pattern = re.escape(name).replace(r"\*", "[^.]+")
            if meaning.startswith("times") and "times_" not in name:
                pattern += r"\.(median_ms|p5_ms|p95_ms|samples_ms)"
            patterns.append(pattern)
    return patterns


def _paths(value, path=""):
    """Of all leaves; lists of numbers or words are leaves."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inner in value:
            yield from _paths(inner, path + "[]")
    else:
        yield path


def test_everything_is_measured_and_written_as_documented(tmp_path, capsys):
    path, threads = tmp_path / "benchmark.json", torch.get_num_threads()
    words = "benchmark --quick --device cpu --runtime pytorch --threads 1 --output"
    assert main([*words.split(), str(path)]) == 0
    assert torch.get_num_threads() == threads
    assert [file.name for file in tmp_path.iterdir()] == ["benchmark.json"]
    shown, figures = capsys.readouterr().out, json.loads(path.read_text())
    for line in ("One slice, ms", "pytorch: new lambda", "2 slices: pytorch, float32", "N = 32", "A training step"):
        assert line in shown
    assert "Not measured: float16: Precision float16 gains nothing on a CPU" in shown

    documented, found = _documented(), {*_paths(figures)}
    assert not [leaf for leaf in found if not any(re.fullmatch(pattern, leaf) for pattern in documented)]
    assert not [pattern for pattern in documented if not any(re.fullmatch(pattern, leaf) for leaf in found)]

    assert figures["machine"]["threads"] == 1
    rate = figures["machine"]["rates"]["matrix products"]["per_s"]
    assert figures["machine"]["floor_ms"] == pytest.approx(4.62e12 / rate)
    plain, engine = figures["forward"]
    assert plain["times_faster"] == {"new slice": 1.0}
    assert engine["times"].keys() == {"new slice", "new lambda", "new metabolite"}
    medians = [row["times"]["new slice"]["median_ms"] for row in (plain, engine)]
    assert engine["times_faster"]["new slice"] == pytest.approx(medians[0] / medians[1])
    assert 0 < engine["difference"] < 1e-4
    assert 0.2 < figures["volume"][0]["peak_gib"] < 1.5
    assert figures["training"]["times_faster"].keys() == {"plain network", "folded"}
    assert figures["training"]["times_floor"].keys() == {"plain network", "folded", "whole step, lambda = 0"}
    assert figures["training"]["times"].keys() > {"a batch alone", "a batch of the default recipe's"}
    assert [goal["what"].partition(":")[0] for goal in figures["goals"]] == ["shown slice, 95 %", "memory", "training"]


def test_an_output_that_differs_ends_with_status_1(monkeypatch, capsys):
    monkeypatch.setitem(forward.TOLERANCES, "float32", 1e-12)
    monkeypatch.setattr(forward, "_CONDITIONS", forward._CONDITIONS[:1])
    words = "benchmark --quick --device cpu --runtime pytorch --parts forward"
    assert main(words.split()) == 1
    shown = capsys.readouterr().out
    assert "Failed: pytorch differs from the plain network by" in shown
    assert "A volume" not in shown


def test_help_answers_in_under_half_a_second():
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        words = [sys.executable, "-m", "inference_core", "benchmark", "--help"]
        subprocess.run(words, capture_output=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--device", "tpu"], "Unknown device 'tpu'"),
        (["--device", "cpu", "--runtime", "tensorrt"], "Unknown runtime 'tensorrt'"),
        (["--device", "cpu", "--runtime", "pytorch", "cuda-graphs"], "works on the device cuda only"),
        (["--device", "cpu", "--precision", "float64"], "Unknown precision 'float64'"),
        (["--device", "cpu", "--precision", "float32", "float16"], "gains nothing on a CPU"),
        (["--parts", "forward", "backward"], "Unknown part 'backward'"),
        (["--threads", "0"], "--threads is 0"),
        (["--slices", "0"], "--slices is 0"),
        (["--batch", "0"], "--batch is 0"),
        (["--rounds", "-1"], "--rounds is -1"),
        (["--output", "nowhere/benchmark.json"], "does not exist"),
        (["--output", "."], "is a folder"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(options, what, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", *options]) == 2
    captured = capsys.readouterr()
    assert what in captured.err
    assert captured.err.startswith("Error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def _checked(**given):
    options = dict.fromkeys(("parts", "threads", "rounds", "output", "runtime", "precision"))
    options |= {"device": "cpu", "slices": 39, "batch": 8, "quick": False} | given
    return settings.check_settings(SimpleNamespace(**options))


def test_no_runtime_is_dropped_without_a_reason():
    chosen = _checked()
    assert "pytorch" in chosen.runtimes
    assert {*chosen.runtimes} | {*chosen.left_out} >= {*RUNTIMES} | {"float16", "bfloat16"}
    assert not {*chosen.runtimes} & {*chosen.left_out}
    assert "--runtime pytorch compiled" in chosen.left_out["compiled"]
    assert "works on the device cuda only" in chosen.left_out["cuda-graphs"]
    assert _checked(runtime=["compiled", "pytorch", "compiled"]).runtimes == ("compiled", "pytorch")


def test_training_without_its_packages_is_left_out_unless_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(settings, "_TRAINING_PACKAGES", ("no_such_package",))
    assert main(["benchmark", "--parts", "training"]) == 2
    assert "of which no_such_package is missing: install mrsi-superres[train]" in capsys.readouterr().err
    checked = _checked()
    assert "training" not in checked.parts
    assert "no_such_package" in checked.left_out["training"]
