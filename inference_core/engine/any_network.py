"""The engine's interface for networks that it can't rearrange."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class KeptInputs:
    """What `AnyNetwork.finish` calls the network with, but lambda."""

    inputs: tuple

    @property
    def bytes(self) -> int:
        """Memory that the tensors take."""
        return sum(part.numel() * part.element_size() for part in self.inputs if isinstance(part, Tensor))


class AnyNetwork:
    """Calls a network as it is.

    Args:
        network: called as `network(low_resolution, t1, flair, n, metabolite, sharpness)`; moved to `device`.
        device: as torch names it.
    """

    runtime = "pytorch"
    #: What comes before the network's output is not known.
    proposes = False

    def __init__(self, network: nn.Module, device: str):
        self.network = network.to(device).eval()

    def keep(self, *inputs) -> KeptInputs:
        """All arguments of the network but lambda."""
        return KeptInputs(inputs)

    @torch.inference_mode()
    def finish(self, kept: KeptInputs, sharpness: float) -> Tensor:
        """The network's output."""
        return self.network(*kept.inputs, sharpness)

    def propose(self, kept: KeptInputs, sharpness: float) -> Tensor:
        """The network's output: there is nothing before it."""
        return self.finish(kept, sharpness)
