"""What the sharpness λ changes: fidelity to the truth, and fine detail, over the slider's range."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import SimpleITK as sitk

from inference_core import SuperResolver, read_image
from inference_core.research.evaluation.metrics import high_frequency_energy, psnr

SAMPLE = Path(__file__).parents[1] / "Resources" / "SamplePatient"
SHARPNESS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1)


def main(output: str = "sharpness.png") -> None:
    """Measure one slice of the simulated sample patient, whose truth is known, at six λ."""
    maps, anatomy = SAMPLE / "mrsi", SAMPLE / "anat"
    low_resolution = read_image(maps / "sub-5014_res-n16_desc-acquired_tCho.nii.gz")
    truth = sitk.GetArrayFromImage(read_image(maps / "sub-5014_res-high_desc-truth_tCho.nii.gz"))
    t1, flair = (read_image(anatomy / f"sub-5014_{name}.nii.gz") for name in ("T1w", "FLAIR"))

    resolver = SuperResolver.load(device="cpu")
    prepared = resolver.prepare(low_resolution, t1, flair)  # once for all λ
    middle = len(truth) // 2
    brain = prepared.brain[middle]
    fidelity, detail = [], []
    for sharpness in SHARPNESS:
        values = resolver.super_resolve(prepared, "tCho", sharpness, slices=[middle])[0]
        fidelity.append(psnr(values * brain, truth[middle] * brain))
        detail.append(high_frequency_energy(values, truth[middle], brain))
        print(f"λ = {sharpness:.2f}: PSNR {fidelity[-1]:.1f} dB, fine detail {detail[-1]:.2f} of the truth's")

    figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for axis, values, label in zip(axes, (fidelity, detail), ("PSNR, dB", "fine detail / the truth's"), strict=True):
        axis.plot(SHARPNESS, values, "o-")
        axis.set(xlabel="sharpness λ", ylabel=label)
    figure.savefig(output, dpi=80)


if __name__ == "__main__":
    main(*sys.argv[1:])
