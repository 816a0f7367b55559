"""Train a network on a folder of patients or on simulated ones: `mrsi-superres train`."""

import argparse
import copy
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

from inference_core.commands.pieces import Deadline, OutOfTimeError, in_pieces
from inference_core.commands.progress import progress_bar
from inference_core.commands.subject_arguments import add_subject_arguments, chosen_subjects
from inference_core.terms.conditions import TRAINED_RESOLUTIONS

#: What comes out of a run, in its folder.
WEIGHTS = "weights.safetensors"
#: Simulated patients of these seeds validate a training; those that train have smaller seeds.
_VALIDATION_SEEDS = 1_000_000
_VALIDATION_RESOLUTIONS = (16, 24, 32)
#: Slices of each simulated validation patient: all metabolites at three resolutions take a while.
_VALIDATION_SLICES = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments; defaults are the paper's."""
    parser.add_argument(
        "--output", type=Path, required=True, help="folder of the run; a checkpoint in it is resumed from"
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help="all stages of a recipe, such as `default`, or a .toml file of one's own",
    )
    parser.add_argument(
        "--for",
        dest="duration",
        metavar="TIME",
        help="stop after a time such as 9m, with all that is needed to go on in at most 8 files of 16 MiB in the "
        "folder `state`; the same command continues",
    )
    data = parser.add_argument_group("data").add_mutually_exclusive_group()
    data.add_argument("--data", type=Path, help="folder of patients, as `mrsi-superres phantom` writes them")
    data.add_argument("--simulated", type=int, default=120, metavar="N", help="train on N simulated patients (120)")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first simulated patient")
    parser.add_argument("--slices", type=int, default=8, help="slices of each simulated patient (8)")
    parser.add_argument("--validation", type=int, default=3, help="patients to validate on (3)")
    parser.add_argument(
        "--varied",
        action="store_true",
        help="simulate voxel sizes, noise and levels of tissues far beyond the paper's data",
    )
    parser.add_argument(
        "--subject-share", type=float, default=0.5, metavar="SHARE", help="of the patients made from --anatomy (0.5)"
    )
    parser.add_argument(
        "--n",
        type=int,
        nargs="+",
        default=list(TRAINED_RESOLUTIONS),
        help="input resolutions to train on (16 18 ... 32)",
    )
    parser.add_argument(
        "--redrawn", type=float, default=0.0, help="domain randomisation: share of maps drawn anew on their MRI (0)"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="FOLDER",
        help="keep all slices on disk in this folder, for the next run too, and read them from there "
        "(in memory; with several processes or workers, in the run's folder)",
    )
    add_subject_arguments(parser)
    parser.add_argument(
        "--network",
        help="one of the paper's: unconditioned, amlayer, hypernetworks, filter-scaling, filter-scaling-met or "
        "multi-conditional (that of --init, or else multi-conditional); only the last one responds to lambda, the "
        "others train without the discriminator",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=float, default=100, help="passes over all maps (100)")
    length.add_argument("--steps", type=int, help="generator steps, instead of epochs")
    parser.add_argument(
        "--batch-size",
        type=int,
        default=8,
        help="slices a batch in each process (8); steps and epochs count the batches of all processes as one",
    )
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--critic-learning-rate", type=float, default=1e-4)
    parser.add_argument("--conditioning-rate", type=float, default=1.0, help="factor on it where lambda comes in")
    parser.add_argument("--betas", type=float, nargs=2, default=(0.5, 0.9), help="Adam's (0.5 0.9)")
    parser.add_argument("--schedule", choices=("halving", "cosine"), default="halving")
    parser.add_argument("--warm-up", type=int, default=0, help="steps over which the learning rate grows")
    parser.add_argument("--gradient-clip", type=float, help="largest norm of the gradient (any)")
    parser.add_argument(
        "--no-adversarial", action="store_true", help="leave the discriminator out: lambda has no effect"
    )
    parser.add_argument("--critic-steps", type=int, default=5, help="discriminator steps a generator step (5)")
    parser.add_argument("--critic-warm-up", type=int, default=0, help="discriminator steps before the first one")
    parser.add_argument("--averaging", type=float, default=0.0, help="decay of the weights' running average (none)")
    parser.add_argument(
        "--init",
        type=Path,
        metavar="WEIGHTS",
        help="weights to start from (.safetensors), or `default` for those that come with the package",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the batches (0)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 or mps (the fastest there is)")
    parser.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="processes, one a GPU (1); better started with torchrun --nproc-per-node N -m inference_core.train",
    )
    parser.add_argument(
        "--precision",
        default="32-true",
        help="32-true, bf16-mixed or 16-mixed (32-true); the mixed ones are faster on GPUs that have them",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that make batches ahead, for each training process (0 on a CPU, up to 8 for a GPU)",
    )
    parser.add_argument(
        "--compile", action="store_true", help="compile the network first, for a GPU: on a CPU it is slower"
    )
    parser.add_argument("--checkpoint-every", type=int, default=200, metavar="STEPS")
    parser.add_argument("--validate-every", type=int, default=500, metavar="STEPS")


def run(arguments: argparse.Namespace) -> int:
    """Train, and write `weights.safetensors` into the run's folder."""
    from inference_core.research.training.launch import make_fabric, one_voice

    with one_voice():
        if arguments.recipe:
            from inference_core.commands.train_recipe import run_recipe

            return run_recipe(arguments)
        _check(arguments)
        deadline = Deadline.after(arguments.duration)
        fabric, device, reason = make_fabric(arguments.device, arguments.devices, arguments.precision)
        network = _network_name(arguments)
        settings = _settings(arguments, fabric.world_size, network)
        fabric.launch()
        processes = f", {fabric.world_size} processes" if fabric.world_size > 1 else ""
        fabric.print(f"Device: {device} ({reason}){processes}", flush=True)
        in_pieces(fabric, arguments.output, deadline, lambda: train(arguments, settings, fabric, deadline))
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuse numbers that nothing could be done with, before anything is."""
    from inference_core.errors import InputError

    least = {"slices": 1, "batch_size": 1, "steps": 1, "checkpoint_every": 1, "validate_every": 1, "simulated": 1}
    for name, smallest in (least | {"validation": 0, "workers": 0, "first_seed": 0}).items():
        value = getattr(arguments, name)
        if value is not None and value < smallest:
            raise InputError(f"--{name.replace('_', '-')} is {value}: it must be at least {smallest}.")
    if not arguments.epochs > 0:
        raise InputError(f"--epochs is {arguments.epochs:g}: it must be greater than 0.")
    if not 0 <= arguments.subject_share <= 1:
        raise InputError(f"--subject-share is {arguments.subject_share:g}: it is a share, from 0 to 1.")
    if chosen_subjects(arguments) and arguments.data:
        raise InputError("--anatomy is for simulated patients: leave it or --data out.")


def initial_weights(arguments: argparse.Namespace) -> Path | None:
    """The weights that `--init` names; None to start anew."""
    from inference_core.networks.weights_io import DEFAULT_WEIGHTS

    return DEFAULT_WEIGHTS if arguments.init == Path("default") else arguments.init


def _network_name(arguments: argparse.Namespace) -> str:
    """The network to train: as asked for, or that of the weights to start from, or the full method's."""
    from inference_core.errors import InputError
    from inference_core.networks import responds_to
    from inference_core.networks.weights_io import DEFAULT_ARCHITECTURE, load_weights

    name = arguments.network
    if name:
        responds_to(name)
    if arguments.init:
        own = load_weights(initial_weights(arguments))[1].architecture
        if name not in (None, own):
            raise InputError(f"--network is {name}, but the weights '{arguments.init}' are for {own}: leave one out.")
        return own
    return name or DEFAULT_ARCHITECTURE


def _settings(arguments: argparse.Namespace, processes: int, network: str):
    """The run's settings; how many steps an epoch takes is not known before the data are."""
    from inference_core.networks import responds_to
    from inference_core.research.training.settings import TrainingSettings

    return TrainingSettings(
        steps=arguments.steps or 1,
        batch_size=arguments.batch_size * processes,
        learning_rate=arguments.learning_rate,
        critic_learning_rate=arguments.critic_learning_rate,
        conditioning_rate=arguments.conditioning_rate,
        betas=tuple(arguments.betas),
        schedule=arguments.schedule,
        warm_up=arguments.warm_up,
        gradient_clip=arguments.gradient_clip,
        network=network,
        adversarial=not arguments.no_adversarial and "sharpness" in responds_to(network),
        critic_steps=arguments.critic_steps,
        critic_warm_up=arguments.critic_warm_up,
        averaging=arguments.averaging,
        precision=arguments.precision,
        seed=arguments.seed,
        redrawn=arguments.redrawn,
        resolutions=tuple(arguments.n),
        trained_on=describe_data(arguments),
    )


def train(arguments: argparse.Namespace, settings, fabric, deadline: Deadline) -> bool:
    """Train in all processes, once they are launched; returns whether it came to the last step in time."""
    import torch

    from inference_core.files.folders import make_folder
    from inference_core.networks import count_parameters, create_network
    from inference_core.networks.weights_io import load_weights, save_weights
    from inference_core.research.data.loading import default_workers
    from inference_core.research.data.training_batches import TrainingBatches
    from inference_core.research.training.anchoring import anchored
    from inference_core.research.training.checkpoints import check_checkpoint
    from inference_core.research.training.launch import processes_here, together
    from inference_core.research.training.trainer import Trainer

    start = initial_weights(arguments)
    together(fabric, lambda: make_folder(arguments.output), alone=True)
    together(fabric, lambda: _check_outputs(arguments, start))
    torch.manual_seed(arguments.seed)
    network, origin = together(
        fabric, lambda: load_weights(start) if start else (create_network(settings.network), None)
    )
    # The network is trained in place, and the file may be another one by the end.
    written = partial(anchored, copy.deepcopy(network)) if settings.anchored else lambda trained: trained
    workers = arguments.workers
    if workers is None:
        workers = default_workers(fabric.device.type, processes_here(arguments.devices))
    # What can't be resumed is refused before any patient is read or simulated.
    together(fabric, lambda: check_checkpoint(arguments.output, settings.as_dict(), bool(arguments.steps)))
    try:
        slices, validation = _load_data(arguments, fabric, workers, deadline)
    except OutOfTimeError:
        if arguments.cache is None:
            raise
        fabric.print(f"Stopped with some of the patients in {arguments.cache}: the same command continues.", flush=True)
        return False
    batches = TrainingBatches(slices, settings.batch_size, settings.seed, settings, settings.resolutions)
    steps = arguments.steps or max(1, round(arguments.epochs * batches.maps / settings.batch_size))
    settings = replace(settings, steps=steps)
    trainer = Trainer(network, batches, settings, arguments.output, fabric, arguments.compile, workers)
    fabric.print(
        f"{count_parameters(network):,} parameters, {len(slices)} slices, {batches.maps} maps; "
        f"step {trainer.step} of {steps}",
        flush=True,
    )
    if trainer.earlier_plans:
        at, before = trainer.earlier_plans[-1]
        fabric.print(
            f"Planned for {before} steps until step {at}: the learning rate follows the plan of {steps} steps from "
            "there on.",
            flush=True,
        )
    with progress_bar(total=steps, initial=trainer.step, unit="step", disable=not fabric.is_global_zero) as bar:

        def progress(record: dict) -> None:
            bar.set_postfix({k: f"{v:.4f}" for k, v in record.items() if k != "step"}, refresh=False)
            bar.update()

        validate = _validation(validation, written) if arguments.validation else None
        stop = deadline.passed if deadline else None
        trained = trainer.run(arguments.checkpoint_every, progress, validate, arguments.validate_every, stop)
    if trainer.step < steps:
        fabric.print(f"Stopped at step {trainer.step} of {steps}: the same command continues.", flush=True)
        return False

    def write() -> None:
        path = arguments.output / WEIGHTS
        details = {name: str(value) for name, value in settings.as_dict().items()}
        if trainer.earlier_plans:
            details["earlier_plans"] = json.dumps(trainer.earlier_plans)
        details |= {"started_from": origin.sha256} if origin else {}
        save_weights(path, written(trained), {"architecture": settings.network, **details})
        print(f"Weights: {path}")

    together(fabric, write, alone=True)
    return True


def _check_outputs(arguments: argparse.Namespace, start: Path | None) -> None:
    from inference_core.files.inputs import check_not_inputs
    from inference_core.files.own_outputs import check_replaceable
    from inference_core.networks.weights_io import is_own_weights
    from inference_core.research.training.checkpoints import CHECKPOINT
    from inference_core.research.training.records import LOG, is_own_log

    # A checkpoint that can't be resumed from is refused, whoever wrote it.
    outputs = [arguments.output / name for name in (WEIGHTS, CHECKPOINT, LOG)]
    anatomy = [("--anatomy", path) for path in arguments.anatomy or ()]
    anatomy += [(f"--{name}", getattr(arguments, name)) for name in ("grey", "white", "csf", "flair")]
    check_not_inputs(outputs, [("initial weights", start), ("data", arguments.data), *anatomy])
    check_replaceable([(arguments.output / WEIGHTS, is_own_weights), (arguments.output / LOG, is_own_log)])


def describe_data(arguments: argparse.Namespace) -> str:
    """What is trained on, in words."""
    if arguments.data:
        return f"patients in {arguments.data.name}"
    last = arguments.first_seed + arguments.simulated - 1
    subjects = len(chosen_subjects(arguments))
    counted = "one subject" if subjects == 1 else f"{subjects} subjects"
    made_from = f", {arguments.subject_share:.0%} of them made from {counted}" if subjects else ""
    varied = "varied " if arguments.varied else ""
    return f"{varied}simulated patients {arguments.first_seed} to {last}, {arguments.slices} slices each{made_from}"


def _patients(arguments: argparse.Namespace) -> tuple[list, list]:
    """Patients to train on, and patients to validate on."""
    if arguments.data:
        from inference_core.research.data.study import split_patients

        return split_patients(arguments.data, arguments.validation)
    from inference_core.research.data.simulated import simulated_cohort

    subjects = chosen_subjects(arguments)
    cohort = arguments.first_seed, arguments.simulated, arguments.slices, arguments.varied
    return (
        simulated_cohort(*cohort, subjects, arguments.subject_share),
        simulated_cohort(_VALIDATION_SEEDS, arguments.validation, _VALIDATION_SLICES, False, subjects),
    )


def _load_data(arguments: argparse.Namespace, fabric, workers: int, deadline: Deadline):
    """Slices to train on, and slices to validate on, which the first process alone has, or None."""
    from inference_core.research.data.cohort import open_stored, read_into_memory, store_on_disk
    from inference_core.research.training.launch import together

    training, validation = together(fabric, lambda: _patients(arguments))
    # Reading images uses all cores by itself.
    processes = 1 if arguments.data else None
    what = "Reading" if arguments.data else "Simulating"

    def show(patients, total: int):
        return deadline.bounding(progress_bar(patients, total=total, desc=what, unit="patient"), what.lower())

    cache = arguments.cache
    if cache is None and (workers or fabric.world_size > 1):
        cache = arguments.output / "slices"
    if cache is None:
        measured = read_into_memory(validation, processes, show) if validation else None
        return read_into_memory(training, processes, show), measured

    def store() -> None:
        replaced = store_on_disk([*validation, *training], cache, processes, show)
        if replaced:
            print(f"{replaced} patients in {cache} were out of date and were made again.", flush=True)

    together(fabric, store, alone=True)
    slices = together(fabric, lambda: open_stored(training, cache))
    measured = open_stored(validation, cache).in_memory() if validation and fabric.is_global_zero else None
    return slices, measured


def _validation(slices, written):
    """A function that measures a network on `slices`, at lambda = 0 and at the largest.

    Args:
        slices: of other patients than those trained on.
        written: makes the network that is written of the one that is trained.
    """
    from inference_core.engine.folded_network import FoldedNetwork
    from inference_core.research.evaluation.comparison import compare, mean_by
    from inference_core.research.evaluation.methods import network_method, zero_filling
    from inference_core.terms.conditions import SHARPNESS_RANGE

    def validate(network) -> dict[str, float]:
        network = FoldedNetwork(written(network))
        methods = {
            "zero-filling": zero_filling,
            "fidelity": network_method(network, 0.0),
            "sharpest": network_method(network, SHARPNESS_RANGE[1]),
        }
        means = mean_by(compare(methods, slices, _VALIDATION_RESOLUTIONS), "method")
        figures = {}
        for (method,), (psnr, ssim, sharpness) in means.items():
            figures |= {f"{method}/psnr": psnr, f"{method}/ssim": ssim, f"{method}/sharpness": sharpness}
        return figures

    return validate


def main(argv: list[str] | None = None) -> int:
    """Run the command with `argv`; returns its exit status."""
    from inference_core.commands.cli import run_command
    from inference_core.commands.streams import print_any_character

    print_any_character()
    parser = argparse.ArgumentParser(prog="train.py", description=__doc__.partition(":")[0])
    add_arguments(parser)
    return run_command(run, parser.parse_args(argv))
