"""Write simulated patients: `mrsi-superres phantom`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from inference_core.commands.subject_arguments import add_subject_arguments, chosen_subjects

if TYPE_CHECKING:
    from inference_core.research.phantom.subject import Subject


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--output", type=Path, required=True, help="folder of the study; made if it does not exist")
    parser.add_argument("--patients", type=int, default=1, help="how many (1)")
    parser.add_argument("--first-seed", type=int, default=1, help="seed, and number, of the first patient (1)")
    parser.add_argument("--n", type=int, nargs="*", default=[16, 20, 24, 28, 32], help="low resolutions (16 20 ... 32)")
    parser.add_argument("--slices", type=int, help="write only so many slices from the middle (all)")
    add_subject_arguments(parser)
    parser.add_argument(
        "--point-spread",
        type=float,
        default=0.0,
        metavar="VOXELS",
        help="full width at half maximum of what the true maps are seen through, in voxels of 64 x 64 (0)",
    )
    parser.add_argument(
        "--noise-factor", type=float, default=1.0, metavar="FACTOR", help="times the noise of the paper's data (1)"
    )
    parser.add_argument("--single", action="store_true", help="one patient straight into the folder, as a lone sample")


def run(arguments: argparse.Namespace) -> int:
    """Write the patients into the folder."""
    from inference_core.commands.progress import progress_bar
    from inference_core.errors import InputError
    from inference_core.files.folders import make_folder
    from inference_core.research.phantom import check_simulated, simulate_patient, write_study
    from inference_core.research.phantom.acquisition import Scanner

    if arguments.patients < 1 or (arguments.single and arguments.patients > 1):
        raise InputError(f"{arguments.patients} patients can't be written: give 1 or more, and 1 with --single.")
    subjects: list[Subject | None] = [*chosen_subjects(arguments)] or [None]
    scanner = Scanner(arguments.point_spread, arguments.noise_factor)
    output = make_folder(arguments.output)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.patients)
    for seed in seeds:
        check_simulated(output, seed, arguments.single)
    for index, seed in enumerate(progress_bar(seeds, unit="patient")):
        patient = simulate_patient(seed, subjects[index % len(subjects)]).on(scanner)
        write_study(patient, output, arguments.n, arguments.slices, arguments.single)
    print(f"{output}: {len(seeds)} simulated patients")
    return 0
