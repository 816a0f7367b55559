"""All stages of a recipe: `mrsi-superres train --recipe default`."""

import argparse
import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inference_core.commands.pieces import Deadline, in_pieces
from inference_core.commands.subject_arguments import chosen_subjects
from inference_core.commands.train import WEIGHTS, add_arguments, describe_data, initial_weights, train

if TYPE_CHECKING:
    from inference_core.research.phantom.subject import Subject
    from inference_core.research.recipes.recipe import Recipe, Stage

#: What a user says beside the recipe: where, with whom, on which machine and how long.
_FREE = (
    "output", "recipe", "duration", "anatomy", "grey", "white", "csf", "flair", "cache", "device", "devices",
    "precision", "workers", "compile", "checkpoint_every", "init",
)  # fmt: skip
#: What a run was made from, in its folder.
_MADE_FROM = "recipe.json"


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what the recipe decides."""
    from inference_core.errors import InputError

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    for name, default in vars(parser.parse_args(["--output", "."])).items():
        if name not in _FREE and getattr(arguments, name) != default:
            raise InputError(f"The recipe decides on --{name.replace('_', '-')}: leave it or --recipe out.")


def _stage_arguments(arguments: argparse.Namespace, stage: "Stage", folder: Path, start: Path | None):
    """What `train` is told of a stage."""
    own = copy.copy(arguments)
    patients = stage.patients
    own.output, own.init, own.data = folder, start, None
    own.simulated, own.first_seed, own.slices = patients.count, patients.first_seed, patients.slices
    own.varied, own.subject_share = patients.varied, patients.subject_share
    own.validation, own.validate_every = stage.validation.patients, stage.validation.every
    own.steps, own.seed, own.network = stage.training.steps, stage.training.seed, stage.training.network
    return own


def _made_from(recipe: "Recipe", subjects: "list[Subject]", start: Path | None) -> dict:
    from inference_core.networks.weights_io import load_weights

    return {
        "started_from": load_weights(start)[1].sha256 if start else None,
        "recipe": recipe.name,
        "fingerprint": recipe.fingerprint,
        "anatomies": [{"name": subject.name, "fingerprint": subject.fingerprint} for subject in subjects],
        "text": recipe.text,
    }


def _check_made_from(folder: Path, own: dict) -> None:
    """Refuse to go on with a run of another recipe or other anatomies; write down what a new one is made from."""
    from inference_core.errors import InputError
    from inference_core.files.atomic import write_file
    from inference_core.files.folders import make_folder

    path = make_folder(folder) / _MADE_FROM
    if path.exists():
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"'{path}' can't be read ({error}): choose another folder.") from error
        if not isinstance(kept, dict) or "fingerprint" not in kept:
            raise InputError(f"'{path}' was not written by this program: choose another folder.")
        for key, what in (
            ("fingerprint", "another recipe"),
            ("anatomies", "other anatomies"),
            ("started_from", "other --init"),
        ):
            if kept.get(key) != own[key]:
                raise InputError(f"'{folder}' holds a run of {what}: choose another folder.")
        return
    if (weights := folder / WEIGHTS).exists():
        raise InputError(f"'{weights}' is not of this recipe: choose another folder.")
    write_file(path, json.dumps(own, indent=1) + "\n")


def run_recipe(arguments: argparse.Namespace) -> int:
    """Train stage after stage, and write `weights.safetensors` into the run's folder.

    Raises:
        InputError: for arguments that the recipe decides on, a recipe that is wrong, or a folder of another run.
    """
    from inference_core.errors import InputError
    from inference_core.research.recipes.recipe import read_recipe
    from inference_core.research.training.checkpoints import CHECKPOINT
    from inference_core.research.training.launch import make_fabric, together

    _check(arguments)
    deadline, recipe = Deadline.after(arguments.duration), read_recipe(arguments.recipe)
    subjects, start = chosen_subjects(arguments), initial_weights(arguments)
    if recipe.stages[0].training.anchored and start is None:
        raise InputError("The first stage is anchored to the weights that it starts from: name them by --init.")
    fabric, device, reason = make_fabric(arguments.device, arguments.devices, arguments.precision)
    fabric.launch()
    fabric.print(f"Device: {device} ({reason})", flush=True)

    def work() -> bool:
        together(fabric, lambda: _check_made_from(arguments.output, _made_from(recipe, subjects, start)), alone=True)
        if (arguments.output / WEIGHTS).exists():
            fabric.print(f"Weights: {arguments.output / WEIGHTS}", flush=True)
            return True
        weights = start
        for number, stage in enumerate(recipe.stages, start=1):
            folder = arguments.output / f"{number}-{stage.name}"
            before, weights = weights, folder / WEIGHTS
            if weights.exists():
                continue
            fabric.print(f"Stage {number} of {len(recipe.stages)}: {stage.name}", flush=True)
            own = _stage_arguments(arguments, stage, folder, before)
            settings = replace(
                stage.training,
                batch_size=stage.training.batch_size * fabric.world_size,
                precision=arguments.precision,
                trained_on=describe_data(own),
            )
            if not train(own, settings, fabric, deadline):
                return False
            # A stage that is done is not resumed, and its checkpoint is by far the largest of its files.
            together(fabric, lambda folder=folder: (folder / CHECKPOINT).unlink(missing_ok=True), alone=True)
        together(fabric, lambda: _finish(arguments.output, weights, recipe), alone=True)
        return True

    in_pieces(fabric, arguments.output, deadline, work)
    return 0


def _finish(folder: Path, weights: Path, recipe: "Recipe") -> None:
    """The last stage's weights as the run's, with the recipe in their header."""
    from inference_core.networks.weights_io import load_weights, save_weights

    network, info = load_weights(weights)
    about = {"architecture": info.architecture, **info.metadata}
    path = folder / WEIGHTS
    save_weights(path, network, about | {"recipe": recipe.name, "recipe_fingerprint": recipe.fingerprint})
    print(f"Weights of the recipe {recipe.name}: {path}", flush=True)
