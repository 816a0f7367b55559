"""What fine-tuning the default weights gains on a scanner that they don't know: `python other_scanner.py OUTPUT`.

Makes simulated studies of a scanner that differs from the training's: T2-weighted images in place of FLAIR, another
contrast and a strong receive profile in T1, and relaxation that changes how metabolites differ between tissues. Of the
study to train on there are only noisy maps, as from a real scanner. Then runs the manual's recipe, and measures the
weights before and after on patients that it kept apart.
"""

import json
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.commands.cli import main
from inference_core.research.phantom import simulate_patient, write_study

TRAINING, TEST = range(3_000_000, 3_000_010), range(3_000_100, 3_000_104)
SLICES = 6
RECIPE = (
    "--init default --validation 1 --steps 300 --batch-size 4 --learning-rate 2e-4 --conditioning-rate 2 "
    "--critic-learning-rate 3e-4 --critic-steps 1 --critic-warm-up 100 --betas 0.9 0.99 --schedule cosine --warm-up 20 "
    "--gradient-clip 1 --averaging 0.98"
)


def _rewrite(path: Path, change) -> None:
    image = sitk.ReadImage(str(path))
    changed = sitk.GetImageFromArray(change(image).astype(np.float32))
    changed.CopyInformation(image)
    sitk.WriteImage(changed, str(path))


def _profile(image: sitk.Image) -> np.ndarray:
    """Sensitivity of a coil at the patient's right front, `(slice, row, column)`."""
    _, rows, columns = np.meshgrid(*(np.linspace(-1, 1, s) for s in image.GetSize()[::-1]), indexing="ij")
    return np.exp(-0.35 * (rows + columns))


def to_other_scanner(patient: Path) -> None:
    """Make a simulated patient's files those of the other scanner."""
    (t1_path,), (flair_path,) = patient.glob("anat/*_T1w.nii.gz"), patient.glob("anat/*_FLAIR.nii.gz")
    t1 = sitk.Cast(sitk.ReadImage(str(t1_path)), sitk.sitkFloat32)
    t1 = t1 / float(np.quantile(sitk.GetArrayViewFromImage(t1), 0.999))

    def t2_weighted(flair: sitk.Image) -> np.ndarray:
        values = sitk.GetArrayFromImage(flair).astype(np.float32)
        values /= np.quantile(values, 0.999)
        own = sitk.GetArrayFromImage(sitk.Resample(t1, flair))
        return np.where(own > 0, np.maximum(1.2 - own, 0.02) + 0.5 * np.maximum(values - 0.7, 0), 0)

    def relaxed(acquired: sitk.Image) -> np.ndarray:
        weighting = sitk.GetArrayFromImage(sitk.Resample(sitk.SmoothingRecursiveGaussian(t1, 1.5), acquired))
        return sitk.GetArrayFromImage(acquired) * (1.4 - 0.7 * np.clip(weighting, 0, 1))

    _rewrite(flair_path, t2_weighted)
    for kind in ("acquired", "truth"):
        for path in patient.glob(f"mrsi/*_desc-{kind}_*.nii.gz"):
            _rewrite(path, relaxed)
    _rewrite(t1_path, lambda image: np.sqrt(sitk.GetArrayFromImage(image).clip(0)) * _profile(image))


def make_study(folder: Path, seeds: range, with_truth: bool) -> None:
    """Write a study of the other scanner's patients."""
    folder.mkdir(parents=True)
    for seed in seeds:
        write_study(simulate_patient(seed), folder, (), SLICES)
    for patient in folder.glob("sub-*"):
        to_other_scanner(patient)
        if not with_truth:
            for path in patient.glob("mrsi/*_desc-truth_*"):
                path.unlink()


def run(*arguments: str) -> None:
    """A command of the product, which must succeed."""
    print("mrsi-superres", *arguments, flush=True)
    if main(list(arguments)):
        sys.exit(f"'{arguments[0]}' failed.")


def measure(output: Path) -> None:
    """All of it, in the folder `output`; figures go into `gain.json` there."""
    make_study(output / "study", TRAINING, with_truth=False)
    make_study(output / "test", TEST, with_truth=True)
    evaluate = ("evaluate", "--data", str(output / "test"), "--n", "16", "24", "32", "--sharpness", "0", "0.03", "0.1")
    run(*evaluate, "--output", str(output / "before.json"))
    run("train", "--data", str(output / "study"), "--output", str(output / "run"), *RECIPE.split())
    weights = str(output / "run" / "weights.safetensors")
    run(*evaluate, "--weights", weights, "--output", str(output / "after.json"))
    before, after = (json.loads((output / f"{when}.json").read_text())["all"]["all"] for when in ("before", "after"))
    gain = {method: {"before": before[method], "after": after[method]} for method in before}
    (output / "gain.json").write_text(json.dumps(gain, indent=2) + "\n")
    for method, figures in gain.items():
        print(f"{method}: PSNR, SSIM, sharpness", *(np.round(figures[when], 3).tolist() for when in figures))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name a folder for the studies and the run, which does not exist yet.")
    measure(Path(sys.argv[1]))
