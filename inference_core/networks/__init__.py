"""The paper's networks, by name."""

from torch import nn

from inference_core.errors import InputError
from inference_core.networks.discriminator import Discriminator
from inference_core.networks.filter_conditioners import (
    FilterScaling,
    FilterScalingWithMetabolite,
    FixedFilters,
    PredictedFilters,
)
from inference_core.networks.norm_conditioners import AMNorm, PlainNorm, SharpnessNorm
from inference_core.networks.unet import MultiEncoderUNet

_Filters = type[FixedFilters | FilterScaling | FilterScalingWithMetabolite | PredictedFilters]
_Norms = type[PlainNorm | AMNorm | SharpnessNorm]
#: The parts that tell the methods of the paper's Table 1 apart, in its order, and those of the full method.
_PARTS: dict[str, tuple[_Filters, _Norms]] = {
    "unconditioned": (FixedFilters, PlainNorm),
    "amlayer": (FixedFilters, AMNorm),
    "hypernetworks": (PredictedFilters, PlainNorm),
    "filter-scaling": (FilterScaling, PlainNorm),
    "filter-scaling-met": (FilterScalingWithMetabolite, PlainNorm),
    "multi-conditional": (FilterScalingWithMetabolite, SharpnessNorm),
}

#: Names that `create_network` takes.
NETWORKS = tuple(_PARTS)

__all__ = ["NETWORKS", "Discriminator", "MultiEncoderUNet", "count_parameters", "create_network", "responds_to"]


def _parts(name: str) -> tuple[_Filters, _Norms]:
    if name not in _PARTS:
        raise InputError(f"Unknown network '{name}': choose one of {', '.join(NETWORKS)}.")
    return _PARTS[name]


def create_network(name: str) -> MultiEncoderUNet:
    """An untrained network; its weights come from torch's global random generator.

    Args:
        name: one of `NETWORKS`: "unconditioned" (also the single-scale networks, each trained on one n), "amlayer",
            "hypernetworks" and "filter-scaling" (conditioned on n), "filter-scaling-met" (n and the metabolite), and
            "multi-conditional" (n, the metabolite and lambda).

    Raises:
        InputError: for an unknown name.
    """
    return MultiEncoderUNet(*_parts(name))


def responds_to(name: str) -> frozenset[str]:
    """Which of "resolution", "metabolite" and "sharpness" a network is conditioned on.

    Raises:
        InputError: for an unknown name.
    """
    return frozenset().union(*(part.conditions for part in _parts(name)))


def count_parameters(network: nn.Module) -> int:
    """How many parameters a network has."""
    return sum(parameter.numel() for parameter in network.parameters())
