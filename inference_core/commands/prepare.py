"""Prepare a study for super-resolution or training: `mrsi-superres prepare`."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.usage = "mrsi-superres prepare [options] STUDY OUTPUT\n       mrsi-superres prepare [parts] [options] OUTPUT"
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="STUDY and OUTPUT, or OUTPUT alone")
    parts = parser.add_argument_group("parts of a lone patient, instead of STUDY")
    parts.add_argument("--lcmodel", type=Path, help="folder of LCModel's .table, .coord or .csv files")
    parts.add_argument("--maps", type=Path, help="folder of maps as images, instead of --lcmodel")
    parts.add_argument("--spar", type=Path, help="Philips' .spar, which tells the geometry")
    parts.add_argument("--t1", type=Path, help="T1-weighted image, with its skull or without")
    parts.add_argument("--flair", type=Path, help="FLAIR image")
    parts.add_argument("--mask", type=Path, help="mask of the brain in the T1's space (found in the T1)")
    parts.add_argument("--map-anatomy", type=Path, help="MRI in the map's space, to register to (coordinates trusted)")
    parts.add_argument("--patient", help="what to call the patient (the files' BIDS label, or the T1's folder)")
    geometry = parser.add_argument_group("geometry of maps without a header; LPS, mm")
    geometry.add_argument("--reference", type=Path, help="image on the map's grid")
    geometry.add_argument("--voxel", type=float, nargs=3, metavar="MM", help="voxel along columns, rows, slices")
    geometry.add_argument("--origin", type=float, nargs=3, metavar="MM", help="centre of the first voxel")
    geometry.add_argument("--direction", type=float, nargs=9, metavar="COSINE", help="axes, row-major (identity)")
    geometry.add_argument("--frequency", type=float, metavar="MHZ", help="of the transmitter, for linewidths in Hz")
    quality = parser.add_argument_group("quality filter; 'none' turns a threshold off")
    quality.add_argument("--snr", type=_threshold, default=2.5, help="least SNR (2.5, the paper's)")
    quality.add_argument("--fwhm", type=_threshold, default=0.15, help="largest linewidth, ppm (0.15, the paper's)")
    quality.add_argument("--crlb", type=_threshold, help="largest Cramer-Rao bound, %% (none: failed fits only)")
    quality.add_argument("--skull", type=float, default=0.0, metavar="MM", help="distance from the brain's rim (0)")
    quality.add_argument("--outlier", type=_threshold, default=20.0, help="largest multiple of the brain's median (20)")
    quality.add_argument(
        "--slice-share", type=float, default=0.3, help="least share of the fullest slice's voxels (0.3)"
    )
    quality.add_argument("--slice-voxels", type=int, default=1, help="least voxels of a slice (1)")
    quality.add_argument("--fill-holes", action="store_true", help="fill rejected voxels in the brain, below 64 x 64")
    parser.add_argument("--no-registration", action="store_true", help="take all images where their headers put them")
    parser.add_argument(
        "--replace", action="store_true", help="replace patients that were prepared from other files, too"
    )
    parser.add_argument("--others", action="store_true", help="keep metabolites that the network does not know")


def _threshold(text: str) -> float | None:
    return None if text.casefold() == "none" else float(text)


def run(arguments: argparse.Namespace) -> int:
    """Prepare each patient; what is wrong with one stops no other."""
    from inference_core.preparation.prepared_study import open_prepared_folder
    from inference_core.preparation.run import prepare_study

    settings = _settings(arguments)
    settings.check()
    study, parts = _patients(arguments)
    output = open_prepared_folder(arguments.folders[-1])
    outcomes = prepare_study(
        parts, settings, output, study, progress=lambda line: print(line, flush=True), replace=arguments.replace
    )
    failed = [one for one in outcomes if one.failure]
    print(f"{output}: {len(outcomes) - len(failed)} of {len(outcomes)} patients prepared")
    for one in failed:
        print(f"Not prepared: {one.name}: {one.failure}")
    unreported = [one for one in outcomes if one.unreported]
    for one in unreported:
        print(f"Failed: {one.name} is prepared, but {one.unreported}")
    return 1 if failed or unreported else 0


def _settings(arguments: argparse.Namespace):
    from inference_core.preparation.quality_filter import QualityThresholds
    from inference_core.preparation.settings import PreparationSettings
    from inference_core.preparation.slice_selection import SliceSelection
    from inference_core.study.geometry_sources import GeometryOptions

    def numbers(values):
        return None if values is None else tuple(values)

    return PreparationSettings(
        QualityThresholds(arguments.snr, arguments.fwhm, arguments.crlb, arguments.skull, arguments.outlier),
        SliceSelection(arguments.slice_share, arguments.slice_voxels),
        GeometryOptions(
            arguments.reference, numbers(arguments.voxel), numbers(arguments.origin), numbers(arguments.direction)
        ),
        frequency=arguments.frequency,
        register=not arguments.no_registration,
        fill_holes=arguments.fill_holes,
        others=arguments.others,
    )


def _patients(arguments: argparse.Namespace):
    """The study, None for a lone patient, and the parts of each patient."""
    from inference_core.errors import InputError
    from inference_core.study.lone_patient import lone_patient
    from inference_core.study.walker import find_parts

    names = ("lcmodel", "maps", "spar", "t1", "flair", "mask", "map_anatomy")
    given = {name: path for name in names if (path := getattr(arguments, name)) is not None}
    expected = 1 if given or arguments.patient else 2
    if len(arguments.folders) != expected:
        raise InputError(
            "Give a study and the output folder, or parts of one patient (--lcmodel, --t1, ...) and the output folder "
            f"alone: there are {len(arguments.folders)} folders."
        )
    if expected == 1:
        return None, [lone_patient(arguments.patient, **given)]
    study = arguments.folders[0]
    return study, find_parts(study, arguments.folders[1])
