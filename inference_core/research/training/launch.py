"""Where a training runs: device, precision and processes, checked before any work begins."""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from lightning_fabric.strategies import DDPStrategy

from inference_core.engine.devices import choose_device
from inference_core.errors import InputError

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
#: How long processes wait for one another. Long, because one of them simulates the patients or validates meanwhile;
#: it is not how a dead process is noticed, which is what torchrun watches for.
_PROCESS_GROUP_TIMEOUT = timedelta(days=7)
#: Seconds in which the process that reports an error has certainly done so.
_REPORT_TIMEOUT_S = 60.0

#: What losses are multiplied by at first in half precision, so that small gradients are not lost. PyTorch starts at
#: 2^16, where the critic's first gradients overflow: that step is skipped, and it lags behind from then on.
_FIRST_SCALE = 2.0**12

_T = TypeVar("_T")


class TrainingPrecision(MixedPrecision):
    """Computes in half precision, and leaves inputs as they are: k-space and the losses need single precision.

    Args:
        precision: "bf16-mixed" or "16-mixed".
        kind: of the device, as torch names it.
    """

    def __init__(self, precision: str, kind: str):
        scaler = None
        if precision == "16-mixed":
            # Older versions of PyTorch know CUDA's alone.
            make = getattr(torch.amp, "GradScaler", None)
            scaler = make(kind, init_scale=_FIRST_SCALE) if make else torch.cuda.amp.GradScaler(_FIRST_SCALE)
        super().__init__(precision, kind, scaler)

    def convert_input(self, data):
        """`data` itself."""
        return data


def _launched_by_torchrun() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_torchelastic_launched()


def _from_environment(name: str, otherwise: int) -> int:
    return int(os.environ.get(name, otherwise))


def processes_here(devices: int | None) -> int:
    """How many processes of this training this machine runs, of which the user asked for `devices` or nothing.

    Raises:
        InputError: if torchrun started another number.
    """
    if devices is not None and devices < 1:
        raise InputError(f"--devices is {devices}: it must be at least 1.")
    if not _launched_by_torchrun():
        return devices or 1
    launched = _from_environment("LOCAL_WORLD_SIZE", 1)
    if devices not in (None, launched):
        raise InputError(
            f"torchrun started {launched} processes on this machine, but --devices is {devices}: leave --devices out."
        )
    return launched


def _check_processes(device: str, count: int) -> None:
    if count == 1:
        return
    if device == "mps":
        raise InputError(f"{count} processes can't share Apple's Metal GPU: start one, or choose the device cpu.")
    if ":" in device:
        raise InputError(f"Device '{device}' is one GPU, but there are {count} processes: choose cuda.")
    if device == "cuda" and count > torch.cuda.device_count():
        raise InputError(
            f"There are {count} processes, but PyTorch finds {torch.cuda.device_count()} GPUs: start one for each GPU."
        )


def _check_precision(precision: str, device: str, count: int) -> None:
    if precision not in PRECISIONS:
        raise InputError(f"Unknown precision '{precision}': choose one of {', '.join(PRECISIONS)}.")
    kind, _, index = device.partition(":")
    if precision == "16-mixed" and kind == "cpu":
        raise InputError("Precision 16-mixed needs a CUDA GPU: choose bf16-mixed or 32-true on the CPU.")
    if precision != "32-true" and kind == "mps":
        raise InputError(f"Precision {precision} is not supported on Apple's Metal GPU: choose 32-true.")
    if precision == "bf16-mixed" and kind == "cuda":
        for gpu in [int(index)] if index else range(count):
            # Older GPUs only imitate it, slower than single precision.
            if torch.cuda.get_device_capability(gpu) < (8, 0):
                raise InputError(f"{torch.cuda.get_device_name(gpu)} lacks bf16: choose 16-mixed or 32-true.")


def make_fabric(
    device: str | None = None, devices: int | None = None, precision: str = "32-true"
) -> tuple[Fabric, str, str]:
    """What drives device, precision and processes. Nothing is launched yet.

    The processes are torchrun's where it started this one. Otherwise `Fabric.launch` starts this command again in
    `devices - 1` more of them.

    Args:
        device: as `choose_device`; several processes take one CUDA GPU each.
        devices: processes on this machine; None for torchrun's, or else one.
        precision: one of `PRECISIONS`.

    Returns:
        Fabric, the device's name, and a sentence on why it was chosen.

    Raises:
        InputError: for what is unknown, at odds, or missing on this machine.
    """
    torchrun = _launched_by_torchrun()
    count = processes_here(devices)
    device, reason = choose_device(device)
    _check_processes(device, count)
    _check_precision(precision, device, count)
    world = _from_environment("WORLD_SIZE", count) if torchrun else count
    kind, _, index = device.partition(":")
    plugins = [TorchElasticEnvironment() if torchrun else LightningEnvironment()]
    if precision != "32-true":
        plugins.append(TrainingPrecision(precision, kind))
    # It announces processes and their addresses.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = Fabric(
        accelerator=kind,
        devices=[int(index)] if index else count,
        num_nodes=world // count,
        strategy=DDPStrategy(timeout=_PROCESS_GROUP_TIMEOUT) if world > 1 else "auto",
        plugins=plugins,
    )
    return fabric, device, reason


def together(fabric: Fabric, work: Callable[[], _T], alone: bool = False) -> _T | None:
    """Do something in all processes; if it fails in one of them, all raise, so that none waits for ever.

    If nothing fails, the processes exchange one number, so that this can be called in each step of a training.

    Args:
        fabric: launched.
        work: what to do.
        alone: whether only the first process does it, while the others wait; they are given None.

    Raises:
        InputError: what `work` raised here or, failing that, in the first process where it did; of the same class.
    """
    result = error = None
    if fabric.is_global_zero or not alone:
        try:
            result = work()
        except InputError as raised:
            error = raised
    if fabric.world_size > 1 and _any_failed(fabric, error):
        errors = [None] * fabric.world_size
        torch.distributed.all_gather_object(errors, error)
        raise error or next(one for one in errors if one is not None)
    if error:
        raise error
    return result


def _any_failed(fabric: Fabric, error: InputError | None) -> bool:
    """Whether there is an error in any process."""
    failed = torch.tensor(float(error is not None), device=fabric.device)
    return bool(fabric.all_reduce(failed, reduce_op="sum") > 0)


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """Let a machine's first process alone say what is wrong: the others raise `SystemExit` in silence.

    Once a process ends with an error its launcher ends the others, so they wait until the first one has spoken.
    """
    first = _from_environment("LOCAL_RANK", 0) == 0
    try:
        yield
    except InputError as error:
        if first:
            raise
        launcher, deadline = os.getppid(), time.monotonic() + _REPORT_TIMEOUT_S
        while os.getppid() == launcher and time.monotonic() < deadline:
            time.sleep(0.1)
        raise SystemExit(2) from error
    except KeyboardInterrupt as error:
        if first:
            raise
        raise SystemExit(130) from error
