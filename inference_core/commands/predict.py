"""Super-resolve one metabolite map, or make a ratio of several: `mrsi-superres predict`."""

import argparse
from pathlib import Path

from inference_core.commands.detail_arguments import add_detail_arguments
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
    parser.add_argument(
        "--precision",
        help="float32, or on a GPU float16 or bfloat16 (float16 on a CUDA GPU where maps hardly change, else float32)",
    )
    add_detail_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Super-resolve the map and write the result with its sidecar."""
    from inference_core.commands.map_arguments import check_given_names, check_one_patient
    from inference_core.errors import InputError
    from inference_core.files.inputs import check_not_inputs
    from inference_core.imaging.geometry import super_resolved_image
    from inference_core.imaging.reading import read_image
    from inference_core.imaging.reference_region import reference_region
    from inference_core.imaging.writing import check_output, sidecar_path, write_result
    from inference_core.inference.description import describe_result, describe_uncertainty
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.networks.weights_io import DEFAULT_WEIGHTS
    from inference_core.terms.conditions import check_sharpness, resolve_metabolite
    from inference_core.terms.quantity import Quantity
    from inference_core.terms.ratios import Ratio
    from inference_core.terms.reference import parse_reference

    # What needs no computing is refused before any.
    ratio = Ratio.parse(arguments.metabolite) if "/" in arguments.metabolite else None
    reference = parse_reference(arguments.reference, arguments.mirror, ratio is not None)
    sharpness = check_sharpness(arguments.sharpness)
    names = ratio.metabolites if ratio else (resolve_metabolite(arguments.metabolite),)
    quantity = Quantity(names, ratio, reference)
    files = _files(arguments.map, quantity)
    labels = Path(reference.region) if reference is not None and reference.labelled else None
    inputs = [*((f"map of {name}", path) for name, path in files.items()), ("T1", arguments.t1)]
    inputs += [("FLAIR", arguments.flair), ("label image", labels), ("weights", arguments.weights or DEFAULT_WEIGHTS)]
    for output in filter(None, (arguments.output, arguments.uncertainty)):
        check_not_inputs([output, sidecar_path(output)], inputs)
        check_output(output)
    described = [sidecar_path(path).resolve() for path in (arguments.output, arguments.uncertainty) if path]
    if len(set(described)) < len(described):
        raise InputError("--uncertainty and --output have one name: give two.")
    check_one_patient([*files.values(), arguments.t1, arguments.flair, *([labels] if labels else [])])
    check_given_names(files, arguments.t1, arguments.flair)
    maps = {name: read_image(path, "map", place_needed=False) for name, path in files.items()}
    t1, flair = (
        read_image(path, role, place_needed=False) for path, role in ((arguments.t1, "T1"), (arguments.flair, "FLAIR"))
    )
    region = reference_region(labels, reference.mirror, t1) if labels else None
    options = arguments.device, arguments.runtime, arguments.precision, arguments.detail, arguments.consistency
    resolver = SuperResolver.load(arguments.weights, *options)
    print(f"Device: {resolver.device} ({resolver.device_reason})")
    result, calibration, checks = _super_resolve(
        resolver,
        quantity,
        maps,
        t1,
        flair,
        region,
        sharpness,
        bool(arguments.uncertainty),
        files,
        not arguments.no_self_check,
    )
    named = {f"map of {name}" if ratio else "map": str(path) for name, path in files.items()}
    sources = named | {"T1": str(arguments.t1), "FLAIR": str(arguments.flair)}
    about = describe_result(resolver, result, sources | ({"reference": str(labels)} if labels else {}), checks)
    if arguments.uncertainty:
        widths = super_resolved_image(result.uncertainty, result.grid)
        write_result(widths, arguments.uncertainty, about | describe_uncertainty(result, calibration))
    image = super_resolved_image(result.values, result.grid)
    write_result(image, arguments.output, about)
    _print(arguments.output, about["Metabolite"], result.prepared.n, sharpness, image)
    return 0


def _files(given: list[str], quantity) -> dict[str, Path]:
    """The maps that are needed, by metabolite.

    Raises:
        InputError: if there are too few or too many, or their metabolites can't be told.
    """
    from inference_core.commands.map_arguments import map_files, split_map
    from inference_core.errors import InputError

    if quantity.ratio is None:
        if len(given) > 1:
            raise InputError(f"--map names {len(given)} maps: a metabolite needs one, a ratio such as tCho/NAA more.")
        # The one map is of the metabolite that is named, whatever the file is called.
        if split_map(given[0])[0] is None:
            return {quantity.name: Path(given[0])}
    files = map_files(given)
    if quantity.ratio is None and quantity.name not in files:
        raise InputError(f"--map is of {next(iter(files))}, --metabolite is {quantity.name}: name the same one.")
    return quantity.choose(files)


def _super_resolve(resolver, quantity, maps, t1, flair, region, sharpness, uncertainty: bool, files, checked: bool):
    """All of a quantity, the calibration that tells its uncertainty, or None, and the self-checks of some maps."""
    from inference_core.errors import warn_of
    from inference_core.imaging.reference_region import reference_mask
    from inference_core.inference.examination import Examination
    from inference_core.inference.map_noise import noise_beside
    from inference_core.inference.patient_result import notices_by_map
    from inference_core.inference.result_calibration import result_calibration

    calibration, sentence = result_calibration(resolver, uncertainty, quantity.ratio is not None)
    examination, keys = Examination(resolver), {name: name for name in maps}
    for name, image in maps.items():
        prepared = examination.prepare(name, image, t1, flair)
        if resolver.consistency != "hard":
            resolver.match(prepared, name, noise_beside(prepared, files[name]))
    warn_of([*notices_by_map(examination, keys), *([sentence] if sentence else [])])
    tissue = None if region is None else reference_mask(region, examination.prepared(quantity.metabolites[0]).grid)
    result = examination.quantity(quantity, keys, sharpness, tissue).whole(calibration)
    return result, calibration, _self_checks(examination, files, sharpness) if checked else []


def _self_checks(examination, files: dict[str, Path], sharpness: float) -> list:
    """Checks of prepared maps against their own measurement, by metabolite; each is printed, and warned of."""
    from inference_core.errors import warn_of
    from inference_core.inference.map_noise import noise_beside

    checks = []
    for name, path in files.items():
        noise = noise_beside(examination.prepared(name), path)
        checks.append(examination.self_check(name, name, sharpness, noise))
        print(checks[-1].sentence)
    warn_of([check.warning for check in checks if check.warning])
    return checks


def _print(output: Path, name: str, n: int, sharpness: float, image) -> None:
    spacing = " x ".join(f"{step:.1f}" for step in image.GetSpacing())
    print(f"{output}: {name}, n = {n}, lambda = {sharpness:g}, voxels of {spacing} mm")
