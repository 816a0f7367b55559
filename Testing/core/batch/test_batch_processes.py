"""Batches over several processes: the same bytes, locks between runs, processes that die, a real Dask cluster."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
import SimpleITK as sitk

from inference_core import InputError
from inference_core.batch import BatchRequest, run_batch
from inference_core.batch.locks import patient_lock
from inference_core.batch.patient_maps import BatchCancelled
from inference_core.batch.plan import plan_batch
from inference_core.commands.cli import main
from inference_core.research.phantom import simulate_patient, write_study

PATIENTS = ("sub-01", "sub-02", "sub-03")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three patients of one slice with maps of NAA, and one without a FLAIR."""
    folder = tmp_path_factory.mktemp("batch") / "my stüdy"
    made = tmp_path_factory.mktemp("made")
    write_study(simulate_patient(7), made, [16], 1)
    source = made / "sub-0007"
    for name in (*PATIENTS, "sub-04"):
        (folder / name / "anat").mkdir(parents=True)
        (folder / name / "mrsi").mkdir()
        for contrast in ("T1w", "FLAIR"):
            shutil.copy(
                source / "anat" / f"sub-0007_{contrast}.nii.gz", folder / name / "anat" / f"{name}_{contrast}.nii.gz"
            )
        image = sitk.ReadImage(str(source / "mrsi" / "sub-0007_res-n16_desc-acquired_NAA.nii.gz"))
        # Not the same patient four times.
        sitk.WriteImage(
            image * float(name[-1]), str(folder / name / "mrsi" / f"{name}_res-n16_desc-acquired_NAA.nii.gz")
        )
    (folder / "sub-04" / "anat" / "sub-04_FLAIR.nii.gz").unlink()
    return folder


def results(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".locks" not in p.parts
    }


@pytest.fixture(scope="module")
def alone(study, tmp_path_factory):
    """The study done by one process."""
    output = tmp_path_factory.mktemp("alone") / "out"
    assert main(["batch", str(study), str(output), "--jobs", "1", "--device", "cpu", "--runtime", "pytorch"]) == 1
    return output


ARGUMENTS = ("--device", "cpu", "--runtime", "pytorch")


def test_one_bad_patient_is_told_of_at_the_end(study, tmp_path, capsys):
    assert main(["batch", str(study), str(tmp_path / "out"), "--jobs", "1", *ARGUMENTS]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith("3 done, 0 complete already, 1 failed, of 4")
    assert lines[-2].startswith("Failed: sub-04, NAA, lambda = 0: Patient 'sub-04' has no FLAIR")
    assert main(["batch", str(study), str(tmp_path / "out"), "--jobs", "1", *ARGUMENTS]) == 1
    assert "0 done, 3 complete already, 1 failed" in capsys.readouterr().out


def test_two_processes_give_the_same_bytes_as_one(study, alone, tmp_path):
    assert main(["batch", str(study), str(tmp_path / "out"), "--jobs", "2", *ARGUMENTS]) == 1
    assert results(tmp_path / "out") == results(alone)


def test_two_processes_give_the_same_ratios_and_uncertainties_as_one(study, tmp_path):
    pairs = tmp_path / "pairs"
    for name in PATIENTS[:2]:
        shutil.copytree(study / name, pairs / name)
        naa = sitk.ReadImage(str(next((pairs / name).glob("mrsi/*NAA.nii.gz"))))
        sitk.WriteImage(naa * 0.5, str(pairs / name / "mrsi" / f"{name}_res-n16_desc-acquired_tCr.nii.gz"))
    for jobs in ("1", "2"):
        command = ["batch", str(pairs), str(tmp_path / jobs), "--jobs", jobs, "--ratios", "--uncertainty", *ARGUMENTS]
        assert main(command) == 0
    written = results(tmp_path / "1")
    assert sum(name.endswith("_NAAOverTCr.nii.gz") for name in written) == 4
    assert results(tmp_path / "2") == written


def test_participants_have_a_table_of_their_own(study, alone, tmp_path, capsys):
    for label in ("01", "sub-02"):
        command = ["batch", str(study), str(tmp_path / "out"), "participant", "--participant-label", label, *ARGUMENTS]
        assert main(command) == 0
    written = results(tmp_path / "out")
    assert {name for name in written if name.endswith(".tsv")} == {"batch_sub-01.tsv", "batch_sub-02.tsv"}
    expected = results(alone)
    for name in PATIENTS[:2]:
        own = {path: content for path, content in expected.items() if path.startswith(name)}
        assert own == {path: content for path, content in written.items() if path.startswith(name)}
    assert main(["batch", str(study), str(tmp_path / "out"), "--participant-label", "9", *ARGUMENTS]) == 2
    assert "has no participant 9: it has 01, 02, 03, 04" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--jobs", "0"], "must be at least 1"),
        (["--reference", "brain"], "A reference is for ratios"),
        (["--ratios", "--mirror"], "name a label image as the reference"),
        (["--ratios", "--reference", "/labels.nii"], "is to be in each patient's folder"),
        (["--ratios", "--reference", "la**ls.nii"], "is to be in each patient's folder"),
        (["--ratios", "NAA"], "'NAA' is no ratio"),
        (["--metabolite", "Lac"], "Unknown metabolite"),
        (["--metabolite", "Gly"], "has no map of Gly"),
        (["--sharpness", "0.2"], "outside 0 to 0.1"),
        (["--scheduler", "tcp://127.0.0.1:9"], "No Dask scheduler answers"),
        (["--weights", "missing.safetensors"], "do not exist"),
    ],
)
def test_unusable_arguments_end_in_one_sentence(study, tmp_path, capsys, monkeypatch, extra, sentence):
    monkeypatch.setattr("inference_core.batch.processes._SCHEDULER_TIMEOUT_S", 1)
    if "--scheduler" in extra:
        pytest.importorskip("distributed")
    assert main(["batch", str(study), str(tmp_path / "out"), *extra]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert sentence in errors[0]


def test_without_dask_the_user_learns_what_to_install(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["batch", str(study), str(tmp_path / "out"), "--scheduler", "tcp://head:8786"]) == 2
    assert "install mrsi-superres[cluster]" in capsys.readouterr().err


def test_a_patient_is_one_runs_at_a_time(tmp_path):
    entered, order = threading.Event(), []

    def other():
        with patient_lock(tmp_path, "sub-01"):
            order.append("other")

    with patient_lock(tmp_path, "sub-01"):
        thread = threading.Thread(target=other)
        thread.start()
        # Another patient's is free meanwhile.
        with patient_lock(tmp_path, "sub-01/ses-1"):
            entered.set()
        time.sleep(0.5)
        order.append("first")
    thread.join(10)
    assert entered.is_set()
    assert order == ["first", "other"]


def test_a_folder_that_holds_no_locks_is_refused_in_one_sentence(tmp_path):
    (tmp_path / ".locks").write_text("a file in the way")
    with pytest.raises(InputError, match="can't hold the locks"), patient_lock(tmp_path, "sub-01"):
        pass


def test_waiting_for_another_run_can_be_cancelled(tmp_path):
    with (
        patient_lock(tmp_path, "sub-01"),
        pytest.raises(BatchCancelled),
        patient_lock(tmp_path, "sub-01", lambda: True),
    ):
        pass


def test_two_runs_at_once_into_one_folder_do_no_harm(study, alone, tmp_path):
    command = [sys.executable, "-m", "inference_core", "batch", str(study), str(tmp_path / "out"), *ARGUMENTS]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [1, 1]
    done = sum(text.count(": done") for text in told)
    assert done == len(PATIENTS), told
    found, expected = results(tmp_path / "out"), results(alone)
    assert {n: c for n, c in found.items() if n != "batch.tsv"} == {
        n: c for n, c in expected.items() if n != "batch.tsv"
    }


def test_the_plan_fits_what_run_batch_does(study, tmp_path):
    plan = plan_batch(BatchRequest(study, tmp_path / "out", metabolites=["tNAA"]))
    assert plan.outputs == 4
    with pytest.raises(InputError, match="study's folder"):
        run_batch(BatchRequest(study, study))


@pytest.fixture
def unchanged_environment():
    """Dask tells its workers how many threads to use by this process's environment."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("unchanged_environment")
def test_a_cluster_whose_worker_is_killed_gives_the_same_results(study, alone, tmp_path, capsys, monkeypatch):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    try:
        with distributed.Client(cluster) as client:
            workers = client.run(os.getpid)
            outcome = []
            # Workers have a working directory of their own: where a user is when naming folders is nothing to them.
            monkeypatch.chdir(study.parent)
            out = os.path.relpath(tmp_path / "out")
            command = ["batch", study.name, out, "--scheduler", cluster.scheduler_address, *ARGUMENTS]
            thread = threading.Thread(target=lambda: outcome.append(main(command)))
            thread.start()
            killed = _kill_a_busy_worker(client, workers)
            thread.join(240)
            assert killed
            assert outcome == [1]
    finally:
        cluster.close()
    assert results(tmp_path / "out") == results(alone)
    assert "Failed: sub-04" in capsys.readouterr().out


def _kill_a_busy_worker(client, workers):
    """SIGKILL the process of a worker that has a patient in hand; whether there was one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for address, tasks in client.processing().items():
            if tasks and address in workers:
                os.kill(workers[address], signal.SIGKILL)
                return True
        time.sleep(0.01)
    return False


def test_a_sidecar_tells_no_machine_or_time(alone):
    sidecars = list(alone.glob("sub-*/mrsi/*.json"))
    assert len(sidecars) == len(PATIENTS)
    for path in sidecars:
        told = json.loads(path.read_text(encoding="utf-8"))
        assert not {"Date", "Time", "Seconds", "Host"} & set(told)
