"""The methods that are compared: the paper's networks, and what needs no training."""

from dataclasses import dataclass

from inference_core.errors import InputError
from inference_core.terms.conditions import TRAINED_RESOLUTIONS


@dataclass(frozen=True)
class TrainedMethod:
    """One row of the paper's Table 1.

    Attributes:
        name: to choose it by.
        title: in tables, as the paper calls it.
        network: for `create_network`.
        single_scale: whether each n has a network of its own.
        adversarial: whether it trains against the discriminator.
        paper: PSNR in dB, SSIM, training time in hours and millions of parameters that the paper gives, if it does.
    """

    name: str
    title: str
    network: str
    single_scale: bool = False
    adversarial: bool = False
    paper: tuple[str, str, str, str] | None = None

    @property
    def resolutions(self) -> list[tuple[int, ...]]:
        """For each of its networks, the n that it is trained on."""
        return [(n,) for n in TRAINED_RESOLUTIONS] if self.single_scale else [TRAINED_RESOLUTIONS]


_ALL = (
    TrainedMethod(
        "single-scale", "Single-scale", "unconditioned", True,
        paper=("30.81 ± 2.90", "0.9473 ± 0.0237", "14.4", "8.7"),
    ),
    TrainedMethod(
        "unconditioned", "Unconditioned", "unconditioned", paper=("30.65 ± 2.82", "0.9458 ± 0.0244", "1.6", "1.0")
    ),
    TrainedMethod("amlayer", "AMLayer", "amlayer", paper=("30.70 ± 2.86", "0.9462 ± 0.0242", "1.9", "1.5")),
    TrainedMethod(
        "hypernetworks", "Hypernetworks", "hypernetworks", paper=("30.78 ± 2.88", "0.9471 ± 0.0240", "1.7", "26")
    ),
    TrainedMethod(
        "filter-scaling", "Filter Scaling", "filter-scaling", paper=("30.81 ± 2.91", "0.9474 ± 0.0238", "1.7", "3.9")
    ),
    TrainedMethod(
        "filter-scaling-met", "Filter Scaling with Met", "filter-scaling-met",
        paper=("30.86 ± 2.92", "0.9477 ± 0.0240", "1.8", "6.9"),
    ),
    TrainedMethod("multi-conditional", "Multi-conditional (λ = 0)", "multi-conditional", adversarial=True),
)  # fmt: skip

#: By name, in the order of the table.
TRAINED_METHODS = {method.name: method for method in _ALL}


def untrained_methods() -> dict:
    """What needs no training, by title: functions from a batch to maps."""
    from inference_core.research.evaluation.anatomical import anatomical_regularisation
    from inference_core.research.evaluation.methods import bicubic, zero_filling

    return {
        "Zero-filling": zero_filling,
        "Bicubic": bicubic,
        "Anatomical regularisation": anatomical_regularisation,
    }


def choose_methods(names: list[str] | None) -> list[TrainedMethod]:
    """The methods to train, in the table's order; all if None.

    Raises:
        InputError: for an unknown name.
    """
    unknown = [name for name in names or [] if name not in TRAINED_METHODS]
    if unknown:
        raise InputError(f"Unknown method '{unknown[0]}': choose from {', '.join(TRAINED_METHODS)}.")
    return [method for name, method in TRAINED_METHODS.items() if names is None or name in names]
