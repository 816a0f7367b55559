"""A training run's settings."""

from dataclasses import asdict, dataclass
from typing import Any

from inference_core.errors import InputError
from inference_core.research.data.batch_options import BatchOptions
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX, TRAINED_RESOLUTIONS

SCHEDULES = ("halving", "cosine")
#: The smallest n that an input may have.
_COARSEST = 4


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(own) for name, own in value.items()}
    return [_plain(own) for own in value] if isinstance(value, tuple) else value


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(BatchOptions):
    """Settings of a training run, those of its batches included; the defaults are the paper's (Sec. 3.2).

    Attributes:
        steps: generator steps.
        batch_size: slices a batch, over all processes.
        learning_rate: Adam's, at the start, of the network.
        critic_learning_rate: Adam's, of the discriminator.
        conditioning_rate: factor on the learning rate of the parts that sharpness alone drives.
        betas: Adam's.
        schedule: "halving" every 40 % of the steps (40 of 100 epochs), or "cosine" down to 0.
        warm_up: steps over which the learning rate grows from 0.
        gradient_clip: largest norm of the network's gradient; None for any.
        network: one of `inference_core.networks.NETWORKS`.
        adversarial: whether the discriminator takes part. Without it lambda has no effect, and so it must not with a
            network that is not conditioned on lambda.
        critic_steps: discriminator steps before each generator step.
        critic_warm_up: discriminator steps before the first generator step.
        averaging: decay of the running average of the weights that is written out; 0 for none.
        anchored: whether the weights that are written give, at lambda = 0, the network that training started from, so
            that only the response to lambda is learned; see `anchoring`.
        precision: one of `inference_core.research.training.launch.PRECISIONS`.
        seed: of the weights and of all batches.
        resolutions: the input resolutions n to train on.
        trained_on: what data, in words.
    """

    steps: int
    batch_size: int = 8
    learning_rate: float = 1e-4
    critic_learning_rate: float = 1e-4
    conditioning_rate: float = 1.0
    betas: tuple[float, float] = (0.5, 0.9)
    schedule: str = "halving"
    warm_up: int = 0
    gradient_clip: float | None = None
    network: str = "multi-conditional"
    adversarial: bool = True
    critic_steps: int = 5
    critic_warm_up: int = 0
    averaging: float = 0.0
    anchored: bool = False
    precision: str = "32-true"
    seed: int = 0
    resolutions: tuple[int, ...] = TRAINED_RESOLUTIONS
    trained_on: str = ""

    def __post_init__(self):
        """Refuse what can't be trained with."""
        if self.schedule not in SCHEDULES:
            raise InputError(f"Unknown schedule '{self.schedule}': choose one of {', '.join(SCHEDULES)}.")
        if not 0 <= self.averaging < 1:
            raise InputError(f"Setting averaging is {self.averaging}: it is a decay, from 0 to less than 1.")
        for name in ("seed", "warm_up", "critic_warm_up", "conditioning_rate"):
            if getattr(self, name) < 0:
                raise InputError(f"Setting {name} is {getattr(self, name)}: it must be at least 0.")
        for n in self.resolutions or (0,):
            if not _COARSEST <= n <= SUPER_RESOLVED_MATRIX:
                raise InputError(
                    f"Setting resolutions holds {n}: it lists n from {_COARSEST} to {SUPER_RESOLVED_MATRIX}."
                )
        if self.anchored and not self.adversarial:
            raise InputError("Setting anchored leaves only the response to lambda, which needs adversarial = true.")
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise InputError(f"Setting gradient_clip is {self.gradient_clip}: it must be greater than 0.")
        for name in ("steps", "batch_size", "critic_steps", "learning_rate", "critic_learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"Setting {name} is {getattr(self, name)}: it must be greater than 0.")
        super().__post_init__()

    def as_dict(self) -> dict:
        """Plain values, as written into checkpoints and compared on resuming."""
        return _plain(asdict(self))
