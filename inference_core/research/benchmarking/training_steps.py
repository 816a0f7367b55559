"""Training steps through the plain network and through the folded pass, driven as the trainer drives them."""

from collections.abc import Callable
from copy import deepcopy

import torch

from inference_core.engine.folded_network import FoldedNetwork
from inference_core.networks import Discriminator, MultiEncoderUNet
from inference_core.networks.unet import upsample_map
from inference_core.research.benchmarking.forward import random_images
from inference_core.research.benchmarking.timing import Samples, paired
from inference_core.research.data.batches import Batch
from inference_core.research.training.launch import make_fabric
from inference_core.research.training.objectives import CriticObjective, NetworkObjective

_RATE, _BETAS = 1e-4, (0.5, 0.9)


def _batch(device: str, size: int, sharpness: float) -> Batch:
    target = torch.rand(size, 1, 64, 64, generator=torch.Generator().manual_seed(1)).to(device)
    return Batch(*random_images(device, size), target, torch.ones_like(target), n=20, metabolite=0, sharpness=sharpness)


def _step(
    network: MultiEncoderUNet, folded: bool, device: str, size: int, precision: str, adversarial: bool = False
) -> Callable[[], None]:
    """Forward, loss, backward and Adam's step of the network, alone or with the critic's judgement."""
    fabric = make_fabric(device, precision=precision)[0]
    network = deepcopy(network).train().requires_grad_(True)
    adam = torch.optim.Adam(network.parameters(), _RATE, betas=_BETAS)
    objective, optimizer = fabric.setup(NetworkObjective(FoldedNetwork(network) if folded else network), adam)
    batch = _batch(device, size, sharpness=0.05 if adversarial else 0.0)
    critic = Discriminator().to(device) if adversarial else None

    def step() -> None:
        upsampled = upsample_map(batch.zero_filled()) if adversarial else None
        loss = objective(**vars(batch), upsampled=upsampled, critic=critic)[0]
        adam.zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimizer.step()

    return step


def _critic_step(network: MultiEncoderUNet, device: str, size: int) -> Callable[[], None]:
    """The folded pass, the critic's loss with its gradient penalty, backward and Adam's step of the critic."""
    fabric = make_fabric(device)[0]
    forward = FoldedNetwork(deepcopy(network).to(device).train())
    critic = Discriminator().to(device)
    adam = torch.optim.Adam(critic.parameters(), _RATE, betas=_BETAS)
    objective, optimizer = fabric.setup(CriticObjective(critic), adam)
    batch = _batch(device, size, sharpness=0.05)
    mixing = torch.full((size, 1, 1, 1), 0.5, device=device)

    def step() -> None:
        with torch.no_grad():
            output = forward(batch.low_resolution, batch.t1, batch.flair, batch.n, batch.metabolite, batch.sharpness)
        upsampled = upsample_map(batch.zero_filled())
        loss = objective(batch.t1, batch.flair, upsampled, output * batch.mask, batch.target, mixing)[0]
        adam.zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimizer.step()

    return step


def fastest_precision(device: str) -> str:
    """What whole steps compute in: bf16-mixed on a GPU that has it, else single precision."""
    mixed = _mixed_precision(device)
    return mixed if mixed == "bf16-mixed" else "32-true"


def _mixed_precision(device: str) -> str | None:
    """What a GPU computes training in fastest; None for other devices."""
    if not device.startswith("cuda"):
        return None
    return "bf16-mixed" if torch.cuda.get_device_capability(device) >= (8, 0) else "16-mixed"


def measure_training(network: MultiEncoderUNet, device: str, batch: int, rounds: int) -> dict[str, Samples]:
    """Times of steps at lambda = 0 without the discriminator, in turns, and of the folded pass's steps with it.

    Args:
        network: on the CPU; left as it is.
        device: as torch names it.
        batch: slices of a step.
        rounds: turns of each step without the discriminator; those with it are measured once.
    """
    candidates = {
        "plain network": _step(network, False, device, batch, "32-true"),
        "folded": _step(network, True, device, batch, "32-true"),
    }
    if mixed := _mixed_precision(device):
        candidates[f"folded, {mixed}"] = _step(network, True, device, batch, mixed)
    times = paired(candidates, rounds, device, block=3)
    adversarial = {
        "folded, against the critic": _step(network, True, device, batch, "32-true", adversarial=True),
        "the critic's own step": _critic_step(network, device, batch),
    }
    return times | paired(adversarial, 1, device, block=2)
