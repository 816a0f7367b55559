"""Check weights on a cohort of one's own, without ground truth: `mrsi-superres validate`."""

import argparse
from pathlib import Path

from inference_core.commands.detail_arguments import add_detail_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("study", type=Path, help="folder of patients, as `mrsi-superres batch` takes it")
    parser.add_argument("output", type=Path, help="folder for the table and the figure; made if it does not exist")
    parser.add_argument("--sharpness", type=float, default=0.0, metavar="LAMBDA", help="0 to 0.1 (0)")
    parser.add_argument("--metabolite", nargs="+", default=(), metavar="NAME", help="only these (all)")
    parser.add_argument("--participant-label", nargs="+", default=(), metavar="LABEL", help="only these patients (all)")
    parser.add_argument("--weights", type=Path, help="weights to check instead of the default ones (.safetensors)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")
    parser.add_argument("--runtime", help="what runs the network: pytorch, compiled, native or cuda-graphs")
    add_detail_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check all maps, and say what that comes to."""
    from importlib.util import find_spec

    from inference_core.batch.validation import (
        FIGURE,
        check_validation_outputs,
        patients_to_validate,
        summary,
        validate_patient,
        write_validation,
    )
    from inference_core.errors import InputError
    from inference_core.files.atomic import write_file
    from inference_core.files.folders import make_folder
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.terms.conditions import check_sharpness, resolve_metabolite

    if find_spec("matplotlib") is None:
        raise InputError("The figure needs Matplotlib: install mrsi-superres[prepare].")
    sharpness = check_sharpness(arguments.sharpness)
    metabolites = [resolve_metabolite(name) for name in arguments.metabolite]
    patients = patients_to_validate(arguments.study, arguments.participant_label)
    if arguments.output.resolve() == arguments.study.resolve():
        raise InputError(f"The output folder '{arguments.output}' is the study's: choose another.")
    check_validation_outputs(arguments.output)
    make_folder(arguments.output)
    resolver = SuperResolver.load(arguments.weights, arguments.device, arguments.runtime, detail=arguments.detail)
    print(f"Device: {resolver.device} ({resolver.device_reason})", flush=True)
    rows = []
    try:
        for place, patient in enumerate(patients, 1):
            for row in validate_patient(patient, resolver, metabolites, sharpness):
                rows.append(row)
                share = "" if row.explained is None else f", {row.explained:.0%} explained"
                name = f"{row.patient}, {row.metabolite}" if row.metabolite else row.patient
                print(f"[{place}/{len(patients)}] {name}: {row.verdict}{share}", flush=True)
    finally:
        table = write_validation(rows, arguments.output)
    failed = [row for row in rows if row.verdict == "failed"]
    for row in failed:
        print(f"Failed: {row.patient} {row.metabolite}: {row.message}")
    for sentence in summary(rows):
        print(sentence)
    print(table)
    if any(row.check is not None for row in rows):
        from inference_core.batch.validation_figure import validation_figure

        write_file(arguments.output / FIGURE, validation_figure(rows))
        print(arguments.output / FIGURE)
    return 1 if failed or not rows else 0
