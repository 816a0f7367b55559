"""The schedule: learning rates, and which batches each step takes."""

import math
from collections.abc import Iterator

from inference_core.research.training.settings import TrainingSettings

#: The paper halves the learning rate every 40 of its 100 epochs.
_HALVING = 0.4
#: Batches of the critic come from steps of their own, far from the generator's.
CRITIC_OFFSET = 1 << 32


def learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    """What the learning rate of `step` is multiplied by."""
    warm = min(1.0, (step + 1) / settings.warm_up) if settings.warm_up else 1.0
    progress = step / settings.steps
    if settings.schedule == "cosine":
        return warm * 0.5 * (1 + math.cos(math.pi * progress))
    return warm * 0.5 ** math.floor(progress / _HALVING)


def critic_steps(step: int, settings: TrainingSettings) -> range:
    """The critic's steps before generator step `step`, counted from the run's start; none without a critic."""
    if not settings.adversarial:
        return range(0)
    # The critic is warmed up before the first step instead of its usual steps there.
    first = settings.critic_warm_up + (step - 1) * settings.critic_steps if step else 0
    count = settings.critic_steps if step else max(1, settings.critic_warm_up)
    return range(first, first + count)


def batch_steps(first: int, settings: TrainingSettings) -> Iterator[int]:
    """What `TrainingBatches.batch` is asked for from generator step `first` to the last one, in order of use."""
    for step in range(first, settings.steps):
        yield from (CRITIC_OFFSET + index for index in critic_steps(step, settings))
        yield step
