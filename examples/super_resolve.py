"""Super-resolve one map, and draw it beside the map as it was measured."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import SimpleITK as sitk

from inference_core import SuperResolver, read_image

SAMPLE = Path(__file__).parents[1] / "Resources" / "SamplePatient"


def main(output: str = "super_resolve.png") -> None:
    """Super-resolve the sample patient's tCho, and write the picture."""
    low_resolution = read_image(SAMPLE / "mrsi" / "sub-5014_res-n16_desc-acquired_tCho.nii.gz")
    t1 = read_image(SAMPLE / "anat" / "sub-5014_T1w.nii.gz")
    flair = read_image(SAMPLE / "anat" / "sub-5014_FLAIR.nii.gz")

    resolver = SuperResolver.load(device="cpu")
    result = resolver(low_resolution, t1, flair, metabolite="tCho", sharpness=0.02)

    print(f"measured: {low_resolution.GetSize()} voxels of {low_resolution.GetSpacing()[0]:.1f} mm")
    print(f"super-resolved: {result.GetSize()} voxels of {result.GetSpacing()[0]:.1f} mm")
    middle = result.GetSize()[2] // 2
    figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
    for axis, image, title in zip(
        axes, (low_resolution, result), ("as measured", "super-resolved, λ = 0.02"), strict=True
    ):
        axis.imshow(sitk.GetArrayFromImage(image)[middle], cmap="inferno")
        axis.set_title(f"tCho, {title}")
        axis.axis("off")
    figure.savefig(output, dpi=80)


if __name__ == "__main__":
    main(*sys.argv[1:])
