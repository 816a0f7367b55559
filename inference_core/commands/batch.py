"""Super-resolve a whole study: `mrsi-superres batch`."""

import argparse
from pathlib import Path

from inference_core.commands.detail_arguments import add_detail_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments; as far as they go, those of BIDS Apps."""
    parser.add_argument("study", type=Path, help="folder of patients, such as `mrsi-superres prepare` writes")
    parser.add_argument("output", type=Path, help="folder for the results; made if it does not exist")
    parser.add_argument("level", nargs="?", choices=("participant",), help="as BIDS Apps have it; changes nothing")
    parser.add_argument(
        "--sharpness",
        type=float,
        nargs="+",
        default=[0.0],
        metavar="LAMBDA",
        help="each 0 to 0.1; 0 to 0.03 advised (0)",
    )
    parser.add_argument("--metabolite", nargs="+", default=(), metavar="NAME", help="only these (all)")
    parser.add_argument(
        "--ratios",
        nargs="*",
        metavar="RATIO",
        help='make these, too, such as tCho/NAA or "(Gly + Gln)/tCr"; without names the usual ones that the maps allow '
        "(8 times the time, as with --uncertainty)",
    )
    parser.add_argument(
        "--reference",
        metavar="brain|LABELS",
        help="give ratios in multiples of their median in the brain, or in normal tissue: a label image in each "
        "patient's folder, found by a pattern such as 'anat/*_dseg.nii.gz'",
    )
    parser.add_argument(
        "--mirror", action="store_true", help="with --reference LABELS: take the same place on the other side instead"
    )
    parser.add_argument(
        "--uncertainty",
        action="store_true",
        help="beside each result, how far it may be from the truth (8 times the time)",
    )
    parser.add_argument(
        "--participant-label",
        # As BIDS Apps spell it.
        "--participant_label",
        nargs="+",
        default=(),
        metavar="LABEL",
        help="only these patients, for arrays of jobs; each job writes a table of its own (all)",
    )
    parser.add_argument("--weights", type=Path, help="weights to use instead of the default ones (.safetensors)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")
    parser.add_argument("--runtime", help="what runs the network: pytorch, compiled, native or cuda-graphs")
    add_detail_arguments(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs", type=int, metavar="N", help="processes of this machine, of one thread each (one a core; one on a GPU)"
    )
    where.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, such as tcp://head:8786")


def run(arguments: argparse.Namespace) -> int:
    """Super-resolve all, and say at the end what failed, and why."""
    from inference_core.batch.plan import plan_batch
    from inference_core.batch.processes import ResolverSettings, load_resolver, run_here, run_on_cluster
    from inference_core.batch.request import BatchRequest
    from inference_core.errors import InputError
    from inference_core.inference.result_calibration import result_calibration

    if arguments.jobs is not None and arguments.jobs < 1:
        raise InputError(f"--jobs is {arguments.jobs}: it must be at least 1.")
    weights = arguments.weights and arguments.weights.resolve()
    settings = ResolverSettings(weights, arguments.device, arguments.runtime, arguments.detail, arguments.consistency)
    # Other processes, on other machines, may have another working directory.
    request = BatchRequest(
        arguments.study.absolute(),
        arguments.output.absolute(),
        sharpness=arguments.sharpness,
        participants=arguments.participant_label,
        metabolites=arguments.metabolite,
        ratios=arguments.ratios,
        reference=arguments.reference,
        mirror=arguments.mirror,
        uncertainty=arguments.uncertainty,
        self_check=not arguments.no_self_check,
    )
    plan = plan_batch(request)
    rows = []

    def done(of_patient: list) -> None:
        for row in of_patient:
            rows.append(row)
            print(f"[{len(rows)}/{plan.outputs}] {_name(row)}: {row.status}", flush=True)

    try:
        if arguments.scheduler:
            run_on_cluster(plan, settings, arguments.scheduler, done)
        else:
            # Refuses weights and devices before any process starts.
            resolver = load_resolver(settings)
            result_calibration(resolver, request.uncertainty)
            print(f"Device: {resolver.device} ({resolver.device_reason})", flush=True)
            jobs = arguments.jobs or _usual_jobs(resolver.device)
            if jobs == 1:
                _run_alone(plan, settings, done)
            else:
                run_here(plan, settings, jobs, done)
    finally:
        # In the study's order, whichever was through first.
        order = {tasks[0].patient.name: place for place, tasks in enumerate(plan.patients)}
        rows.sort(key=lambda row: order[row.patient])
        plan.write_rows(rows)
    counts = {status: sum(row.status == status for row in rows) for status in ("done", "skipped", "failed", "unused")}
    for row in rows:
        if row.status == "failed":
            print(f"Failed: {_name(row)}: {row.message}")
        elif row.status == "unused":
            print(f"Not used: {_name(row)}: {row.message}")
    print(
        f"{plan.table}: {counts['done']} done, {counts['skipped']} complete already, {counts['failed']} failed, of "
        f"{plan.outputs - counts['unused']}" + (f"; {counts['unused']} files are not used" if counts["unused"] else "")
    )
    return 1 if counts["failed"] else 0


def _name(row) -> str:
    """Which output a row is about."""
    return f"{row.patient}, {row.metabolite}, lambda = {row.sharpness:g}" if row.metabolite else row.patient


def _run_alone(plan, settings, done) -> None:
    """Do a plan in this process."""
    from inference_core.batch.processes import rows_of

    for tasks in plan.patients:
        done(rows_of(tasks, plan.study, plan.output, settings))


def _usual_jobs(device: str) -> int:
    """One process for a GPU; on a CPU one a core."""
    import os

    return (os.cpu_count() or 1) if device == "cpu" else 1
