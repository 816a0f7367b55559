"""Reproduce the paper's Table 1 and figures, on simulated patients or one's own: `mrsi-superres reproduce`."""

import argparse
from pathlib import Path

#: Seeds of the simulated patients, apart from those that train, validate and test the default weights.
_SEEDS = 3_000_000
_PAPERS_PATIENTS = 15
_SLICES = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--output", type=Path, required=True, help="folder of the run; an unfinished run there is continued"
    )
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--data", type=Path, help="folder of patients, as `mrsi-superres phantom` writes them")
    data.add_argument("--simulated", type=int, default=_PAPERS_PATIENTS, metavar="N", help="simulated patients (15)")
    parser.add_argument("--slices", type=int, default=_SLICES, help=f"slices of each simulated patient ({_SLICES})")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--budget", default="1h", help="time to train for, such as 90s, 20m, 2h or 1d (1h); measuring comes on top"
    )
    length.add_argument("--full", action="store_true", help="the paper's schedule: 100 epochs, five folds")
    parser.add_argument(
        "--for",
        dest="duration",
        metavar="TIME",
        help="stop after a time such as 9m, with all that is needed to go on in at most 8 files of 16 MiB in the "
        "folder `state`; the same command continues. Weights that nothing needs any more are removed",
    )
    parser.add_argument(
        "--side-by-side", type=int, default=1, metavar="N", help="networks at once on each device, as processes (1)"
    )
    parser.add_argument("--methods", nargs="+", help="train only these methods of Table 1 (all)")
    parser.add_argument("--weights", type=Path, help="use these weights for the studies of conditions and sharpness")
    parser.add_argument(
        "--lpips-trunk",
        type=Path,
        metavar="FILE",
        help="torchvision's weights of AlexNet, for LPIPS (downloaded, where the package lpips is installed)",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1 or mps (all GPUs that there are, or else the CPU)")


def run(arguments: argparse.Namespace) -> int:
    """Do what is not done yet, and write the report; 1 if something could not be done."""
    from dataclasses import replace

    from inference_core.commands.pieces import Deadline, OutOfTimeError
    from inference_core.commands.progress import progress_bar
    from inference_core.errors import InputError
    from inference_core.files.folders import make_folder
    from inference_core.research.reproduction.jobs import all_jobs, run_jobs
    from inference_core.research.reproduction.methods import choose_methods
    from inference_core.research.reproduction.plan import check_run_folder, keep_plan, read_plan
    from inference_core.research.reproduction.report import write_report
    from inference_core.research.training.packing import unpack
    from inference_core.terms.duration import parse_duration

    methods = choose_methods(arguments.methods)
    budget = None if arguments.full else parse_duration(arguments.budget, "budget")
    if arguments.side_by_side < 1:
        raise InputError(f"--side-by-side is {arguments.side_by_side}: it must be at least 1.")
    deadline = Deadline.after(arguments.duration)
    patients = _patients(arguments)
    if arguments.weights:
        _check_weights(arguments.weights)
    lpips, about_lpips = _lpips(arguments.lpips_trunk)
    devices = _devices(arguments.device)
    output = make_folder(arguments.output)
    unpack(output)
    check_run_folder(output)
    try:
        study = _planned(arguments, output, methods, patients, devices[0], budget, lpips, read_plan(output), deadline)
    except OutOfTimeError:
        print("Stopped with some of the patients simulated: the same command continues.", flush=True)
        return 0
    study = replace(study, until=deadline.end)
    keep_plan(output, study.plan)
    print(study.plan.described, flush=True)
    with progress_bar(total=len(all_jobs(study)), unit="job") as bar:

        def done(job) -> None:
            bar.set_postfix_str(str(job))
            bar.update()

        failures = run_jobs(study, devices * arguments.side_by_side, done)
    if deadline and not failures and not all(job.done(study) for job in all_jobs(study)):
        _leave(study)
        return 0
    report = write_report(study, _examples(study), failures, _command(arguments), about_lpips)
    for failure in failures:
        print(f"Not done: {failure.job}. {failure.reason}")
    print(f"Report: {report}")
    return 1 if failures else 0


def _leave(study) -> None:
    """Leave the run to its next piece, and tell how far it is."""
    from inference_core.research.reproduction.jobs import all_jobs
    from inference_core.research.reproduction.pieces import leave, time_needed

    jobs = all_jobs(study)
    done, needed = sum(job.done(study) for job in jobs), time_needed(study)
    parts, again = leave(study)
    print(f"Stopped with {done} of {len(jobs)} jobs done, in {parts} files: the same command continues.", flush=True)
    if again:
        print(f"Too large to be kept, and begun again: {', '.join(again)}.", flush=True)
    if needed:
        rate, steps, seconds = needed
        print(
            f"Training: {rate:.3g} steps a second so far; all {steps:,} steps of the plan take about "
            f"{seconds / 60:.3g} minutes of one device.",
            flush=True,
        )


def _lpips(trunk: Path | None) -> tuple[str, str]:
    """What the plan says of LPIPS, and a sentence for the report.

    Raises:
        InputError: if a file was named, and can't be used.
    """
    from inference_core.errors import InputError
    from inference_core.research.reproduction.measuring import DOWNLOADED, open_lpips

    wanted = str(trunk.resolve()) if trunk else DOWNLOADED
    try:
        open_lpips(wanted)
    except InputError as error:
        if trunk:
            raise
        return "", f"Not measured. {error} The energy of fine detail stands beside fidelity instead."
    return wanted, f"Measured with AlexNet as its trunk ({trunk.name if trunk else 'downloaded'})."


def _patients(arguments: argparse.Namespace) -> list:
    from inference_core.errors import InputError

    if arguments.data:
        from inference_core.research.data.study import StudyPatient, training_patients

        patients = [StudyPatient(path) for path in training_patients(arguments.data)]
    else:
        from inference_core.research.data.simulated import SimulatedSlices

        if not 1 <= arguments.slices <= 18:
            raise InputError(f"--slices is {arguments.slices}: simulated patients have up to 18.")
        seeds = range(_SEEDS, _SEEDS + max(arguments.simulated, 0))
        patients = [SimulatedSlices(seed, min(arguments.slices, 11)) for seed in seeds]
    from inference_core.research.reproduction.folds import split_folds

    split_folds(patients)
    return patients


def _check_weights(path: Path) -> None:
    from inference_core.errors import InputError
    from inference_core.networks.weights_io import load_weights

    network, info = load_weights(path)
    if "sharpness" not in network.conditions:
        raise InputError(f"The weights '{path}' are for {info.architecture}, which lambda has no effect on.")


def _devices(wanted: str | None) -> list[str]:
    import torch

    from inference_core.engine.devices import choose_device

    device, reason = choose_device(wanted)
    print(f"Device: {device} ({reason})", flush=True)
    if device == "cuda":
        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return [device]


def _planned(arguments, output: Path, methods, patients, device: str, budget: float | None, lpips: str, kept, deadline):
    """The run, with the plan that the folder holds or a new one."""
    from tempfile import TemporaryDirectory

    from inference_core.commands.progress import progress_bar
    from inference_core.research.data.training_batches import TrainingBatches
    from inference_core.research.reproduction.folds import FOLDS
    from inference_core.research.reproduction.plan import BATCH_SIZE, PAPER_EPOCHS, Plan, share_out
    from inference_core.research.reproduction.study import Study
    from inference_core.research.reproduction.training import measure_step

    described = f"{len(patients)} {'simulated ' if not arguments.data else ''}patients"
    described += f" in {arguments.data.name}" if arguments.data else f", {min(arguments.slices, 11)} slices each"
    folds, steps = (kept.folds, kept.steps) if kept else (FOLDS, 1)

    def plan(folds: int, steps: int) -> Plan:
        weights = str(arguments.weights.resolve()) if arguments.weights else None
        names = tuple(method.name for method in methods)
        return Plan(names, folds, steps, budget is None, budget, described, not arguments.data, weights, lpips)

    study = Study(output, plan(folds, steps), patients, device)

    def show(patients, total: int):
        return deadline.bounding(progress_bar(patients, total=total, desc="Preparing", unit="patient"), "preparing")

    study.make_slices(1 if arguments.data else None, show)
    if kept:
        return study
    training = study.stored(study.folds[0].train)
    full = round(PAPER_EPOCHS * TrainingBatches(training, BATCH_SIZE, 0).maps / BATCH_SIZE)
    if budget is None:
        return Study(output, plan(FOLDS, full), patients, device)
    with TemporaryDirectory(dir=output) as scratch:
        seconds = {
            method.name: measure_step(study, method, training, Path(scratch) / method.name)
            for method in progress_bar(methods, desc="Measuring steps", unit="network")
        }
    return Study(output, plan(*share_out(budget, methods, seconds, full)), patients, device)


def _examples(study) -> list[dict]:
    """Three maps for the visual comparison: the paper's metabolites and n (Fig. 3)."""
    import numpy as np

    from inference_core.research.reproduction.jobs import Job
    from inference_core.research.reproduction.measuring import example_maps
    from inference_core.terms.conditions import metabolite_index

    job = Job("sharpness", "" if study.plan.weights else "multi-conditional")
    if not job.file(study).exists():
        return []
    usable, slices, cases = study.test_slices(0).usable(), study.test_slices(0), []
    for patient, (name, n) in zip(np.unique(slices.patient), (("tCho", 24), ("Gln", 20), ("Ins", 16)), strict=False):
        m = metabolite_index(name)
        own = np.flatnonzero((slices.patient == patient) & usable[m])
        if len(own):
            cases.append((int(own[len(own) // 2]), m, n))
    return example_maps(study, job.needs(study)[0], 0, cases)


def _command(arguments: argparse.Namespace) -> str:
    words = ["mrsi-superres reproduce", "--full" if arguments.full else f"--budget {arguments.budget}"]
    words.append(f"--data {arguments.data.name}" if arguments.data else f"--simulated {arguments.simulated}")
    if not arguments.data:
        words.append(f"--slices {arguments.slices}")
    if arguments.methods:
        words.append("--methods " + " ".join(arguments.methods))
    if arguments.weights:
        words.append(f"--weights {arguments.weights.name}")
    return " ".join(words)
