"""A map and how far each voxel may be from the truth, by the command line's functions."""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import SimpleITK as sitk

from inference_core.commands.cli import main as mrsi_superres

SAMPLE = Path(__file__).parents[1] / "Resources" / "SamplePatient"


def main(output: str = "uncertainty.png") -> None:
    """Super-resolve the sample patient's NAA with its uncertainty, and draw both."""
    with tempfile.TemporaryDirectory() as folder:
        result, uncertainty = Path(folder) / "NAA.nii.gz", Path(folder) / "uncertainty.nii.gz"
        command = ["predict", "--map", SAMPLE / "mrsi" / "sub-5014_res-n24_desc-acquired_NAA.nii.gz"]
        command += [
            "--t1",
            SAMPLE / "anat" / "sub-5014_T1w.nii.gz",
            "--flair",
            SAMPLE / "anat" / "sub-5014_FLAIR.nii.gz",
        ]
        command += ["--metabolite", "NAA", "--output", result, "--uncertainty", uncertainty, "--device", "cpu"]
        if mrsi_superres([str(word) for word in command]) != 0:
            sys.exit("predict failed")
        values, widths = (sitk.GetArrayFromImage(sitk.ReadImage(file)) for file in (result, uncertainty))

    brain = values > 0
    print(f"mean half-width of the 68 % interval: {widths[brain].mean() / values[brain].mean():.0%} of the mean NAA")
    middle = len(values) // 2
    figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
    for axis, array, title in zip(axes, (values, widths), ("NAA", "half-width of the 68 % interval"), strict=True):
        figure.colorbar(axis.imshow(array[middle], cmap="inferno"), ax=axis, shrink=0.7)
        axis.set_title(title)
        axis.axis("off")
    figure.savefig(output, dpi=80)


if __name__ == "__main__":
    main(*sys.argv[1:])
