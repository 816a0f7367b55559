"""A simulated cohort of 200 patients, every tenth one broken in a way of its own, through `mrsi-superres batch`.

    python Testing/benchmarks/cohort.py OUTPUT

Checks what became of each, and prints throughput and the process's memory over the cohort. The patients are one
simulated patient's slices at changing levels, so that no two are alike and making them takes little time.
"""

import gzip
import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.research.phantom import simulate_patient, write_study

PATIENTS, SLICES, METABOLITES = 200, 2, ("NAA", "tCho")


def _cut_short(folder: Path) -> None:
    path = next(folder.glob("mrsi/*NAA.nii.gz"))
    path.write_bytes(path.read_bytes()[:200])


def _empty_file(folder: Path) -> None:
    next(folder.glob("anat/*FLAIR.nii.gz")).write_bytes(b"")


def _no_flair(folder: Path) -> None:
    next(folder.glob("anat/*FLAIR.nii.gz")).unlink()


def _two_t1(folder: Path) -> None:
    path = next(folder.glob("anat/*T1w.nii.gz"))
    path.with_name(path.name.replace("_T1w", "_run-2_T1w")).write_bytes(path.read_bytes())


def _no_maps(folder: Path) -> None:
    for path in folder.glob("mrsi/*"):
        path.unlink()


def _zeros(folder: Path) -> None:
    for path in folder.glob("mrsi/*.nii.gz"):
        sitk.WriteImage(sitk.ReadImage(str(path)) * 0, str(path))


def _elsewhere(folder: Path) -> None:
    for path in folder.glob("mrsi/*.nii.gz"):
        image = sitk.ReadImage(str(path))
        image.SetOrigin((2000.0, 0.0, 0.0))
        sitk.WriteImage(image, str(path))


def _two_dimensional(folder: Path) -> None:
    for path in folder.glob("mrsi/*.nii.gz"):
        sitk.WriteImage(sitk.ReadImage(str(path))[:, :, 0], str(path))


def _damaged(folder: Path) -> None:
    path = next(folder.glob("anat/*T1w.nii.gz"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def _text(folder: Path) -> None:
    for path in folder.glob("mrsi/*.nii.gz"):
        path.write_bytes(gzip.compress(b"not an image at all"))


#: What breaks a patient, and what the batch has to say of it.
BREAKS = (
    (_cut_short, "can't be read as an image"),
    (_empty_file, "can't be read as an image"),
    (_no_flair, "has no FLAIR"),
    (_two_t1, "has 2 T1 images"),
    (_no_maps, "has no metabolite map"),
    (_zeros, "holds only zeros"),
    (_elsewhere, "does not overlap the map"),
    (_two_dimensional, "is 2-D"),
    (_damaged, "can't be read as an image"),
    (_text, "can't be read as an image"),
)


def make_cohort(study: Path) -> dict[str, str]:
    """Write the cohort; returns what is to be said of each broken patient."""
    made = study.with_name("made")
    made.mkdir()
    write_study(simulate_patient(9), made, [16], SLICES)
    source, expected = made / "sub-0009", {}
    images = {
        path.relative_to(source): sitk.ReadImage(str(path))
        for path in source.rglob("*.nii.gz")
        if path.parent.name == "anat" or re.search(rf"res-n16_desc-acquired_({'|'.join(METABOLITES)})\.", path.name)
    }
    for number in range(PATIENTS):
        name = f"sub-{number:03d}"
        for path, image in images.items():
            target = study / name / str(path).replace("sub-0009", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            level = 1 + number / PATIENTS if path.parent.name == "mrsi" else 1
            sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat32) * level, str(target), useCompression=True)
        if number % 10 == 0:
            broken, sentence = BREAKS[number // 10 % len(BREAKS)]
            broken(study / name)
            expected[name] = sentence
    return expected


def _memory_mib(process: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(found.group(1)) / 1024 if found else float("nan")


def run_cohort(output: Path) -> None:
    """Make the cohort in the folder `output`, run it, check it, print the figures."""
    study, results = output / "study", output / "results"
    study.mkdir(parents=True)
    expected = make_cohort(study)
    command = [sys.executable, "-u", "-m", "inference_core", "batch", str(study), str(results), "--device", "cpu"]
    start, memory = time.perf_counter(), []
    run = subprocess.Popen([*command, "--jobs", "1"], stdout=subprocess.PIPE, text=True)
    for line in run.stdout:
        if re.match(r"\[\d+/", line):
            memory.append(_memory_mib(run.pid))
    seconds = time.perf_counter() - start
    if run.wait() != 1:
        sys.exit(f"The exit status is {run.returncode} instead of 1.")
    lines = (results / "batch.tsv").read_text(encoding="utf-8").splitlines()
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    for row in rows:
        sentence = expected.get(row["patient"])
        if row["status"] == "failed" and not (sentence and sentence in row["message"]):
            sys.exit(f"Not expected: {row}")
    spoilt = {row["patient"] for row in rows if row["status"] == "failed"}
    if spoilt != set(expected):
        sys.exit(
            f"Broken, and not told of: {sorted(set(expected) - spoilt)}; told of: {sorted(spoilt - set(expected))}"
        )
    done = sum(row["status"] == "done" for row in rows)
    early, late = (np.median(part) for part in (memory[20:60], memory[-40:]))
    figures = {
        "patients": PATIENTS,
        "broken": len(expected),
        "maps done": done,
        "seconds": round(seconds, 1),
        "patients a minute": round(60 * PATIENTS / seconds, 1),
        "slices a second": round(done * SLICES / seconds, 2),
        "memory after 20 outputs, MiB": round(float(early)),
        "memory at the end, MiB": round(float(late)),
        "peak of all processes, MiB": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name a folder for the cohort, which does not exist yet.")
    run_cohort(Path(sys.argv[1]))
