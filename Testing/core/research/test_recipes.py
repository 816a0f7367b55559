"""Recipes, and trainings in pieces."""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from training_samples import random_slices

from inference_core import InputError
from inference_core.commands import pieces, train
from inference_core.commands.pieces import Deadline, OutOfTimeError
from inference_core.networks.weights_io import load_weights
from inference_core.research.data.simulated import SimulatedSlices
from inference_core.research.recipes.recipe import read_recipe, recipe_names
from inference_core.research.recipes.table_reading import read_table
from inference_core.research.training import packing
from inference_core.research.training.packing import PART, pack, unpack
from inference_core.terms.duration import parse_duration

_SMALL = """
version = 2
[patients]
count = 1
slices = 1
[training]
batch_size = 1
network = "unconditioned"
adversarial = false
resolutions = [16, 20]
[[stages]]
name = "first"
[stages.training]
steps = 2
[[stages]]
name = "second"
[stages.training]
steps = 1
learning_rate = 1e-5
redrawn = 0.5
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(_SMALL)
    return path


@pytest.fixture(autouse=True)
def quick_patients(monkeypatch):
    """Random slices in the place of simulated ones, which take seconds each."""
    monkeypatch.setattr(SimulatedSlices, "slices", lambda patient: random_slices(patient.count, patient.seed))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)


def test_the_default_recipe_makes_a_network_that_responds_to_lambda():
    assert "default" in recipe_names()
    recipe = read_recipe("default")
    assert recipe.stages[-1].training.adversarial
    assert recipe.stages[0].training.resolutions == tuple(range(8, 43))
    assert all(stage.patients.varied for stage in recipe.stages)
    # Short enough to be quoted.
    assert len(recipe.text.splitlines()) < 80


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("steps = 2", "stpes = 2"), "Stage 1 of the recipe 'small.toml'.training has an unknown entry 'stpes'"),
        (("steps = 2", "steps = 2.5"), "training.steps is 2.5: a value of type int is expected"),
        (("steps = 2", "steps = -1"), "Setting steps is -1"),
        (("steps = 1\n", ""), "Stage 2 of the recipe 'small.toml'.training lacks the entry 'steps'"),
        (("[16, 20]", "{ from = 20, to = 16 }"), "write a range as"),
        (("[16, 20]", "16"), "a list is expected"),
        (('"second"', '"first"'), "stages of one name"),
        (('"second"', '"../second"'), "letters, digits and hyphens"),
        (("version = 2", "version = 9"), "is of version 9"),
        (("count = 1", "count = 0"), "Setting count is 0"),
        (("[patients]", "[patience]"), "unknown entry 'patience'"),
        (("redrawn = 0.5", 'network = "amlayer"'), "several networks"),
        (("version", "= version"), "not valid TOML"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_said_with_its_place(change, sentence, recipe):
    recipe.write_text(_SMALL.replace(*change))
    with pytest.raises(InputError, match=re.escape(sentence)):
        read_recipe(str(recipe))


def test_other_dataclasses_are_read_alike():
    @dataclass(frozen=True)
    class Options:
        name: str
        spread: tuple[float, float] = (0.0, 0.0)
        kinds: tuple[str, ...] = ()
        clip: float | None = None
        often: bool = False

    table = {"name": "a", "spread": [1, 2.5], "kinds": ["x"], "clip": 3, "often": True}
    assert read_table(Options, table, "here") == Options("a", (1.0, 2.5), ("x",), 3.0, True)
    for wrong in ({"spread": [1]}, {"often": 1}, {"kinds": [1]}, {"clip": "none"}):
        with pytest.raises(InputError, match="here"):
            read_table(Options, {"name": "a", **wrong}, "here")


def _run(recipe, output, *more):
    return train.main(["--recipe", str(recipe), "--output", str(output), "--device", "cpu", *more])


class _Ticking:
    """A clock that goes on by a second each time it is looked at."""

    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        self.seconds += 1.0
        return self.seconds


def test_a_recipe_in_pieces_makes_the_weights_of_one_go(recipe, tmp_path, capsys, monkeypatch):
    assert _run(recipe, tmp_path / "whole") == 0
    network, info = load_weights(tmp_path / "whole" / "weights.safetensors")
    assert info.metadata["recipe"] == "small"
    assert (
        info.metadata["started_from"] == load_weights(tmp_path / "whole" / "1-first" / "weights.safetensors")[1].sha256
    )
    assert info.metadata["redrawn"] == "0.5"
    assert json.loads((tmp_path / "whole" / "recipe.json").read_text())["text"] == _SMALL
    assert not list((tmp_path / "whole").rglob("checkpoint.pt"))

    monkeypatch.setattr(pieces, "time", _Ticking())
    folder, went = tmp_path / "pieces", 0
    while not (folder / "weights.safetensors").exists():
        assert _run(recipe, folder, "--for", "2s", "--cache", str(tmp_path / "cache")) == 0
        went += 1
        if not (folder / "weights.safetensors").exists():
            # All that is left to go on is in a few files.
            left = [path for path in folder.rglob("*") if path.is_file() and "tfevents" not in path.name]
            assert left
            assert {path.parent.name for path in left} == {"state"}
            assert len(left) <= 8
            assert max(path.stat().st_size for path in left) <= PART
        assert went < 10
    assert went > 1
    for one, other in zip(
        network.parameters(), load_weights(folder / "weights.safetensors")[0].parameters(), strict=True
    ):
        assert (one == other).all()
    for stage in ("1-first", "2-second"):
        logs = [(place / stage / "losses.jsonl").read_text() for place in (tmp_path / "whole", folder)]
        assert logs[0] == logs[1]
    # Done is done.
    capsys.readouterr()
    assert _run(recipe, folder) == 0
    assert "Stage" not in capsys.readouterr().out


def test_a_run_of_another_recipe_is_not_gone_on_with(recipe, tmp_path, capsys):
    assert _run(recipe, tmp_path / "run") == 0
    recipe.write_text("# Comments don't count.\n" + _SMALL)
    assert _run(recipe, tmp_path / "run") == 0
    recipe.write_text(_SMALL.replace("steps = 2", "steps = 3"))
    assert _run(recipe, tmp_path / "run") == 2
    assert "holds a run of another recipe" in capsys.readouterr().err


def test_a_recipe_may_start_from_weights(recipe, tmp_path, capsys):
    assert _run(recipe, tmp_path / "first") == 0
    start = tmp_path / "first" / "weights.safetensors"
    assert _run(recipe, tmp_path / "second", "--init", str(start)) == 0
    own = load_weights(tmp_path / "second" / "1-first" / "weights.safetensors")[1]
    assert own.metadata["started_from"] == load_weights(start)[1].sha256
    capsys.readouterr()
    assert _run(recipe, tmp_path / "second") == 2
    assert "holds a run of other --init" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--steps", "3"], "The recipe decides on --steps"),
        (["--for", "soon"], "The time of --for 'soon' is not a time"),
        (["--anatomy", "nowhere"], "There is no file 'nowhere'"),
    ],
)
def test_what_cannot_go_with_a_recipe_is_refused_before_anything_is_made(more, sentence, recipe, tmp_path, capsys):
    if more[0] == "--anatomy":
        more = [*more, "--grey", "a", "--white", "b", "--csf", "c"]
    assert _run(recipe, tmp_path / "run", *more) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_time_that_ends_before_the_patients_are_made_is_said(recipe, tmp_path, capsys, monkeypatch):
    recipe.write_text(_SMALL.replace("count = 1", "count = 4"))
    monkeypatch.setattr(pieces, "time", _Ticking())
    assert _run(recipe, tmp_path / "run", "--for", "2s") == 2
    assert "give --cache FOLDER" in capsys.readouterr().err
    assert _run(recipe, tmp_path / "run", "--for", "2s", "--cache", str(tmp_path / "cache")) == 0
    made = len(list((tmp_path / "cache").iterdir()))
    assert 0 < made < 4
    assert "Stopped with some of the patients" in capsys.readouterr().out


def test_without_a_time_nothing_stops():
    deadline = Deadline.after(None)
    assert not deadline
    assert list(deadline.bounding(range(3), "reading")) == [0, 1, 2]
    with pytest.raises(OutOfTimeError, match="while reading patients"):
        list(Deadline(1e-9).bounding(range(3), "reading"))


def test_durations_are_written_with_their_unit():
    assert [parse_duration(text) for text in ("90s", "9m", "1.5h", "1d")] == [90, 540, 5400, 86400]
    for wrong in ("9", "m", "-3m", "0s", "9 weeks"):
        with pytest.raises(InputError, match="is not a time"):
            parse_duration(wrong)


@pytest.fixture
def packed_run(tmp_path):
    """A run's folder, and what it holds."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "run"
    (folder / "1-first").mkdir(parents=True)
    (folder / "slices").mkdir()
    (folder / "slices" / "patient.safetensors").write_bytes(b"can be made again")
    contents = {
        "1-first/checkpoint.pt": rng.standard_normal(5_000_003, dtype=np.float32).tobytes() + b"odd",
        "1-first/losses.jsonl": b'{"step": 0}\n' * 100,
        "empty": b"",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder, contents


def test_a_run_is_packed_into_parts_and_back_bit_for_bit(packed_run):
    folder, contents = packed_run
    assert pack(folder) == 2
    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert left == ["slices/patient.safetensors", "state/part-1", "state/part-2"]
    size = sum(path.stat().st_size for path in (folder / "state").iterdir())
    assert size < 0.95 * sum(map(len, contents.values()))
    unpack(folder)
    assert {name: (folder / name).read_bytes() for name in contents} == contents
    assert not (folder / "state").exists()
    unpack(folder)


@pytest.mark.parametrize("moment", range(15))
def test_a_kill_while_packing_or_unpacking_loses_nothing(moment, packed_run, monkeypatch):
    folder, contents = packed_run
    count = 0

    class KilledError(BaseException):
        pass

    def counted(original):
        def call(*arguments, **options):
            nonlocal count
            count += 1
            if count > moment:
                raise KilledError
            return original(*arguments, **options)

        return call

    for owner, name in ((Path, "unlink"), (Path, "rename"), (Path, "replace"), (shutil, "rmtree")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))

    def pack_and_unpack():
        pack(folder)
        unpack(folder)

    with pytest.raises(KilledError):
        pack_and_unpack()
    monkeypatch.undo()
    unpack(folder)
    assert {name: (folder / name).read_bytes() for name in contents} == contents


def test_a_kill_while_the_parts_are_removed_leaves_a_run_that_goes_on(packed_run, monkeypatch):
    folder, contents = packed_run
    pack(folder)

    class KilledError(BaseException):
        pass

    def killed(place, **_):
        if place.exists():
            (place / "part-1").unlink()
            raise KilledError

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KilledError):
        unpack(folder)
    monkeypatch.undo()
    unpack(folder)
    assert {name: (folder / name).read_bytes() for name in contents} == contents
    assert sorted(path.name for path in folder.iterdir()) == ["1-first", "empty", "slices"]


@pytest.mark.parametrize("full_at", ["part-2", "part-1"])
def test_a_full_disk_leaves_the_run_as_it_was_and_no_part(full_at, packed_run, monkeypatch):
    folder, contents = packed_run
    write = packing.write_file

    def write_until_full(path, content):
        if path.name == full_at:
            raise InputError(f"'{path}' can't be written (No space left on device): check.")
        write(path, content)

    monkeypatch.setattr(packing, "write_file", write_until_full)
    with pytest.raises(InputError, match=r"can't be packed .*No space left on device"):
        pack(folder)
    assert {name: (folder / name).read_bytes() for name in contents} == contents
    assert sorted(path.name for path in folder.iterdir()) == ["1-first", "empty", "slices"]


@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
def test_damaged_parts_are_refused_and_left(damage, packed_run):
    folder, _ = packed_run
    pack(folder)
    part = folder / "state" / "part-2"
    content = part.read_bytes()
    if damage == "missing":
        part.unlink()
    else:
        part.write_bytes(content[:-1] if damage == "cut" else content[:-1] + b"?")
    with pytest.raises(InputError, match="packed run"):
        unpack(folder)
    assert (folder / "state" / "part-1").exists()
