"""Training steps of the lambda = 0 stage: through the plain network and through the folded pass."""

from collections.abc import Callable
from copy import deepcopy

import torch

from inference_core.benchmarking.forward import random_images
from inference_core.benchmarking.timing import Samples, paired
from inference_core.engine.folded_network import FoldedNetwork
from inference_core.networks import MultiEncoderUNet
from inference_core.training.losses import reconstruction_loss


def _step(network: MultiEncoderUNet, folded: bool, batch: int, device: str, bf16: bool) -> Callable[[], None]:
    network = deepcopy(network).to(device).train()
    forward = FoldedNetwork(network) if folded else network
    optimizer = torch.optim.Adam(network.parameters(), 1e-4, betas=(0.5, 0.9))
    images = random_images(device, batch)
    target = torch.rand(batch, 1, 64, 64, generator=torch.Generator().manual_seed(1)).to(device)
    mask = torch.ones_like(target)

    def step() -> None:
        with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=bf16):
            output = forward(*images, 20, 0, 0.0)
            loss = reconstruction_loss(output, target, mask)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def measure_training(network: MultiEncoderUNet, device: str, batch: int, rounds: int) -> dict[str, Samples]:
    """Times of forward, reconstruction loss, backward and Adam's step; the loss and optimizer are the same for all.

    Args:
        network: on the CPU; left as it is.
        device: as torch names it.
        batch: slices of a step.
        rounds: turns of each.
    """
    candidates = {
        "plain network": _step(network, False, batch, device, bf16=False),
        "folded": _step(network, True, batch, device, bf16=False),
    }
    if device.startswith("cuda"):
        candidates["folded, bf16-mixed"] = _step(network, True, batch, device, bf16=True)
    return paired(candidates, rounds, device, block=3)
