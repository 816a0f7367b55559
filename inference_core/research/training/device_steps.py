"""Training steps that never wait for the host: batch, critic, network and optimisers as one CUDA graph.

On a GPU a step of PyTorch's operations, one by one, waits for their launches. Here a step reads its number from a
tensor, makes its batches from it, and writes its losses into a table that the host reads every so many steps; so it can
be recorded once and launched as a whole. The same code runs on a CPU, operation by operation, for tests.

What may be in a recorded step: nothing that reads a tensor's value, makes a tensor from Python numbers or has a shape
that depends on values; so no `torch.prod` (its gradient looks for zeros), no indexing by a tensor without dimensions,
no optimiser that counts on the host.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from inference_core.engine.cuda_graph import recorded
from inference_core.engine.folded_network import FoldedNetwork
from inference_core.engine.fusing import fused
from inference_core.networks import Discriminator
from inference_core.networks.unet import upsample_map
from inference_core.research.data.acquisition import consistent
from inference_core.research.data.example_source import example_source
from inference_core.research.data.training_batches import DeviceBatch, TrainingBatches
from inference_core.research.training.losses import critic_loss, generator_adversarial_loss, reconstruction_loss
from inference_core.research.training.schedule import CRITIC_OFFSET, critic_steps, learning_rate_factor
from inference_core.research.training.settings import TrainingSettings

#: Steps whose losses the device keeps before the host reads them.
WINDOW = 64
_AUTOCAST = {"bf16-mixed": torch.bfloat16}


def make_adam(groups: Sequence[dict], device: torch.device, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam whose learning rates are tensors and whose steps a CUDA graph can record.

    Args:
        groups: with "params" and "lr".
        device: of the parameters.
        betas: Adam's.
    """
    groups = [group | {"lr": torch.tensor(float(group["lr"]), device=device)} for group in groups]
    return torch.optim.Adam(groups, betas=betas, capturable=device.type == "cuda", fused=True)


class DeviceSteps:
    """Steps of a training, on one device in one process.

    Args:
        forward: the network's.
        optimizer: the network's, from `make_adam`; "base" in its groups is the learning rate at the start.
        batches: to train on.
        settings: how; not in precision 16-mixed, whose loss scaling waits for the host.
        critic: the discriminator, or None.
        critic_optimizer: its own, from `make_adam`.
        average: the running average of the network's weights, or None.
        record: makes a function of no arguments that repeats the one given; CUDA graphs do on a GPU.
    """

    def __init__(
        self,
        forward: FoldedNetwork,
        optimizer: torch.optim.Optimizer,
        batches: TrainingBatches,
        settings: TrainingSettings,
        critic: Discriminator | None = None,
        critic_optimizer: torch.optim.Optimizer | None = None,
        average: AveragedModel | None = None,
        record: Callable[[Callable[[], None], torch.device], Callable[[], None]] | None = None,
    ):
        self._forward, self._optimizer, self._batches, self._settings = forward, optimizer, batches, settings
        self._critic, self._critic_optimizer, self._average = critic, critic_optimizer, average
        self.device = device = batches.device
        self._record = record or (recorded if device.type == "cuda" else None)
        self._whole: Callable[[], None] | None = None
        self._step, self._critic_index = (torch.zeros(1, dtype=torch.int64, device=device) for _ in range(2))
        factors = [learning_rate_factor(step, settings) for step in range(settings.steps)]
        self._factors = torch.tensor(factors, device=device)
        self._source = example_source(batches, 1 + (settings.critic_steps if critic else 0))
        self._make = fused(self._made) if device.type == "cuda" else self._made
        self._figures = ["loss", "reconstruction"]
        self._figures += ["gradient"] if settings.gradient_clip is not None else []
        self._figures += ["adversarial", "distance", "lambda"] if critic else []
        self._table = torch.zeros(WINDOW, len(self._figures), device=device)
        self._distance = torch.zeros((), device=device)

    def run(self, first: int, count: int) -> list[dict[str, float]]:
        """Do `count` steps, at most `WINDOW`, from step `first` on; returns their losses, which waits for the GPU."""
        for step in range(first, first + count):
            if step in (first, 1):
                self._step.fill_(step)
                self._critic_index.fill_(critic_steps(step, self._settings).start if self._critic else 0)
            if step == 0:
                # It warms the critic up and starts the average, which no other step does.
                self._first_step()
                continue
            self._send(step)
            if self._whole is None:
                self._whole = self._recorded()
            self._whole()
        rows = self._table[[step % WINDOW for step in range(first, first + count)]].tolist()
        return [{"step": first + index} | dict(zip(self._figures, row, strict=True)) for index, row in enumerate(rows)]

    def close(self) -> None:
        """End what works ahead."""
        self._source.close()

    def _numbers(self, step: int) -> list[int]:
        own = [CRITIC_OFFSET + index for index in critic_steps(step, self._settings)] if self._critic else []
        return [*own, step]

    def _send(self, step: int) -> None:
        following = self._numbers(step + 1) if step + 1 < self._settings.steps else []
        self._source.send(self._numbers(step), following)

    def _first_step(self) -> None:
        *critic, own = self._numbers(0)
        for number in critic:
            self._source.send([number], [])
            self._critic_step(0)
        self._source.send([own], [])
        self._network_step(0, first=True)

    def whole_step(self) -> None:
        """What is recorded: the critic's steps and the network's."""
        count = self._settings.critic_steps if self._critic else 0
        for place in range(count):
            self._critic_step(place)
        self._network_step(count)

    def _recorded(self) -> Callable[[], None]:
        if self._record is None:
            return self.whole_step
        kept = [tensor.clone() for tensor in self._state()]

        def restore() -> None:
            with torch.no_grad():
                for tensor, value in zip(self._state(), kept, strict=True):
                    tensor.copy_(value)

        whole = self._record(self.whole_step, self.device)
        # The steps before the recording changed what is trained.
        restore()
        return whole

    def _state(self) -> list[Tensor]:
        """All tensors that a step changes and the next one reads."""
        modules = [self._forward, *(module for module in (self._critic, self._average) if module is not None)]
        tensors = [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
        for optimizer in filter(None, (self._optimizer, self._critic_optimizer)):
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    # A step before the first one has no moments yet; 0 is what they start from.
                    tensors += [v for _, v in sorted(optimizer.state[parameter].items()) if isinstance(v, Tensor)]
        return [*tensors, self._step, self._critic_index, self._table]

    def _autocast(self) -> AbstractContextManager:
        dtype = _AUTOCAST.get(self._settings.precision)
        if dtype is None:
            return nullcontext()
        # Weights cast once and kept would be those of the recording.
        return torch.autocast(self.device.type, dtype, cache_enabled=False)

    def _made(self, number: Tensor, place: int) -> DeviceBatch:
        choice = self._batches.choose(number)
        return self._batches.make(number, choice, self._source.take(place, choice))

    def _output(self, batch: DeviceBatch, upsampled: Tensor) -> Tensor:
        proposed = self._forward.propose(upsampled, batch.t1, batch.flair, batch.condition).float()
        return consistent(proposed, batch.zero_filled, batch.central) * batch.mask

    def _descend(
        self, loss: Tensor, optimizer: torch.optim.Optimizer, factor: Tensor, clip: float | None = None
    ) -> Tensor | None:
        """A step of the optimiser; returns the gradient's norm if it is clipped."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for parameter, gradient in zip(
            parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True
        ):
            parameter.grad = gradient
        norm = None
        if clip is not None:
            norm = nn.utils.clip_grad_norm_(parameters, clip, error_if_nonfinite=False)
        for group in optimizer.param_groups:
            torch.mul(factor, group["base"], out=group["lr"])
        optimizer.step()
        return norm

    def _critic_step(self, place: int) -> None:
        number = self._critic_index + CRITIC_OFFSET
        batch = self._make(number, place)
        upsampled = upsample_map(batch.zero_filled.abs())
        with self._autocast():
            with torch.no_grad():
                output = self._output(batch, upsampled)
            loss, self._distance = critic_loss(
                self._critic, batch.t1, batch.flair, upsampled, output, batch.target, self._batches.mixed(number)
            )
        factor = self._factors.index_select(0, self._step)[0]
        self._descend(loss, self._critic_optimizer, factor.clamp(max=1))
        self._critic_index += 1

    def _network_step(self, place: int, first: bool = False) -> None:
        batch = self._make(self._step, place)
        upsampled = upsample_map(batch.zero_filled.abs())
        with self._autocast():
            output = self._output(batch, upsampled)
            loss = reconstruction = reconstruction_loss(output, batch.target, batch.mask)
            adversarial = None
            if self._critic is not None:
                adversarial = generator_adversarial_loss(self._critic, batch.t1, batch.flair, upsampled, output)
                loss = reconstruction + batch.sharpness * adversarial
        factor = self._factors.index_select(0, self._step)[0]
        norm = self._descend(loss, self._optimizer, factor, self._settings.gradient_clip)
        if self._average is not None:
            self._follow(first)
        figures = [loss, reconstruction, norm, adversarial]
        figures += [self._distance, batch.sharpness] if self._critic is not None else []
        row = torch.stack([figure.detach().float() for figure in figures if figure is not None])
        self._table.index_copy_(0, self._step % WINDOW, row[None])
        self._step += 1

    @torch.no_grad()
    def _follow(self, first: bool) -> None:
        """Move the running average, as `AveragedModel.update_parameters` does, which looks at its count on the host."""
        average, own = list(self._average.module.parameters()), list(self._forward.network.parameters())
        if first:
            for follower, parameter in zip(average, own, strict=True):
                follower.copy_(parameter)
        else:
            torch._foreach_lerp_(average, own, 1 - self._settings.averaging)
        self._average.n_averaged += 1
