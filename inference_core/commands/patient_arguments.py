"""A patient with regions, as the commands `regions` and `report` are given one."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from inference_core.commands.detail_arguments import add_detail_argument
from inference_core.commands.map_arguments import MAP_METAVAR

if TYPE_CHECKING:
    import SimpleITK as sitk

    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.regions.measuring import Measurement
    from inference_core.terms.ratios import Ratio


def add_patient_arguments(parser: argparse.ArgumentParser, labels_required: bool) -> None:
    """The arguments that `open_patient` takes."""
    parser.add_argument(
        "--maps",
        nargs="+",
        required=True,
        metavar=MAP_METAVAR,
        help="low-resolution maps of one patient; the metabolite is taken from the file's name unless it is given",
    )
    parser.add_argument("--t1", type=Path, required=True, help="T1-weighted image of the same patient, co-registered")
    parser.add_argument("--flair", type=Path, required=True, help="FLAIR image of the same patient, co-registered")
    parser.add_argument(
        "--labels", type=Path, required=labels_required, help="label image: each number above 0 is a region"
    )
    parser.add_argument("--names", nargs="+", default=(), metavar="NUMBER=NAME", help="names of the regions")
    parser.add_argument("--mirror", action="store_true", help="each region's counterpart on the other side, too")
    parser.add_argument(
        "--ratios", nargs="*", metavar="RATIO", help='such as tCho/NAA or "(Gly + Gln)/tCr" (the usual ones)'
    )
    parser.add_argument("--sharpness", type=float, default=0.0, help="lambda, 0 to 0.1; 0 to 0.03 is recommended (0)")
    parser.add_argument("--weights", type=Path, help="weights to use instead of the default ones (.safetensors)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")
    add_detail_argument(parser)


@dataclass(frozen=True)
class GivenPatient:
    """What the arguments name, read.

    Attributes:
        files: of the maps, by metabolite.
        maps, t1, flair: the images.
        ratios: wanted; None for the usual ones.
        regions: images above 0 inside, by name; none without a label image.
        sharpness: lambda.
        resolver: what super-resolves.
    """

    files: "dict[str, Path]"
    maps: "dict[str, sitk.Image]"
    t1: "sitk.Image"
    flair: "sitk.Image"
    ratios: "Sequence[Ratio] | None"
    regions: "dict[str, sitk.Image]"
    sharpness: float
    resolver: "SuperResolver"

    def measure(self, certain: bool = True, checked: bool = False) -> "Measurement":
        """Super-resolve all of the maps, and measure the regions.

        Args:
            certain: whether the uncertainties are wanted.
            checked: whether the maps are checked against their own measurement.

        Warns:
            InputWarning: on maps, regions and ratios, and if the weights have no calibration.

        Raises:
            InputError: as `measure_regions`.
        """
        from inference_core.errors import warn_of
        from inference_core.inference.examination import Examination
        from inference_core.inference.map_noise import noise_beside
        from inference_core.inference.patient_result import notices_by_map
        from inference_core.inference.result_calibration import result_calibration
        from inference_core.regions.measuring import measure_regions

        calibration, sentence = result_calibration(self.resolver, uncertainty=False, ratio=certain)
        examination, keys = Examination(self.resolver), {name: name for name in self.maps}
        for name, image in self.maps.items():
            examination.prepare(name, image, self.t1, self.flair)
        told = [*([sentence] if sentence else []), *notices_by_map(examination, keys)]
        warn_of(told)
        found = measure_regions(examination, keys, self.regions, self.ratios, self.sharpness, calibration)
        warn_of(notice for notice in found.notices if notice not in told)
        if not checked:
            return found
        checks = [
            examination.self_check(name, name, self.sharpness, noise_beside(examination.prepared(name), path))
            for name, path in self.files.items()
        ]
        warned = [check.warning for check in checks if check.warning]
        warn_of(warned)
        return replace(found, notices=(*found.notices, *warned), checks=tuple(checks))


def open_patient(arguments: argparse.Namespace, outputs: Sequence[Path | None]) -> GivenPatient:
    """Read what the arguments name.

    Args:
        arguments: of `add_patient_arguments`.
        outputs: files that the command will write; None is passed over.

    Raises:
        InputError: for outputs that are inputs, files that can't be read, unknown metabolites, ratios without their
            maps, labels that are no regions, or a T1 whose middle can't be found.
    """
    from inference_core.commands.map_arguments import check_given_names, check_one_patient, map_files
    from inference_core.errors import InputError
    from inference_core.files.inputs import check_not_inputs
    from inference_core.imaging.labels import label_images
    from inference_core.imaging.mirror import mirror_transform, mirrored
    from inference_core.imaging.reading import read_image
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.networks.weights_io import DEFAULT_WEIGHTS
    from inference_core.regions.choice import parse_ratios
    from inference_core.terms.conditions import check_sharpness

    sharpness = check_sharpness(arguments.sharpness)
    if arguments.labels is None and (arguments.names or arguments.mirror):
        raise InputError("--names and --mirror are about regions: name their label image with --labels.")
    files = map_files(arguments.maps)
    named = [*((f"map of {name}", path) for name, path in files.items()), ("T1", arguments.t1)]
    named += [("FLAIR", arguments.flair), ("label image", arguments.labels)]
    check_not_inputs(outputs, [*named, ("weights", arguments.weights or DEFAULT_WEIGHTS)])
    check_one_patient([*files.values(), arguments.t1, arguments.flair])
    ratios = None if arguments.ratios is None else parse_ratios(arguments.ratios, files)
    check_given_names(files, arguments.t1, arguments.flair)
    t1, flair = (
        read_image(path, role, place_needed=False) for path, role in ((arguments.t1, "T1"), (arguments.flair, "FLAIR"))
    )
    regions = {} if arguments.labels is None else label_images(arguments.labels, t1, arguments.names)
    maps = {name: read_image(path, "map", place_needed=False) for name, path in files.items()}
    if arguments.mirror:
        other_side = mirror_transform(t1)
        regions |= {f"{name}, mirrored": mirrored(region, other_side, t1) for name, region in regions.items()}
    resolver = SuperResolver.load(arguments.weights, arguments.device, detail=arguments.detail)
    print(f"Device: {resolver.device} ({resolver.device_reason})")
    return GivenPatient(files, maps, t1, flair, ratios, regions, sharpness, resolver)
