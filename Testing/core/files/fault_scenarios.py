"""Every command that writes, as small as it can be, for campaigns of faults."""

from pathlib import Path

import numpy as np
from fault_injection import Scenario

from inference_core.networks.weights_io import DEFAULT_WEIGHTS

_IMAGES = ("--t1", "{in}/T1.nii.gz", "--flair", "{in}/FLAIR.nii.gz", "--device", "cpu")
_PREDICT = ("predict", "--map", "{in}/NAA.nii.gz", *_IMAGES)
_PATIENT = ("--maps", "{in}/NAA.nii.gz", *_IMAGES, "--labels", "{in}/labels.nii.gz", "--ratios")
_BATCH = ("batch", "{in}/study", "{out}/results", "--device", "cpu")
_PHANTOM = ("phantom", "--output", "{out}/study", "--n", "16", "--slices", "1")
_TRAIN = ("train", "--output", "{out}/run", "--simulated", "1", "--slices", "1", "--validation", "0", "--device", "cpu")
_TRAIN += ("--batch-size", "1", "--no-adversarial", "--network", "unconditioned", "--checkpoint-every", "1", "--steps")
_RECIPE = ("train", "--recipe", "{in}/tiny.toml", "--output", "{out}/run", "--device", "cpu", "--checkpoint-every", "1")
_REPRODUCE = ("reproduce", "--output", "{out}/run", "--simulated", "5", "--slices", "1", "--budget", "1s", "--device")
_REPRODUCE += ("cpu", "--methods", "unconditioned", "--weights", str(DEFAULT_WEIGHTS))
# What takes time says so.
_TIMES = (".pt", "report.html", "seconds.json")
_EVENTS = ("tfevents", "losses.jsonl")
_REPORT = ("report", *_PATIENT, "--browser", "{in}/browser.sh")

#: By what each command writes, with nothing in its place and with earlier outputs.
SCENARIOS = (
    Scenario("predict", (*_PREDICT, "--metabolite", "NAA", "--output", "{out}/x.nii.gz")),
    Scenario(
        "predict again",
        (*_PREDICT, "--metabolite", "NAA", "--output", "{out}/x.nii.gz", "--uncertainty", "{out}/u.nii.gz"),
        (*_PREDICT, "--metabolite", "NAA", "--output", "{out}/x.nii.gz", "--sharpness", "0.05"),
    ),
    *(
        Scenario(f"predict {end}", (*_PREDICT, "--metabolite", "NAA", "--output", f"{{out}}/x{end}"))
        for end in (".nii", ".nrrd", ".mha", ".img.nii.gz")
    ),
    Scenario("regions", ("regions", *_PATIENT, "--output", "{out}/table.csv")),
    Scenario(
        "regions again",
        ("regions", *_PATIENT, "--output", "{out}/table.csv"),
        ("regions", *_PATIENT, "--output", "{out}/table.csv", "--sharpness", "0.05"),
    ),
    Scenario("report", (*_REPORT, "--output", "{out}/report.html", "--pdf", "{out}/report.pdf")),
    # Its table tells what failed, and what was complete already.
    Scenario("batch", (*_BATCH, "--jobs", "1", "--uncertainty"), changing=("batch.tsv",)),
    Scenario(
        "batch again",
        (*_BATCH, "--jobs", "1"),
        (*_BATCH[:1], "{in}/earlier", *_BATCH[2:], "--jobs", "1"),
        changing=("batch.tsv",),
    ),
    Scenario("prepare", ("prepare", "{in}/study", "{out}/prepared", "--no-registration")),
    Scenario(
        "prepare again",
        ("prepare", "{in}/study", "{out}/prepared", "--no-registration"),
        ("prepare", "{in}/earlier", "{out}/prepared", "--no-registration"),
    ),
    Scenario("phantom", (*_PHANTOM, "--first-seed", "3")),
    Scenario("phantom beside another", (*_PHANTOM, "--first-seed", "3"), (*_PHANTOM, "--first-seed", "4")),
    Scenario("calibrate", ("calibrate", "--patients", "2", "1", "--slices", "1", "--output", "{out}/c.json")),
    Scenario(
        "evaluate",
        ("evaluate", "--simulated", "1", "--slices", "1", "--n", "16", "--device", "cpu", "--output", "{out}/e.json"),
        changing=(".json",),
    ),
    Scenario(
        "benchmark",
        ("benchmark", "--quick", "--device", "cpu", "--parts", "machine", "--output", "{out}/b.json"),
        changing=(".json",),
    ),
    Scenario("demo", ("demo", "--output", "{out}/demo", "--device", "cpu")),
    Scenario("train", (*_TRAIN, "2", "--cache", "{out}/slices"), changing=(".pt",), logs=_EVENTS),
    Scenario("train on", (*_TRAIN, "2"), (*_TRAIN, "1"), changing=(".pt", ".safetensors"), logs=_EVENTS),
    Scenario("recipe", _RECIPE, changing=(".pt",), logs=_EVENTS),
    # Until it is packed, the run lies in its own files.
    Scenario("recipe stopped", (*_RECIPE, "--for", "1h"), changing=("part-", ".pt", "recipe.json"), logs=_EVENTS),
    Scenario(
        "recipe on",
        _RECIPE,
        (*_RECIPE, "--for", "1h"),
        changing=(".pt", "part-"),
        logs=_EVENTS,
        unpacked="run/recipe.json",
    ),
    Scenario("reproduce", _REPRODUCE, changing=_TIMES, logs=_EVENTS),
    Scenario(
        "reproduce stopped", (*_REPRODUCE, "--for", "1h"), changing=("part-", ".pt", ".json", ".npz"), logs=_EVENTS
    ),
    Scenario(
        "reproduce on",
        _REPRODUCE,
        (*_REPRODUCE, "--for", "1h"),
        changing=(*_TIMES, "part-"),
        logs=_EVENTS,
        unpacked="run/plan.json",
    ),
    Scenario("validate", ("validate", "{in}/study", "{out}/checked", "--device", "cpu")),
    Scenario(
        "validate again",
        ("validate", "{in}/study", "{out}/checked", "--device", "cpu"),
        ("validate", "{in}/study", "{out}/checked", "--device", "cpu", "--sharpness", "0.05"),
    ),
)

#: Two trainings of unconditioned networks on one slice.
_TINY = """
version = 2

[patients]
count = 1
slices = 1

[training]
network = "unconditioned"
adversarial = false
batch_size = 1

[[stages]]
name = "first"

[stages.training]
steps = 2

[[stages]]
name = "second"

[stages.training]
steps = 2
"""


def make_inputs(folder: Path) -> None:
    """A patient of one slice, alone and as two studies with another map each."""
    import SimpleITK as sitk

    def ball(size, spacing, level, wave):
        image = sitk.Image(list(size), sitk.sitkFloat32)
        image.SetSpacing(list(spacing))
        image.SetOrigin([-(count - 1) * step / 2 for count, step in zip(size, spacing, strict=True)])
        axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(size, spacing, strict=True)]
        z, y, x = np.meshgrid(*axes[::-1], indexing="ij")
        radius = np.sqrt((x / 70) ** 2 + (y / 80) ** 2 + (z / 60) ** 2)
        values = np.where(radius < 1, level * (1.5 - radius**2 + wave * np.cos(x / 9) * np.cos(y / 11)), 0)
        filled = sitk.GetImageFromArray(values.astype(np.float32))
        filled.CopyInformation(image)
        return filled

    t1, flair = ball((48, 56, 12), (4, 4, 4), 800, 0.3), ball((40, 48, 10), (5, 5, 5), 90, -0.2)
    map_ = ball((16, 16, 1), (13, 13, 10), 5, 0.4)
    mask = sitk.Cast(t1 > 0, sitk.sitkUInt8)
    labels = sitk.Cast(t1 > 900, sitk.sitkUInt8)
    for place, image in (("study", map_), ("earlier", map_ * 1.2)):
        patient = folder / place / "sub-01"
        patient.mkdir(parents=True)
        for name, one in (("T1", t1), ("FLAIR", flair), ("NAA", image), ("T1_brain_mask", mask)):
            sitk.WriteImage(one, str(patient / f"{name}.nii.gz"))
    for name, one in (("T1", t1), ("FLAIR", flair), ("NAA", map_), ("labels", labels)):
        sitk.WriteImage(one, str(folder / f"{name}.nii.gz"))
    (folder / "tiny.toml").write_text(_TINY)
    # Prints what any browser would, as slowly.
    browser = folder / "browser.sh"
    browser.write_text(
        '#!/bin/sh\nfor word in "$@"; do case "$word" in --print-to-pdf=*) pdf="${word#*=}";; esac; done\n'
        # In two writes: the table of objects lies 18 bytes from the beginning.
        'printf "%%PDF-1.4\\nthe page\\n" > "$pdf"\n'
        'printf "xref\\n0 0\\ntrailer\\nstartxref\\n18\\n%%%%EOF\\n" >> "$pdf"\n'
    )
    browser.chmod(0o755)
