"""A table of regions: their metabolites and ratios, with uncertainties: `mrsi-superres regions`."""

import argparse
from pathlib import Path

from inference_core.commands.patient_arguments import add_patient_arguments, open_patient


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_patient_arguments(parser, labels_required=True)
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")


def run(arguments: argparse.Namespace) -> int:
    """Super-resolve the maps and write the table."""
    from inference_core.files.atomic import write_file
    from inference_core.files.folders import check_folder
    from inference_core.regions.table import as_csv

    check_folder(arguments.output.parent)
    patient = open_patient(arguments, [arguments.output])
    rows = patient.measure().rows
    write_file(arguments.output, as_csv(rows))
    print(f"{'region':16} {'quantity':16} {'mL':>7} {'as measured':>12} {'super-resolved':>20} {'signal':>8}")
    for row in rows:
        before, after = ("-" if mean is None else f"{mean:.3g}" for mean in (row.low_resolution_mean, row.mean))
        half_width = "" if row.uncertainty is None else f" ± {row.uncertainty:.3g}"
        change = "" if row.signal_change is None else f"{row.signal_change:+.1%}"
        print(
            f"{row.region:16} {row.quantity:16} {row.volume_ml:7.1f} {before:>12} {after + half_width:>20} {change:>8}"
        )
    print(f"{arguments.output}: {len(rows)} rows")
    return 0
