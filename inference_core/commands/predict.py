"""Super-resolve one metabolite map, or make a ratio of several: `mrsi-superres predict`."""

import argparse
from pathlib import Path

from inference_core.commands.map_arguments import MAP_METAVAR


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--map",
        nargs="+",
        required=True,
        metavar=MAP_METAVAR,
        help="low-resolution metabolite map (.nii.gz, .nrrd, ...); for a ratio one of each of its metabolites, which "
        "are taken from the files' names unless they are given",
    )
    parser.add_argument("--t1", type=Path, required=True, help="T1-weighted image of the same patient, co-registered")
    parser.add_argument("--flair", type=Path, required=True, help="FLAIR image of the same patient, co-registered")
    parser.add_argument(
        "--metabolite",
        required=True,
        help="tCho, tCr, NAA, Gly, Gln, Glu, Ins or LCModel's name of it; or a ratio such as tCho/NAA",
    )
    parser.add_argument("--sharpness", type=float, default=0.0, help="lambda, 0 to 0.1; 0 to 0.03 is recommended (0)")
    parser.add_argument("--output", type=Path, required=True, help="image to write, with a JSON file beside it")
    parser.add_argument(
        "--uncertainty",
        type=Path,
        help="image to write, too: half-width of the interval that holds the true value in 68 of 100 voxels (8 times "
        "the time, which a ratio takes anyway)",
    )
    parser.add_argument(
        "--reference",
        metavar="brain|LABELS",
        help="for a ratio: as multiples of its median in the brain, or in a label image's region of normal tissue",
    )
    parser.add_argument(
        "--mirror", action="store_true", help="with --reference LABELS: take the same place on the other side instead"
    )
    parser.add_argument("--weights", type=Path, help="weights to use instead of the default ones (.safetensors)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")
    parser.add_argument("--runtime", help="what runs the network: pytorch, compiled, native or cuda-graphs")
    parser.add_argument("--precision", default="float32", help="float32, or on a GPU float16 or bfloat16 (float32)")


def run(arguments: argparse.Namespace) -> int:
    """Super-resolve the map and write the result with its sidecar."""
    from inference_core.commands.map_arguments import check_one_patient
    from inference_core.errors import InputError
    from inference_core.imaging.reading import read_image
    from inference_core.imaging.reference_region import reference_region
    from inference_core.imaging.writing import check_output, sidecar_path
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.terms.conditions import check_sharpness, resolve_metabolite
    from inference_core.terms.ratios import Ratio
    from inference_core.terms.reference import parse_reference

    # What needs no computing is refused before any.
    check_output(arguments.output)
    if arguments.uncertainty:
        check_output(arguments.uncertainty)
        if sidecar_path(arguments.uncertainty).resolve() == sidecar_path(arguments.output).resolve():
            raise InputError("--uncertainty and --output have one name: give two.")
    ratio = Ratio.parse(arguments.metabolite) if "/" in arguments.metabolite else None
    reference = parse_reference(arguments.reference, arguments.mirror, ratio is not None)
    sharpness = check_sharpness(arguments.sharpness)
    files = _files(arguments.map, ratio, None if ratio else resolve_metabolite(arguments.metabolite))
    labels = Path(reference.place) if reference is not None and reference.labelled else None
    check_one_patient([*files.values(), arguments.t1, arguments.flair, *([labels] if labels else [])])
    maps = {name: read_image(path, "map") for name, path in files.items()}
    t1, flair = (read_image(path, role) for path, role in ((arguments.t1, "T1"), (arguments.flair, "FLAIR")))
    region = reference_region(labels, reference.mirror, t1) if labels else None
    resolver = SuperResolver.load(arguments.weights, arguments.device, arguments.runtime, arguments.precision)
    print(f"Device: {resolver.device} ({resolver.device_reason})")
    mri = {"T1": str(arguments.t1), "FLAIR": str(arguments.flair)}
    if ratio:
        sources = {f"map of {name}": str(path) for name, path in files.items()} | mri
        sources |= {"reference": str(labels)} if labels else {}
        _write_ratio(arguments, resolver, ratio, maps, t1, flair, reference, region, sharpness, sources)
    else:
        ((metabolite, path),) = files.items()
        sources = {"map": str(path)} | mri
        _write_metabolite(arguments, resolver, metabolite, maps[metabolite], t1, flair, sharpness, sources)
    return 0


def _files(given: list[str], ratio, metabolite: str | None) -> dict[str, Path]:
    """The maps that are needed, by metabolite.

    Raises:
        InputError: if there are too few or too many, or their metabolites can't be told.
    """
    from inference_core.commands.map_arguments import map_files
    from inference_core.errors import InputError

    if ratio is None:
        if len(given) > 1:
            raise InputError(f"--map names {len(given)} maps: a metabolite needs one, a ratio such as tCho/NAA more.")
        # The one map is of the metabolite that is named, whatever the file is called.
        if "=" not in given[0] or Path(given[0]).exists():
            return {metabolite: Path(given[0])}
    files = map_files(given)
    if ratio is not None:
        ratio.require(files)
    elif metabolite not in files:
        raise InputError(f"--map is of {next(iter(files))}, --metabolite is {metabolite}: name the same one.")
    return {name: files[name] for name in (ratio.metabolites if ratio else files)}


def _write_metabolite(arguments, resolver, metabolite, image, t1, flair, sharpness, sources) -> None:
    from inference_core.imaging.geometry import super_resolved_image
    from inference_core.imaging.writing import write_result
    from inference_core.inference.description import describe_result
    from inference_core.inference.result_calibration import result_calibration
    from inference_core.inference.uncertainty.estimate import super_resolve_with_uncertainty

    calibration, _ = result_calibration(resolver, bool(arguments.uncertainty))
    prepared = resolver.prepare(image, t1, flair)
    about = describe_result(resolver, prepared, metabolite, sharpness, sources)
    values, widths = super_resolve_with_uncertainty(resolver, prepared, metabolite, sharpness, calibration)
    if calibration:
        described = about | calibration.describe()
        write_result(super_resolved_image(widths, prepared.grid), arguments.uncertainty, described)
    result = super_resolved_image(values, prepared.grid)
    write_result(result, arguments.output, about)
    _print(arguments.output, metabolite, prepared.n, sharpness, result)


def _write_ratio(arguments, resolver, ratio, maps, t1, flair, reference, region, sharpness, sources) -> None:
    import warnings

    from inference_core.errors import InputWarning
    from inference_core.imaging.geometry import super_resolved_image
    from inference_core.imaging.reference_region import reference_mask
    from inference_core.imaging.writing import write_result
    from inference_core.inference.description import describe_ratio, describe_ratio_error
    from inference_core.inference.patient_result import super_resolve_patient
    from inference_core.inference.result_calibration import result_calibration
    from inference_core.terms.ratios import normalised, ratio_map

    calibration, warning = result_calibration(resolver, bool(arguments.uncertainty), ratio=True)
    if warning:
        warnings.warn(warning, InputWarning, stacklevel=1)
    result = super_resolve_patient(resolver, maps, t1, flair, sharpness, calibration)
    found, compared = ratio_map(ratio, result.values, result.brain, result.uncertainties), {}
    if reference is not None:
        found, level = normalised(found, reference_mask(region, result.grid, result.brain))
        compared = {"Reference": reference.name, "ReferenceValue": level}
    prepared = next(iter(result.metabolites.values())).prepared
    about = describe_ratio(resolver, prepared, ratio, sharpness, sources, calibration is not None) | compared
    if arguments.uncertainty:
        errors = super_resolved_image(found.uncertainty, result.grid)
        write_result(errors, arguments.uncertainty, about | describe_ratio_error())
    image = super_resolved_image(found.values, result.grid)
    write_result(image, arguments.output, about)
    _print(arguments.output, ratio.name, prepared.n, sharpness, image)


def _print(output: Path, name: str, n: int, sharpness: float, image) -> None:
    spacing = " x ".join(f"{step:.1f}" for step in image.GetSpacing())
    print(f"{output}: {name}, n = {n}, lambda = {sharpness:g}, voxels of {spacing} mm")
