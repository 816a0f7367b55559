"""The paper's networks, by name."""

from torch import nn

from inference_core.errors import InputError
from inference_core.networks.conditioning import FilterScalingWithMetabolite, SharpnessNorm
from inference_core.networks.discriminator import Discriminator
from inference_core.networks.unet import MultiEncoderUNet

_NETWORKS = {
    "multi-conditional": lambda: MultiEncoderUNet(FilterScalingWithMetabolite, SharpnessNorm),
}

#: Names that `create_network` takes.
NETWORKS = tuple(_NETWORKS)

__all__ = ["NETWORKS", "Discriminator", "MultiEncoderUNet", "count_parameters", "create_network"]


def create_network(name: str) -> MultiEncoderUNet:
    """An untrained network; its weights come from torch's global random generator.

    Args:
        name: one of `NETWORKS`. "multi-conditional" is conditioned on n, the metabolite and lambda.

    Raises:
        InputError: for an unknown name.
    """
    if name not in _NETWORKS:
        raise InputError(f"Unknown network '{name}': choose one of {', '.join(NETWORKS)}.")
    return _NETWORKS[name]()


def count_parameters(network: nn.Module) -> int:
    """How many parameters a network has."""
    return sum(parameter.numel() for parameter in network.parameters())
