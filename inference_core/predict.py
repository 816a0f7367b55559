"""Super-resolve one metabolite map: `mrsi-superres predict`."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--map", type=Path, required=True, help="low-resolution metabolite map (.nii.gz, .nrrd, ...)")
    parser.add_argument("--t1", type=Path, required=True, help="T1-weighted image of the same patient, co-registered")
    parser.add_argument("--flair", type=Path, required=True, help="FLAIR image of the same patient, co-registered")
    parser.add_argument(
        "--metabolite", required=True, help="tCho, tCr, NAA, Gly, Gln, Glu, Ins or LCModel's name of it"
    )
    parser.add_argument("--sharpness", type=float, default=0.0, help="lambda, 0 to 0.1; 0 to 0.03 is recommended (0)")
    parser.add_argument("--output", type=Path, required=True, help="image to write, with a JSON file beside it")
    parser.add_argument(
        "--uncertainty",
        type=Path,
        help="image to write, too: half-width of the interval that holds the true value in 68 of 100 voxels (8 times "
        "the time)",
    )
    parser.add_argument("--weights", type=Path, help="weights to use instead of the default ones (.safetensors)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")
    parser.add_argument("--runtime", help="what runs the network: pytorch, compiled, native or cuda-graphs")
    parser.add_argument("--precision", default="float32", help="float32, or on a GPU float16 or bfloat16 (float32)")


def run(arguments: argparse.Namespace) -> int:
    """Super-resolve the map and write the result with its sidecar."""
    from inference_core.certainty.calibration import load_calibration
    from inference_core.certainty.estimate import super_resolve_with_uncertainty
    from inference_core.conditions import check_sharpness, resolve_metabolite
    from inference_core.errors import InputError
    from inference_core.geometry import super_resolved_image
    from inference_core.inputs import read_image
    from inference_core.outputs import check_output, write_result
    from inference_core.sidecar import describe_result
    from inference_core.super_resolver import SuperResolver

    # What needs no computing is refused before any.
    check_output(arguments.output)
    if arguments.uncertainty:
        check_output(arguments.uncertainty)
        if arguments.uncertainty.resolve() == arguments.output.resolve():
            raise InputError("--uncertainty and --output name one file: give two.")
    metabolite = resolve_metabolite(arguments.metabolite)
    sharpness = check_sharpness(arguments.sharpness)
    files = {"map": arguments.map, "T1": arguments.t1, "FLAIR": arguments.flair}
    images = {role: read_image(path, role) for role, path in files.items()}
    resolver = SuperResolver.load(arguments.weights, arguments.device, arguments.runtime, arguments.precision)
    print(f"Device: {resolver.device} ({resolver.device_reason})")
    calibration = load_calibration(resolver.weights) if arguments.uncertainty else None
    prepared = resolver.prepare(images["map"], images["T1"], images["FLAIR"])
    about = describe_result(
        resolver, prepared, metabolite, sharpness, {role: str(path) for role, path in files.items()}
    )
    values, widths = super_resolve_with_uncertainty(resolver, prepared, metabolite, sharpness, calibration)
    if calibration:
        described = about | calibration.describe()
        write_result(super_resolved_image(widths, prepared.grid), arguments.uncertainty, described)
    result = super_resolved_image(values, prepared.grid)
    write_result(result, arguments.output, about)
    spacing = " x ".join(f"{step:.1f}" for step in result.GetSpacing())
    print(f"{arguments.output}: {metabolite}, n = {prepared.n}, lambda = {sharpness:g}, voxels of {spacing} mm")
    return 0
