"""What commands print where the terminal lacks the letters, or is gone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[3]


def run(*words, encoding="cp437", **options):
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, check=False, **options)


@pytest.fixture
def study(patient, tmp_path):
    """A patient in folders whose letters no code page has all of."""
    folder = tmp_path / "Żółć λ" / "Пациент 1"
    folder.mkdir(parents=True)
    for name, image in zip(("NAA", "T1", "FLAIR"), patient(size=(16, 16, 1)), strict=True):
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    return folder.parent


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252", "cp932", "utf-8"])
def test_batch_prints_paths_of_any_letters(study, encoding):
    out = study.parent / f"résultats {encoding}"
    done = run("-m", "inference_core", "batch", study, out, "--device", "cpu", "--jobs", "1", encoding=encoding)
    assert done.returncode == 0, done.stderr
    told = done.stdout.decode(encoding)
    assert "1 done" in told
    assert "Пациент 1" in told or "\\u041f\\u0430" in told
    assert "Пациент 1" in (out / "batch.tsv").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="names in another encoding than the system's are Linux's")
@pytest.mark.parametrize("option", ["--output", "--map"])
def test_names_in_another_encoding(study, option):
    patient = study / "Пациент 1"
    strange = os.fsdecode(os.fsencode(study.parent) + b"/r\xe9sultat.nii.gz")
    shutil.copy(patient / "NAA.nii.gz", os.fsencode(strange) if option == "--map" else study)
    arguments = {"--map": patient / "NAA.nii.gz", "--t1": patient / "T1.nii.gz", "--flair": patient / "FLAIR.nii.gz"}
    arguments |= {"--metabolite": "NAA", "--output": study / "x.nii.gz", "--device": "cpu", option: strange}
    words = [word for pair in arguments.items() for word in pair]
    done = run("-m", "inference_core", "predict", *words, encoding="utf-8")
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("Error: ")
    assert "r\\udce9sultat.nii.gz' is not named in UTF-8: rename it" in line


@pytest.mark.parametrize("command", ["predict", "batch", "prepare", "report", "calibrate", "train.py"])
def test_help_in_ascii(command):
    words = [str(ROOT / "inference_core/train.py")] if command == "train.py" else ["-m", "inference_core", command]
    done = run(*words, "--help", encoding="ascii")
    assert done.returncode == 0
    assert b"usage" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "--map", "żółć.nii", "--t1", "a", "--flair", "b", "--metabolite", "NAA", "--output", "x.nii"],
        ["prepare", "żółć", "ausgang"],
        ["evaluate", "--data", "żółć"],
        ["phantom", "--output", "żółć/żółć"],
        ["demo", "--patient", "żółć"],
        ["train", "--data", "żółć", "--output", "run"],
    ],
)
def test_errors_name_paths_of_any_letters(words, tmp_path):
    done = run("-m", "inference_core", *words, encoding="ascii", cwd=tmp_path)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"Error: " in done.stderr
    assert b"\\u017c\\xf3\\u0142\\u0107" in done.stderr


def test_a_reader_that_has_seen_enough(tmp_path):
    code = "from inference_core.commands.cli import run_command\nexit(run_command(lambda _: print('x' * 10**6), None))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as writer:
        writer.stdout.read(10)
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="locales without letters are Linux's")
def test_letters_that_the_locale_lacks_are_not_said_to_be_misnamed(study, monkeypatch):
    for name, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}.items():
        monkeypatch.setenv(name, value)
    done = run("-m", "inference_core", "batch", study, study.parent / "out", "--device", "cpu", "--jobs", "1")
    assert done.returncode == 1
    text = done.stdout + done.stderr
    assert b"has letters that this session's locale lacks: set LC_ALL=C.UTF-8 or PYTHONUTF8=1." in text
    assert b"Traceback" not in text
