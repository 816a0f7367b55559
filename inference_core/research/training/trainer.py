"""Training of a network, alone or against the discriminator (paper, Sec. 2.3 and 3.2)."""

import contextlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from inference_core.engine.folded_network import FoldedNetwork
from inference_core.errors import InputError
from inference_core.files.atomic import remove_leftovers
from inference_core.networks import Discriminator, MultiEncoderUNet
from inference_core.networks.norm_conditioners import SharpnessNorm
from inference_core.networks.unet import upsample_map
from inference_core.research.data.batches import Batch
from inference_core.research.data.loading import batches_of
from inference_core.research.data.training_batches import TrainingBatches
from inference_core.research.training.checkpoints import load_checkpoint, rewind_log, save_checkpoint
from inference_core.research.training.device_steps import WINDOW, DeviceSteps, make_adam
from inference_core.research.training.launch import make_fabric, together
from inference_core.research.training.objectives import CriticObjective, NetworkObjective
from inference_core.research.training.records import LOG, StepRecords
from inference_core.research.training.schedule import CRITIC_OFFSET, batch_steps, critic_steps, learning_rate_factor
from inference_core.research.training.settings import TrainingSettings


def _parameter_groups(network: nn.Module, settings: TrainingSettings) -> list[dict]:
    """The network's parameters, those that sharpness alone drives apart."""
    conditioning = [p for m in network.modules() if isinstance(m, SharpnessNorm) for p in m.parameters()]
    own = {id(p) for p in conditioning}
    rest = [p for p in network.parameters() if id(p) not in own]
    groups = [(rest, settings.learning_rate), (conditioning, settings.learning_rate * settings.conditioning_rate)]
    return [{"params": parameters, "lr": rate, "base": rate} for parameters, rate in groups if parameters]


def steps_on_device(fabric: Fabric, settings: TrainingSettings) -> bool:
    """Whether steps can do without the host: on a CUDA GPU, in one process, without the scaling of losses."""
    return fabric.device.type == "cuda" and fabric.world_size == 1 and settings.precision != "16-mixed"


class Trainer:
    """One training run, in a folder that holds its checkpoint, log and TensorBoard scalars.

    Several processes make their parts of each batch and average their gradients, so that they do what one process
    would do with the whole batch. The first of them alone writes.

    A checkpoint may have been planned for another number of steps, which learning rates depend on; from where it is
    resumed they follow the new plan. `earlier_plans` lists each such change: the step, and the steps planned before.

    Args:
        network: to be trained, in place.
        batches: what to train on; their size is that of the whole batch.
        settings: how.
        folder: of the run, which must exist and be the same for all processes; a checkpoint in it is resumed from.
        fabric: device, precision and processes, from `make_fabric`, launched; one process on the CPU if None.
        compiled: whether to compile the network first.
        workers: processes that make this process's batches ahead; 0 to make each one when it is needed.
        on_device: whether steps never wait for the host; None for where they can: on a CUDA GPU in one process.

    Raises:
        InputError: if the folder's checkpoint can't be resumed from, or the batch can't be shared out evenly.
    """

    def __init__(
        self,
        network: MultiEncoderUNet,
        batches: TrainingBatches,
        settings: TrainingSettings,
        folder: Path,
        fabric: Fabric | None = None,
        compiled: bool = False,
        workers: int = 0,
        on_device: bool | None = None,
    ):
        self.fabric = fabric or make_fabric("cpu")[0]
        self.settings, self.batches, self.folder, self.workers = settings, batches, folder, workers
        self._part = self._own_part(batches.batch_size)
        self.network = network.to(self.fabric.device).train()
        self.forward = FoldedNetwork(self.network, compiled)
        on_device = steps_on_device(self.fabric, settings) if on_device is None else on_device
        self.optimizer = self._adam(_parameter_groups(network, settings), on_device)
        self._objective, self._optimizer = self.fabric.setup(NetworkObjective(self.forward), self.optimizer)
        self.average = None
        if settings.averaging:
            self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging))
        self.critic = None
        if settings.adversarial:
            self.critic = Discriminator().to(self.fabric.device)
            rate = settings.critic_learning_rate
            group = {"params": list(self.critic.parameters()), "lr": rate, "base": rate}
            self.critic_optimizer = self._adam([group], on_device)
            self._critic_objective, self._critic_optimizer = self.fabric.setup(
                CriticObjective(self.critic), self.critic_optimizer
            )
        self._device_steps = None
        if on_device:
            self._device_steps = DeviceSteps(
                self.forward,
                self.optimizer,
                batches.on(self.fabric.device),
                settings,
                self.critic,
                self.critic_optimizer if self.critic else None,
                self.average,
            )
        self.step = 0
        self.earlier_plans: list[list[int]] = []
        state = together(self.fabric, lambda: load_checkpoint(folder, settings.as_dict()))
        if state:
            self._restore(state)
        together(self.fabric, self._check_same_step)
        together(self.fabric, self._tidy, alone=True)

    def _tidy(self) -> None:
        """Remove what a killed run left behind, and what this one will record anew."""
        remove_leftovers(self.folder)
        rewind_log(self._log, self.step)

    def _adam(self, groups: list[dict], on_device: bool) -> torch.optim.Optimizer:
        if on_device:
            return make_adam(groups, self.fabric.device, self.settings.betas)
        return torch.optim.Adam(groups, betas=self.settings.betas)

    def _own_part(self, batch_size: int) -> slice:
        processes, rank = self.fabric.world_size, self.fabric.global_rank
        if batch_size % processes:
            raise InputError(f"A batch of {batch_size} slices can't be shared out evenly to {processes} processes.")
        own = batch_size // processes
        return slice(rank * own, (rank + 1) * own)

    def _check_same_step(self) -> None:
        first = self.fabric.broadcast(self.step)
        if self.step != first:
            raise InputError(
                f"Not all processes find the same checkpoint in '{self.folder}': put it where all machines see it."
            )

    @property
    def _log(self) -> Path:
        return self.folder / LOG

    @property
    def result(self) -> MultiEncoderUNet:
        """The network to write out: the running average where there is one."""
        return self.average.module if self.average else self.network

    def _parts(self) -> dict:
        # The precision's state is how gradients in half precision are scaled at the moment.
        parts = {"network": self.network, "optimizer": self.optimizer, "precision": self.fabric.strategy.precision}
        if self.average:
            parts["average"] = self.average
        if self.critic:
            parts |= {"critic": self.critic, "critic_optimizer": self.critic_optimizer}
        return parts

    def _restore(self, state: dict) -> None:
        self.step = state["step"]
        self.earlier_plans = state.get("earlier_plans", [])
        planned = state["settings"]["steps"]
        if planned != self.settings.steps:
            self.earlier_plans = [*self.earlier_plans, [self.step, planned]]
        for name, part in self._parts().items():
            if isinstance(part, torch.optim.Optimizer):
                # How and where it computes is this run's own, whatever the checkpoint was written on.
                for group, own in zip(state[name]["param_groups"], part.param_groups, strict=True):
                    group.update({key: own[key] for key in ("lr", "fused", "foreach", "capturable")})
            part.load_state_dict(state[name])

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            InputError: if it can't be written; the one before stays.
        """
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        about = {"settings": self.settings.as_dict(), "step": self.step, "earlier_plans": self.earlier_plans}
        save_checkpoint(self.folder, about | parts)

    def run(
        self,
        checkpoint_every: int = 200,
        progress: Callable[[dict], None] | None = None,
        validate: Callable[[MultiEncoderUNet], dict[str, float]] | None = None,
        validate_every: int = 1000,
        stop: Callable[[], bool] | None = None,
    ) -> MultiEncoderUNet:
        """Train to the last step, or until it is told to stop, and return the network as trained so far.

        Args:
            checkpoint_every: steps between checkpoints; there is one at the end, too.
            progress: is given steps' losses, in the first process.
            validate: measures a network, in the first process; its figures go to TensorBoard and the log.
            validate_every: steps between validations.
            stop: whether to end now; asked in the first process after each step, or several where the host reads the
                losses of several at once. What is done by then is in the checkpoint, from which another run goes on.

        Raises:
            InputError: if the log or the checkpoint can't be written.
        """
        ended = False
        marks = (checkpoint_every, *((validate_every,) if validate else ()))
        with self._recording() as write, contextlib.closing(self._steps(marks)) as steps:
            while self.step < self.settings.steps and not ended:
                records = next(steps)
                self.step += len(records)
                last = self.step == self.settings.steps

                def conclude(records=records, last=last) -> bool:
                    """Validate, record and save; returns whether to end now."""
                    if validate and (last or self.step % validate_every == 0):
                        records[-1] |= validate(self.result)
                        self.network.train()
                    for record in records:
                        write(record)
                        if progress:
                            progress(record)
                    end = stop is not None and stop()
                    if last or end or self.step % checkpoint_every == 0:
                        self.save()
                    return end

                # A disk that is full for the first process ends all of them.
                ended = together(self.fabric, conclude, alone=True)
                if stop is not None:
                    ended = self.fabric.broadcast(ended)
        self.fabric.barrier()
        return self.result

    def _steps(self, marks: tuple[int, ...]) -> Generator[list[dict[str, float]], None, None]:
        """Steps' losses as they are done; those of several steps at once end at multiples of the `marks`."""
        if self._device_steps is None:
            loaded, step = self._load(), self.step
            while True:
                yield [{"step": step, **self._train_step(loaded)}]
                step += 1
        step = self.step
        try:
            while step < self.settings.steps:
                count = min(WINDOW, self.settings.steps - step, *(mark - step % mark for mark in marks))
                yield self._device_steps.run(step, count)
                step += count
        finally:
            self._device_steps.close()

    def _load(self) -> Iterator[Batch]:
        """This process's parts of the batches, in the order in which steps take them."""
        device = self.fabric.device
        pinned = device.type == "cuda"
        steps = batch_steps(self.step, self.settings)
        for batch in batches_of(self.batches, steps, self._part, self.workers, pinned):
            yield batch.to(device, non_blocking=pinned)

    @contextlib.contextmanager
    def _recording(self) -> Iterator[Callable[[dict], None]]:
        """What writes a step's record to the log and to TensorBoard; the first process alone calls it."""
        records = together(self.fabric, lambda: StepRecords(self._log, self.step), alone=True)
        with contextlib.ExitStack() as unless_done:
            if records:
                unless_done.enter_context(records)
            yield lambda record: records.write(record)
            unless_done.pop_all()
            together(self.fabric, lambda: records.close(), alone=True)

    def _train_step(self, loaded: Iterator[Batch]) -> dict[str, float]:
        distance = self._train_critic(loaded) if self.critic else None
        batch = next(loaded)
        upsampled = upsample_map(batch.zero_filled()) if self.critic else None
        loss, reconstruction, adversarial = self._objective(**vars(batch), upsampled=upsampled, critic=self.critic)
        figures = {"reconstruction": reconstruction}
        if self.critic:
            figures |= {"adversarial": adversarial, "distance": distance}
        factor = learning_rate_factor(self.step, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        if self.settings.gradient_clip is not None:
            # Gradients that overflow in half precision are the scaler's to skip.
            figures["gradient"] = self.fabric.clip_gradients(
                self._objective, self._optimizer, max_norm=self.settings.gradient_clip, error_if_nonfinite=False
            )
        self._optimizer.step()
        if self.average:
            self.average.update_parameters(self.network)
        record = self._means(figures | {"loss": loss.detach()})
        return record | {"lambda": batch.sharpness} if self.critic else record

    def _means(self, figures: dict[str, Tensor]) -> dict[str, float]:
        """The figures of the whole batch, from those of the processes' parts."""
        means = self.fabric.all_reduce(torch.stack(list(figures.values())), reduce_op="mean")
        return dict(zip(figures, means.tolist(), strict=True))

    def _train_critic(self, loaded: Iterator[Batch]) -> Tensor:
        """The critic's steps before this generator step; returns the last one's estimate of the distance."""
        factor = learning_rate_factor(self.step, self.settings)
        for group in self.critic_optimizer.param_groups:
            group["lr"] = self.settings.critic_learning_rate * min(1.0, factor)
        for index in critic_steps(self.step, self.settings):
            batch = next(loaded)
            with torch.no_grad(), self.fabric.autocast():
                output = self.forward(
                    batch.low_resolution, batch.t1, batch.flair, batch.n, batch.metabolite, batch.sharpness
                )
            loss, distance = self._critic_objective(
                batch.t1,
                batch.flair,
                upsample_map(batch.zero_filled()),
                output * batch.mask,
                batch.target,
                self.batches.mixing(CRITIC_OFFSET + index, self._part).to(self.fabric.device),
            )
            self.critic_optimizer.zero_grad(set_to_none=True)
            self.fabric.backward(loss)
            self._critic_optimizer.step()
        return distance
