"""A table of regions: what metabolites and ratios are in them, and how sure: `mrsi-superres regions`."""

import argparse
from pathlib import Path

from inference_core.map_arguments import MAP_METAVAR


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--maps",
        nargs="+",
        required=True,
        metavar=MAP_METAVAR,
        help="low-resolution maps of one patient; the metabolite is taken from the file's name unless it is given",
    )
    parser.add_argument("--t1", type=Path, required=True, help="T1-weighted image of the same patient, co-registered")
    parser.add_argument("--flair", type=Path, required=True, help="FLAIR image of the same patient, co-registered")
    parser.add_argument("--labels", type=Path, required=True, help="label image: each number above 0 is a region")
    parser.add_argument("--names", nargs="+", default=(), metavar="NUMBER=NAME", help="names of the regions")
    parser.add_argument("--mirror", action="store_true", help="each region's counterpart on the other side, too")
    parser.add_argument(
        "--ratios", nargs="*", metavar="RATIO", help='such as tCho/NAA or "(Gly + Gln)/tCr" (the usual ones)'
    )
    parser.add_argument("--sharpness", type=float, default=0.0, help="lambda, 0 to 0.1; 0 to 0.03 is recommended (0)")
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--weights", type=Path, help="weights to use instead of the default ones (.safetensors)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")


def run(arguments: argparse.Namespace) -> int:
    """Super-resolve the maps and write the table."""
    import warnings

    from inference_core.certainty.calibration import load_calibration
    from inference_core.errors import InputError, InputWarning
    from inference_core.inputs import read_image
    from inference_core.map_arguments import label_images, map_files
    from inference_core.mirror import mirror_transform, mirrored
    from inference_core.outputs import atomic_path, check_folder
    from inference_core.patient_result import super_resolve_patient
    from inference_core.region_table import as_csv, region_rows
    from inference_core.super_resolver import SuperResolver

    check_folder(arguments.output.parent)
    files = map_files(arguments.maps)
    ratios = _ratios(arguments.ratios, files)
    regions = label_images(arguments.labels, arguments.names)
    maps = {name: read_image(path, "map") for name, path in files.items()}
    t1, flair = read_image(arguments.t1, "T1"), read_image(arguments.flair, "FLAIR")
    if arguments.mirror:
        other_side = mirror_transform(t1)
        regions |= {f"{name}, mirrored": mirrored(region, other_side, t1) for name, region in regions.items()}
    resolver = SuperResolver.load(arguments.weights, arguments.device)
    print(f"Device: {resolver.device} ({resolver.device_reason})")
    try:
        calibration = load_calibration(resolver.weights)
    except InputError as error:
        warnings.warn(f"The table has no uncertainties: {error}", InputWarning, stacklevel=1)
        calibration = None
    result = super_resolve_patient(resolver, maps, t1, flair, arguments.sharpness, calibration)
    rows = region_rows(result, regions, ratios)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(as_csv(rows), encoding="utf-8")
    print(f"{'region':16} {'quantity':16} {'mL':>7} {'as measured':>12} {'super-resolved':>20} {'signal':>8}")
    for row in rows:
        before, after = ("-" if mean is None else f"{mean:.3g}" for mean in (row.low_resolution_mean, row.mean))
        spread = "" if row.uncertainty is None else f" ± {row.uncertainty:.3g}"
        change = "" if row.signal_change is None else f"{row.signal_change:+.1%}"
        print(f"{row.region:16} {row.quantity:16} {row.volume_ml:7.1f} {before:>12} {after + spread:>20} {change:>8}")
    print(f"{arguments.output}: {len(rows)} rows")
    return 0


def _ratios(wanted: list[str] | None, files: dict[str, Path]) -> list:
    from inference_core.ratios import STANDARD_RATIOS, Ratio

    if wanted is None:
        return [ratio for ratio in STANDARD_RATIOS if set(ratio.metabolites) <= set(files)]
    ratios = [Ratio.parse(text) for text in wanted]
    for ratio in ratios:
        ratio.require(files)
    return ratios
