"""Train a network on a folder of patients or on simulated ones: `python -m inference_core.train --help`."""

import argparse
import sys
from pathlib import Path

if __name__ == "__main__" and not __package__:
    # Run by its path from a checkout, where the package's parent is not on Python's path.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

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
    data = parser.add_argument_group("data").add_mutually_exclusive_group()
    data.add_argument("--data", type=Path, help="folder of patients, as `mrsi-superres phantom` writes them")
    data.add_argument("--simulated", type=int, default=120, metavar="N", help="train on N simulated patients (120)")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first simulated patient")
    parser.add_argument("--slices", type=int, default=8, help="slices of each simulated patient (8)")
    parser.add_argument("--validation", type=int, default=3, help="patients to validate on (3)")
    parser.add_argument("--redrawn", type=float, default=0.0, help="share of maps drawn anew on their MRI (0)")
    parser.add_argument("--cache", type=Path, help="folder that keeps simulated slices for the next run")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=float, default=100, help="passes over all maps (100)")
    length.add_argument("--steps", type=int, help="generator steps, instead of epochs")
    parser.add_argument("--batch-size", type=int, default=8)
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
    parser.add_argument("--init", type=Path, help="weights to start from (.safetensors)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the batches (0)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")
    parser.add_argument("--compile", action="store_true", help="compile the network first, which takes minutes")
    parser.add_argument("--checkpoint-every", type=int, default=200, metavar="STEPS")
    parser.add_argument("--validate-every", type=int, default=500, metavar="STEPS")


def run(arguments: argparse.Namespace) -> int:
    """Train, and write `weights.safetensors` into the run's folder."""
    import torch
    from tqdm import tqdm

    from inference_core.data.batches import TrainingBatches
    from inference_core.devices import choose_device
    from inference_core.networks import count_parameters, create_network
    from inference_core.outputs import make_folder
    from inference_core.training.settings import TrainingSettings
    from inference_core.training.trainer import Trainer
    from inference_core.weights_io import load_weights, save_weights

    device, reason = choose_device(arguments.device)
    print(f"Device: {device} ({reason})", flush=True)
    make_folder(arguments.output)
    torch.manual_seed(arguments.seed)
    network = create_network("multi-conditional") if arguments.init is None else load_weights(arguments.init)[0]
    slices, validation = _load_data(arguments)
    batches = TrainingBatches(slices, arguments.batch_size, arguments.seed, arguments.redrawn)
    steps = arguments.steps or max(1, round(arguments.epochs * batches.maps / arguments.batch_size))
    settings = TrainingSettings(
        steps=steps,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        critic_learning_rate=arguments.critic_learning_rate,
        conditioning_rate=arguments.conditioning_rate,
        betas=tuple(arguments.betas),
        schedule=arguments.schedule,
        warm_up=arguments.warm_up,
        gradient_clip=arguments.gradient_clip,
        adversarial=not arguments.no_adversarial,
        critic_steps=arguments.critic_steps,
        critic_warm_up=arguments.critic_warm_up,
        averaging=arguments.averaging,
        seed=arguments.seed,
        redrawn=arguments.redrawn,
        trained_on=_describe_data(arguments),
    )
    trainer = Trainer(network, batches, settings, arguments.output, device, arguments.compile)
    print(
        f"{count_parameters(network):,} parameters, {len(slices)} slices, {batches.maps} maps; "
        f"step {trainer.step} of {steps}",
        flush=True,
    )
    with tqdm(total=steps, initial=trainer.step, unit="step") as bar:

        def progress(record: dict) -> None:
            bar.set_postfix({k: f"{v:.4f}" for k, v in record.items() if k != "step"}, refresh=False)
            bar.update()

        validate = _validation(validation) if validation else None
        trained = trainer.run(arguments.checkpoint_every, progress, validate, arguments.validate_every)
    path = arguments.output / "weights.safetensors"
    save_weights(path, trained, {name: str(value) for name, value in settings.as_dict().items()})
    print(f"Weights: {path}")
    return 0


def _describe_data(arguments: argparse.Namespace) -> str:
    if arguments.data:
        return f"patients in {arguments.data.name}"
    last = arguments.first_seed + arguments.simulated - 1
    return f"simulated patients {arguments.first_seed} to {last}, {arguments.slices} slices each"


def _load_data(arguments: argparse.Namespace):
    """Slices to train on, and slices to validate on or None."""
    from tqdm import tqdm

    if arguments.data:
        from inference_core.data.study import read_training_patients

        return read_training_patients(arguments.data, arguments.validation, tqdm)
    from inference_core.data.simulated import simulate_cohort

    def cohort(first: int, count: int, slices: int):
        seeds = range(first, first + count)
        return simulate_cohort(
            seeds, slices, arguments.cache, progress=lambda p: tqdm(p, total=count, desc="Simulating")
        )

    validation = cohort(_VALIDATION_SEEDS, arguments.validation, _VALIDATION_SLICES) if arguments.validation else None
    return cohort(arguments.first_seed, arguments.simulated, arguments.slices), validation


def _validation(slices):
    """A function that measures a network on `slices`, at lambda = 0 and at the largest."""
    from inference_core.conditions import SHARPNESS_RANGE
    from inference_core.engine.folded_network import FoldedNetwork
    from inference_core.evaluation.comparison import compare, mean_by
    from inference_core.evaluation.methods import network_method, zero_filling

    def validate(network) -> dict[str, float]:
        network = FoldedNetwork(network)
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
    from inference_core.cli import run_command

    parser = argparse.ArgumentParser(prog="train.py", description=__doc__.partition(":")[0])
    add_arguments(parser)
    return run_command(run, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
