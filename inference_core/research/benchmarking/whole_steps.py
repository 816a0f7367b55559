"""Whole training steps, batch included, as `train` does them on a device: recorded as a CUDA graph on a GPU."""

import itertools
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch

from inference_core.engine.folded_network import FoldedNetwork
from inference_core.networks import Discriminator, MultiEncoderUNet
from inference_core.research.benchmarking.timing import Samples, paired
from inference_core.research.data.batch_options import BatchOptions
from inference_core.research.data.slice_set import SliceSet
from inference_core.research.data.training_batches import TrainingBatches
from inference_core.research.recipes.recipe import read_recipe
from inference_core.research.training.device_steps import DeviceSteps, make_adam
from inference_core.research.training.settings import TrainingSettings
from inference_core.terms.conditions import METABOLITES, MRI_MATRIX, MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

#: Slices to draw from, and steps between two looks at the losses.
_SLICES = 16
_STEPS = {"cpu": 1, "cuda": 32}
_RATE, _BETAS = 1e-4, (0.5, 0.9)
_CRITIC_STEPS = 2
#: More than are timed: learning rates are laid out for all of them.
_PLANNED = 100_000


def _slices() -> SliceSet:
    """Random slices of a round brain."""
    random = np.random.default_rng(1)

    def inside(side: int) -> np.ndarray:
        at = (np.arange(side) - side / 2 + 0.5) / side
        return at[:, None] ** 2 + at**2 < 0.16

    mri = (_SLICES, MRI_MATRIX, MRI_MATRIX, MRI_UPSAMPLING)
    t1, flair = (
        (random.uniform(0.3, 1.0, mri) * inside(MRI_MATRIX)[None, :, :, None]).astype(np.float16) for _ in range(2)
    )
    brain = inside(SUPER_RESOLVED_MATRIX)
    maps = random.uniform(0.5, 1.5, (len(METABOLITES), _SLICES, *brain.shape)).astype(np.float32) * brain
    return SliceSet(t1, flair, maps, maps, np.broadcast_to(brain, maps.shape).copy(), np.arange(_SLICES))


def _batches(device: str, size: int, options: BatchOptions | None = None) -> TrainingBatches:
    return TrainingBatches(_slices(), size, 0, options or BatchOptions(redrawn=0.5), device=device)


def _steps(network: MultiEncoderUNet, device: str, size: int, precision: str, adversarial: bool) -> DeviceSteps:
    settings = TrainingSettings(
        steps=_PLANNED, batch_size=size, precision=precision, adversarial=adversarial, critic_steps=_CRITIC_STEPS
    )
    own = deepcopy(network).to(device).train().requires_grad_(True)
    target = torch.device(device)

    def adam(module: torch.nn.Module) -> torch.optim.Optimizer:
        return make_adam([{"params": list(module.parameters()), "lr": _RATE, "base": _RATE}], target, _BETAS)

    critic = Discriminator().to(device) if adversarial else None
    return DeviceSteps(
        FoldedNetwork(own), adam(own), _batches(device, size), settings, critic, adam(critic) if critic else None
    )


def measure_whole_steps(
    network: MultiEncoderUNet, device: str, size: int, precision: str, rounds: int
) -> dict[str, Samples]:
    """Times of steps with their batches, and of making a batch alone, in turns; and one as the default recipe has it.

    Args:
        network: on the CPU; left as it is.
        device: as torch names it.
        size: slices of a step.
        precision: as `TrainingSettings`, but not 16-mixed.
        rounds: turns of each.
    """
    count = _STEPS.get(device.partition(":")[0], 1)

    def stepping(steps: DeviceSteps) -> Callable[[], None]:
        done = 0

        def run() -> None:
            nonlocal done
            steps.run(done, count)
            done += count

        run()  # The first one records.
        return run

    def making(batches: TrainingBatches) -> Callable[[], None]:
        numbers = itertools.count()
        return lambda: [batches.batch(number) for number in itertools.islice(numbers, count)]

    own = {
        "whole step, lambda = 0": _steps(network, device, size, precision, False),
        f"whole step, {_CRITIC_STEPS} critic steps": _steps(network, device, size, precision, True),
    }
    try:
        candidates = {name: stepping(steps) for name, steps in own.items()}
        broad = read_recipe("default").stages[0].training
        candidates["a batch alone"] = making(_batches(device, size))
        candidates["a batch of the default recipe's"] = making(_batches(device, size, broad))
        times = paired(candidates, rounds, device, block=2)
    finally:
        for steps in own.values():
            steps.close()
    return {name: Samples(tuple(s / count for s in samples.seconds)) for name, samples in times.items()}
