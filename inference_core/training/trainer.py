"""Training of a network, alone or against the discriminator (paper, Sec. 2.3 and 3.2)."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from inference_core.data.batches import Batch, TrainingBatches
from inference_core.engine.folded_network import FoldedNetwork
from inference_core.networks import Discriminator, MultiEncoderUNet
from inference_core.networks.conditioning import SharpnessNorm
from inference_core.networks.unet import upsample_map
from inference_core.training.checkpoints import load_checkpoint, rewind_log, save_checkpoint
from inference_core.training.losses import critic_loss, generator_adversarial_loss, reconstruction_loss
from inference_core.training.settings import TrainingSettings

#: The paper halves the learning rate every 40 of its 100 epochs.
_HALVING = 0.4
#: Batches of the critic come from steps of their own, far from the generator's.
_CRITIC_OFFSET = 1 << 32


def learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    """What the learning rate of `step` is multiplied by."""
    warm = min(1.0, (step + 1) / settings.warm_up) if settings.warm_up else 1.0
    progress = step / settings.steps
    if settings.schedule == "cosine":
        return warm * 0.5 * (1 + math.cos(math.pi * progress))
    return warm * 0.5 ** math.floor(progress / _HALVING)


def _parameter_groups(network: nn.Module, settings: TrainingSettings) -> list[dict]:
    """The network's parameters, those that sharpness alone drives apart."""
    conditioning = [p for m in network.modules() if isinstance(m, SharpnessNorm) for p in m.parameters()]
    own = {id(p) for p in conditioning}
    rest = [p for p in network.parameters() if id(p) not in own]
    groups = [(rest, settings.learning_rate), (conditioning, settings.learning_rate * settings.conditioning_rate)]
    return [{"params": parameters, "lr": rate, "base": rate} for parameters, rate in groups if parameters]


class Trainer:
    """One training run, in a folder that holds its checkpoint, log and TensorBoard scalars.

    Args:
        network: to be trained, in place.
        batches: what to train on.
        settings: how.
        folder: of the run, which must exist; a checkpoint in it is resumed from.
        device: to train on.
        compiled: whether to compile the network first.

    Raises:
        InputError: if the folder's checkpoint can't be resumed from.
    """

    def __init__(
        self,
        network: MultiEncoderUNet,
        batches: TrainingBatches,
        settings: TrainingSettings,
        folder: Path,
        device: torch.device | str = "cpu",
        compiled: bool = False,
    ):
        self.settings, self.batches, self.folder, self.device = settings, batches, folder, torch.device(device)
        self.network = network.to(self.device).train()
        self.forward = FoldedNetwork(self.network, compiled)
        self.optimizer = torch.optim.Adam(_parameter_groups(network, settings), betas=settings.betas)
        self.average = None
        if settings.averaging:
            self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging))
        self.critic = None
        if settings.adversarial:
            self.critic = Discriminator().to(self.device)
            self.critic_optimizer = torch.optim.Adam(
                self.critic.parameters(), settings.critic_learning_rate, betas=settings.betas
            )
        self.step = 0
        state = load_checkpoint(folder, settings.as_dict())
        if state:
            self._restore(state)
        rewind_log(self._log, self.step)

    @property
    def _log(self) -> Path:
        return self.folder / "losses.jsonl"

    @property
    def result(self) -> MultiEncoderUNet:
        """The network to write out: the running average where there is one."""
        return self.average.module if self.average else self.network

    def _parts(self) -> dict:
        parts = {"network": self.network, "optimizer": self.optimizer}
        if self.average:
            parts["average"] = self.average
        if self.critic:
            parts |= {"critic": self.critic, "critic_optimizer": self.critic_optimizer}
        return parts

    def _restore(self, state: dict) -> None:
        self.step = state["step"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def save(self) -> None:
        """Write the checkpoint."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        save_checkpoint(self.folder, {"settings": self.settings.as_dict(), "step": self.step, **parts})

    def run(
        self,
        checkpoint_every: int = 200,
        progress: Callable[[dict], None] | None = None,
        validate: Callable[[MultiEncoderUNet], dict[str, float]] | None = None,
        validate_every: int = 1000,
    ) -> MultiEncoderUNet:
        """Train to the last step and return the trained network.

        Args:
            checkpoint_every: steps between checkpoints; there is one at the end, too.
            progress: is given each step's losses.
            validate: measures a network; its figures go to TensorBoard and the log.
            validate_every: steps between validations.
        """
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(self.folder, purge_step=self.step) as board, self._log.open("a") as log:
            while self.step < self.settings.steps:
                record = {"step": self.step, **self._train_step()}
                self.step += 1
                if validate and (self.step % validate_every == 0 or self.step == self.settings.steps):
                    record |= validate(self.result)
                    self.network.train()
                log.write(json.dumps(record) + "\n")
                log.flush()
                for name, value in record.items():
                    if name != "step":
                        board.add_scalar(name, value, record["step"])
                if progress:
                    progress(record)
                if self.step % checkpoint_every == 0 or self.step == self.settings.steps:
                    self.save()
        return self.result

    def _train_step(self) -> dict[str, float]:
        distance = self._train_critic() if self.critic else None
        batch = self.batches.batch(self.step).to(self.device)
        output = self._super_resolve(batch)
        loss = reconstruction = reconstruction_loss(output, batch.target, batch.mask)
        record = {"reconstruction": reconstruction.item()}
        if self.critic:
            self.critic.requires_grad_(False)
            adversarial = generator_adversarial_loss(
                self.critic, batch.t1, batch.flair, upsample_map(batch.zero_filled()), output
            )
            self.critic.requires_grad_(True)
            loss = reconstruction + batch.sharpness * adversarial
            record |= {"adversarial": adversarial.item(), "distance": distance, "lambda": batch.sharpness}
        factor = learning_rate_factor(self.step, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.settings.gradient_clip is not None:
            norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient_clip)
            record["gradient"] = norm.item()
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.network)
        return record | {"loss": loss.item()}

    def _super_resolve(self, batch: Batch) -> Tensor:
        output = self.forward(batch.low_resolution, batch.t1, batch.flair, batch.n, batch.metabolite, batch.sharpness)
        return output * batch.mask

    def _train_critic(self) -> float:
        """The critic's steps before this generator step; returns the last one's estimate of the distance."""
        first = self.settings.critic_warm_up + (self.step - 1) * self.settings.critic_steps if self.step else 0
        count = self.settings.critic_steps if self.step else max(1, self.settings.critic_warm_up)
        factor = learning_rate_factor(self.step, self.settings)
        for group in self.critic_optimizer.param_groups:
            group["lr"] = self.settings.critic_learning_rate * min(1.0, factor)
        for index in range(first, first + count):
            batch = self.batches.batch(_CRITIC_OFFSET + index).to(self.device)
            mixing = torch.rand(
                (len(batch.target), 1, 1, 1), generator=torch.Generator().manual_seed(self.settings.seed + index)
            )
            with torch.no_grad():
                output = self._super_resolve(batch)
            loss, distance = critic_loss(
                self.critic,
                batch.t1,
                batch.flair,
                upsample_map(batch.zero_filled()),
                output,
                batch.target,
                mixing.to(self.device),
            )
            self.critic_optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.critic_optimizer.step()
        return distance.item()
