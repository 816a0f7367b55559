"""Super-resolve every map of every patient of a study, and draw one slice of each result."""

import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import SimpleITK as sitk

from inference_core.batch import BatchRequest, run_batch

SAMPLE = Path(__file__).parents[1] / "Resources" / "SamplePatient"


def main(output: str = "whole_study.png") -> None:
    """Make a study of one patient with three maps, run the batch, and draw what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        study, results = Path(folder) / "study", Path(folder) / "results"
        shutil.copytree(SAMPLE / "anat", study / "sub-5014" / "anat")
        (study / "sub-5014" / "mrsi").mkdir()
        for metabolite in ("tCho", "tCr", "NAA"):
            source = SAMPLE / "mrsi" / f"sub-5014_res-n16_desc-acquired_{metabolite}.nii.gz"
            shutil.copy(source, study / "sub-5014" / "mrsi" / f"sub-5014_{metabolite}.nii.gz")

        rows = run_batch(BatchRequest(study, results, sharpness=[0.02]))
        figure, axes = plt.subplots(1, len(rows), figsize=(3 * len(rows), 3), layout="constrained")
        for axis, row in zip(axes, rows, strict=True):
            print(f"{row.patient} {row.metabolite} λ = {row.sharpness}: {row.status}, {Path(row.output).name}")
            array = sitk.GetArrayFromImage(sitk.ReadImage(results / row.output))
            axis.imshow(array[len(array) // 2], cmap="inferno")
            axis.set_title(f"{row.patient}: {row.metabolite}")
            axis.axis("off")
    figure.savefig(output, dpi=80)


if __name__ == "__main__":
    main(*sys.argv[1:])
