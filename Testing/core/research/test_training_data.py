"""Training data: the same batches from memory, from disk, in parts and from worker processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from training_samples import RandomPatient, random_slices

from inference_core import InputError
from inference_core.research.data.batch_options import BatchOptions
from inference_core.research.data.cohort import (
    code_fingerprint,
    open_stored,
    read_into_memory,
    store_on_disk,
    stored_path,
)
from inference_core.research.data.loading import batches_of, default_workers
from inference_core.research.data.simulated import SimulatedSlices
from inference_core.research.data.stored_slices import store_slices, stored_origin
from inference_core.research.data.study import StudyPatient, split_patients
from inference_core.research.data.training_batches import TrainingBatches
from inference_core.research.training.schedule import batch_steps
from inference_core.research.training.settings import TrainingSettings
from inference_core.terms.conditions import METABOLITES


def same(one, other):
    """Whether two batches are the same, bit for bit."""
    pairs = [(value, vars(other)[name]) for name, value in vars(one).items()]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


@pytest.fixture
def patients():
    return [RandomPatient(seed, count=1 + seed) for seed in range(3)]


@pytest.fixture
def stored(patients, tmp_path):
    store_on_disk(patients, tmp_path / "cache", processes=1)
    return open_stored(patients, tmp_path / "cache")


def test_a_part_of_a_batch_is_that_part_of_the_whole():
    batches = TrainingBatches(random_slices(), batch_size=4, seed=3, options=BatchOptions(redrawn=0.5))
    whole = batches.batch(7)
    parts = [batches.batch(7, slice(start, start + 2)) for start in (0, 2)]
    assert {part.n for part in parts} == {whole.n}
    for name in ("low_resolution", "t1", "flair", "target", "mask"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    assert not torch.equal(whole.t1[0], whole.t1[1])


def test_batches_from_disk_are_those_from_memory(patients, stored):
    memory = read_into_memory(patients, processes=1)
    assert len(stored) == len(memory) == 6
    assert np.array_equal(stored.usable(), memory.usable())
    from_memory, from_disk = (
        TrainingBatches(slices, 2, seed=1, options=BatchOptions(redrawn=0.3)) for slices in (memory, stored)
    )
    assert from_memory.maps == from_disk.maps
    assert all(same(from_memory.batch(step), from_disk.batch(step)) for step in range(12))
    restored = stored.in_memory()
    assert all(np.array_equal(getattr(restored, name), getattr(memory, name)) for name in ("t1", "target", "valid"))


def test_batches_do_not_depend_on_the_number_of_workers(stored):
    batches = TrainingBatches(stored, 2, seed=1)
    steps = list(batch_steps(1, TrainingSettings(steps=4, critic_steps=2)))
    assert steps == [
        (1 << 32) + 1 - 1,
        (1 << 32) + 1,
        1,
        (1 << 32) + 2,
        (1 << 32) + 3,
        2,
        *((1 << 32) + s for s in (4, 5)),
        3,
    ]
    part = slice(1, 2)
    made = list(batches_of(batches, steps, part, workers=2))
    assert len(made) == len(steps)
    assert all(same(batch, batches.batch(step, part)) for batch, step in zip(made, steps, strict=True))


def test_workers_leave_a_core_to_the_training_and_none_take_the_cpu_from_it(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    assert [default_workers(*case) for case in (("cpu", 1), ("cuda", 1), ("cuda", 4), ("cuda", 16))] == [0, 8, 3, 0]


def test_only_missing_patients_are_made(patients, tmp_path):
    assert store_on_disk(patients[:2], tmp_path, processes=1) == 0
    assert store_on_disk(patients, tmp_path, processes=1) == 0
    assert [patient.made for patient in patients] == [1, 1, 1]


def test_what_a_kill_left_half_written_is_made_again(patients, tmp_path):
    store_on_disk(patients, tmp_path, processes=1)
    whole = stored_path(tmp_path, patients[1]).read_bytes()
    # A file that was cut, and a temporary one that a kill kept from taking its name.
    stored_path(tmp_path, patients[1]).write_bytes(whole[: len(whole) // 2])
    stored_path(tmp_path, patients[2]).rename(tmp_path / f".1234-{patients[2].name}.safetensors")
    with pytest.raises(InputError, match="can't be read"):
        open_stored(patients, tmp_path)
    store_on_disk(patients, tmp_path, processes=1)
    assert [patient.made for patient in patients] == [1, 2, 2]
    assert stored_path(tmp_path, patients[1]).read_bytes() == whole


def test_stale_slices_are_made_again(patients, tmp_path):
    store_on_disk(patients, tmp_path, processes=1)
    patients[0].version = 2
    assert store_on_disk(patients, tmp_path, processes=1) == 1
    assert [patient.made for patient in patients] == [2, 1, 1]
    assert stored_origin(stored_path(tmp_path, patients[0]))["version"] == 2


def test_simulated_slices_depend_on_seed_count_and_simulator():
    one = SimulatedSlices(3, 8)
    assert one.name != SimulatedSlices(3, 4).name != SimulatedSlices(4, 4).name
    simulator = "terms/conditions.py", "research/data/simulated.py", "research/phantom"
    assert one.origin()["simulator"] == code_fingerprint(*simulator)
    anatomy, geometry = "research/phantom/anatomy.py", "imaging/geometry.py"
    assert code_fingerprint("research/phantom") != code_fingerprint(anatomy) != code_fingerprint(geometry)


@pytest.fixture
def study(patient, tmp_path):
    """Two patients' folders with one map each."""
    for name in ("sub-01", "sub-02"):
        map_image, t1, flair = patient(size=(64, 64, 2), spacing=(3.0, 3.0, 10.0))
        for path, image in (
            (f"anat/{name}_T1w", t1),
            (f"anat/{name}_FLAIR", flair),
            (f"mrsi/{name}_res-high_desc-acquired_{METABOLITES[0]}", map_image),
        ):
            file = tmp_path / "study" / name / f"{path}.nii.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(image, str(file))
    return tmp_path / "study"


def test_real_patients_come_from_disk_as_from_their_files(study, tmp_path):
    training, validation = split_patients(study, 1)
    assert [p.folder.name for p in (*training, *validation)] == ["sub-01", "sub-02"]
    cache = tmp_path / "cache"
    store_on_disk(training, cache, processes=1)
    memory, disk = read_into_memory(training, processes=1), open_stored(training, cache)
    assert all(same(TrainingBatches(memory, 1, 0).batch(s), TrainingBatches(disk, 1, 0).batch(s)) for s in range(3))
    # Another study's patients of the same name are others; changed files are read again.
    (study / "sub-01").rename(tmp_path / "sub-01")
    assert StudyPatient(tmp_path / "sub-01").name != training[0].name
    (tmp_path / "sub-01").rename(study / "sub-01")
    assert store_on_disk(training, cache, processes=1) == 0
    os.utime(study / "sub-01" / "anat" / "sub-01_T1w.nii.gz", (1, 1))
    assert store_on_disk(training, cache, processes=1) == 1
    with pytest.raises(InputError, match="none is left to train on"):
        split_patients(study, 2)


def test_a_full_disk_ends_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match="can't be written"):
        store_slices(random_slices(1), tmp_path / "missing" / "one.safetensors", {})


_PEAK = """
import resource, sys
from pathlib import Path
from training_samples import RandomPatient
from inference_core.research.data.training_batches import TrainingBatches
from inference_core.research.data.cohort import open_stored, store_on_disk

for count in (4, 32):
    patients = [RandomPatient(seed, count=8) for seed in range(count)]
    store_on_disk(patients, Path(sys.argv[1]), processes=1)
    batches = TrainingBatches(open_stored(patients, Path(sys.argv[1])), 4, 0)
    for step in range(60):
        batches.batch(step)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is measured with POSIX's resource module")
def test_memory_does_not_grow_with_the_cohort(tmp_path):
    path = os.pathsep.join(map(str, (Path(__file__).parents[1], Path(__file__).parents[3])))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-c", _PEAK, str(tmp_path)], env=environment, check=True, capture_output=True, text=True
    )
    small, large = map(int, result.stdout.split())
    added = sum(file.stat().st_size for file in tmp_path.iterdir()) * 28 / 32
    assert added > 100e6
    assert large - small < 0.15 * added


def test_sessions_are_one_patients(study):
    (study / "sub-02").rename(study / "ses-2")
    (study / "sub-03").mkdir()
    (study / "ses-2").rename(study / "sub-03" / "ses-2")
    training, (validation,) = split_patients(study, 1)
    assert [one.folder.name for one in (*training, validation)] == ["sub-01", "sub-03"]
    before = validation.origin()
    slices = validation.slices()
    (study / "sub-03" / "ses-2" / "anat").rename(study / "sub-03" / "ses-2" / "elsewhere")
    assert validation.origin() != before
    (study / "sub-03" / "ses-2" / "elsewhere").rename(study / "sub-03" / "ses-2" / "anat")

    shutil.copytree(study / "sub-03" / "ses-2", study / "sub-03" / "ses-3")
    both = validation.slices()
    assert len(both) == 2 * len(slices)
    np.testing.assert_array_equal(both.acquired[:, len(slices) :], slices.acquired)
