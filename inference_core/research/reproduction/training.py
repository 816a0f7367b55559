"""Training one network of one fold, with the paper's settings."""

import json
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from inference_core.files.atomic import write_file
from inference_core.files.folders import make_folders
from inference_core.research.reproduction.methods import TrainedMethod
from inference_core.research.reproduction.plan import BATCH_SIZE
from inference_core.research.reproduction.study import Study
from inference_core.research.training.checkpoints import CHECKPOINT

_CHECKPOINT_EVERY = 1000
#: Files in a network's folder: its seconds and its steps so far.
_SECONDS, _STEPS = "seconds.json", "steps.json"
#: Steps that a step's duration is measured on; the first ones are slower.
_TIMED = 3


def _trainer(study: Study, method: TrainedMethod, resolutions: Sequence[int], slices, steps: int, folder: Path):
    import torch

    from inference_core.networks import create_network
    from inference_core.research.data.training_batches import TrainingBatches
    from inference_core.research.training.launch import make_fabric
    from inference_core.research.training.settings import TrainingSettings
    from inference_core.research.training.trainer import Trainer

    settings = TrainingSettings(
        steps=steps,
        batch_size=BATCH_SIZE,
        network=method.network,
        adversarial=method.adversarial,
        resolutions=tuple(resolutions),
        seed=study.plan.seed,
        trained_on=study.plan.patients,
    )
    make_folders(folder)
    torch.manual_seed(study.plan.seed)
    network = create_network(method.network)
    batches = TrainingBatches(slices, BATCH_SIZE, settings.seed, settings, settings.resolutions)
    return Trainer(network, batches, settings, folder, make_fabric(study.device)[0]), settings


def train_network(
    study: Study,
    method: TrainedMethod,
    resolutions: Sequence[int],
    fold: int,
    progress: Callable[[int, int], None] = lambda done, steps: None,
) -> Path | None:
    """Train a network, or go on where an earlier call ended; returns its weights, or None if time ended before.

    Args:
        study: the run.
        method: whose network.
        resolutions: n that it is trained on.
        fold: counted from 0.
        progress: is called with the steps that are done, and all.
    """
    from inference_core.networks.weights_io import save_weights

    folder = study.network_folder(method.name, resolutions, fold)
    weights = folder / "weights.safetensors"
    if weights.exists():
        return weights
    steps = study.plan.steps
    trainer, settings = _trainer(study, method, resolutions, study.stored(study.folds[fold].train), steps, folder)
    before, start = training_seconds(folder), time.monotonic()
    try:
        stop = study.out_of_time if study.until is not None else None
        network = trainer.run(_CHECKPOINT_EVERY, lambda record: progress(record["step"] + 1, steps), stop=stop)
    finally:
        write_file(folder / _SECONDS, json.dumps(before + time.monotonic() - start))
        write_file(folder / _STEPS, json.dumps(trainer.step))
    if trainer.step < steps:
        return None
    save_weights(
        weights,
        network,
        {"architecture": method.network} | {name: str(value) for name, value in settings.as_dict().items()},
    )
    # What is done is not resumed, and its checkpoint is by far the largest of its files.
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return weights


def training_seconds(folder: Path) -> float:
    """How long a network has been trained so far, in all calls."""
    return _kept(folder / _SECONDS, 0.0)


def training_steps(folder: Path) -> int:
    """How many of a network's steps are done."""
    return _kept(folder / _STEPS, 0)


def _kept(path: Path, otherwise):
    return json.loads(path.read_text()) if path.exists() else otherwise


def measure_step(study: Study, method: TrainedMethod, slices, folder: Path) -> float:
    """Seconds of one training step of a method's network.

    Args:
        study: for the device; its plan's folds and steps play no part.
        method: whose network.
        slices: to train on.
        folder: for the short run; empty.
    """
    trainer, _ = _trainer(study, method, method.resolutions[0], slices, _TIMED, folder)
    times = [time.monotonic()]
    trainer.run(_TIMED + 1, lambda record: times.append(time.monotonic()))
    return min(later - earlier for earlier, later in pairwise(times))
