"""Metabolites and a ratio in a tumour and in its mirror image on the other side, as measured and super-resolved."""

import csv
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from inference_core.commands.cli import main as mrsi_superres

SAMPLE = Path(__file__).parents[1] / "Resources" / "SamplePatient"


def main(output: str = "regions.png") -> None:
    """Measure the sample patient's tumour, and draw tCho/NAA there and opposite."""
    maps, anatomy = SAMPLE / "mrsi", SAMPLE / "anat"
    command = [
        "regions",
        "--maps",
        *(maps / f"sub-5014_res-n24_desc-acquired_{name}.nii.gz" for name in ("tCho", "NAA")),
    ]
    command += ["--t1", anatomy / "sub-5014_T1w.nii.gz", "--flair", anatomy / "sub-5014_FLAIR.nii.gz"]
    command += ["--labels", maps / "sub-5014_res-high_desc-tumour_mask.nii.gz", "--names", "1=tumour", "--mirror"]
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "tumour.csv"
        if mrsi_superres([str(word) for word in [*command, "--output", table, "--device", "cpu"]]) != 0:
            sys.exit("regions failed")
        rows = list(csv.DictReader(table.open(encoding="utf-8")))

    ratios = [row for row in rows if row["quantity"] == "tCho/NAA"]
    print("columns:", ", ".join(rows[0]))
    figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
    means, errors = ([float(row[column]) for row in ratios] for column in ("mean", "uncertainty"))
    axis.bar([row["region"] for row in ratios], means, yerr=errors, capsize=6)
    axis.set_ylabel("mean tCho/NAA")
    figure.savefig(output, dpi=80)


if __name__ == "__main__":
    main(*sys.argv[1:])
