"""The benchmark: timing in turns, its table and file, and what it refuses."""

import json

import pytest

from inference_core.benchmarking import forward
from inference_core.benchmarking.timing import Samples, paired
from inference_core.cli import main


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


def test_samples_are_told_in_milliseconds():
    told = Samples((0.001, 0.002, 0.006)).as_dict()
    assert told["median_ms"] == pytest.approx(2)
    assert told["p5_ms"] == pytest.approx(1.1)
    assert told["p95_ms"] == pytest.approx(5.6)
    assert told["samples_ms"] == pytest.approx([1, 2, 6])


def test_everything_is_measured_and_written(tmp_path, capsys):
    path = tmp_path / "benchmark.json"
    assert main(["benchmark", "--quick", "--device", "cpu", "--output", str(path)]) == 0
    shown, figures = capsys.readouterr().out, json.loads(path.read_text())
    for line in ("One slice, ms", "pytorch: new lambda", "2 slices (pytorch, float32)", "N = 32", "A training step"):
        assert line in shown
    assert figures["machine"]["floor_ms"] == pytest.approx(4.62e12 / figures["machine"]["flop_per_s"])
    plain, engine = figures["forward"]
    assert plain["name"] == "plain network"
    assert engine["times"].keys() == {"new slice", "new lambda", "new metabolite"}
    assert 0 < engine["difference"] < 1e-4
    assert [volume["slices"] for volume in figures["volume"]] == [1, 2]
    assert all(0.2 < volume["peak_gib"] < 1.5 for volume in figures["volume"])
    assert figures["growth"]["batch"].keys() == {"1", "2"}
    assert figures["training"]["times"].keys() == {"plain network", "folded"}


def test_a_runtime_that_differs_from_the_plain_network_fails(monkeypatch, capsys):
    monkeypatch.setitem(forward.TOLERANCES, "float32", 1e-12)
    assert main(["benchmark", "--quick", "--device", "cpu", "--parts", "forward"]) == 1
    assert "pytorch differs from the plain network by" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--device", "tpu"], "Unknown device 'tpu'"),
        (["--device", "cpu", "--runtime", "tensorrt"], "Unknown runtime 'tensorrt'"),
        (["--device", "cpu", "--runtime", "cuda-graphs"], "works on the device cuda only"),
        (["--device", "cpu", "--precision", "float16"], "gains nothing on a CPU"),
        (["--parts", "forward", "backward"], "Unknown part 'backward'"),
        (["--threads", "0"], "--threads is 0"),
        (["--rounds", "-1"], "--rounds is -1"),
        (["--output", "nowhere/benchmark.json"], "does not exist"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(options, what, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", *options]) == 2
    error = capsys.readouterr().err
    assert what in error
    assert error.startswith("Error: ")
    assert error.count("\n") == 1


def test_a_folder_is_no_file_to_write(tmp_path, capsys):
    assert main(["benchmark", "--output", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err
