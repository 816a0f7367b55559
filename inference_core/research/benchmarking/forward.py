"""One slice: the plain network against the engine's runtimes, and how far their outputs are apart."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import cycle
from typing import NamedTuple

import torch

from inference_core.engine.engine import Engine
from inference_core.networks import MultiEncoderUNet
from inference_core.research.benchmarking.failures import reason_of
from inference_core.research.benchmarking.timing import Samples, paired

#: Largest difference to the plain network, as a share of the map's range, that a precision may make.
TOLERANCES = {"float32": 1e-4, "TF32": 1e-3, "float16": 1e-3, "bfloat16": 1e-2}
#: n, metabolite and lambda: where differences are looked for, and what is timed.
_CONDITIONS = [(n, metabolite, s) for n, metabolite in ((16, 2), (20, 0), (32, 5)) for s in (0.0, 0.03, 0.1)]
_TIMED_N, _TIMED_METABOLITE = 20, 0
_SHARPNESS = (0.0, 0.013, 0.03, 0.041, 0.067, 0.1)
_PLAIN = "plain network"

Images = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class ForwardRow(NamedTuple):
    """What one runtime did in one precision.

    Attributes:
        name: of the runtime, with the precision where it is not float32; or the plain network.
        times: of "new slice", "new lambda" and "new metabolite"; of the plain network all are the same.
        difference: largest difference to the plain network's output, as a share of its range; may be not finite.
        tolerance: what the difference may be.
        unavailable: why there are no times.
    """

    name: str
    times: dict[str, Samples]
    difference: float = 0.0
    tolerance: float = 0.0
    unavailable: str | None = None

    @property
    def wrong(self) -> bool:
        """Whether the output is too far from the plain network's; what is not a number is."""
        return self.unavailable is None and not self.difference <= self.tolerance


def random_images(device: str, batch: int = 1, n: int = _TIMED_N) -> Images:
    """A low-resolution map, T1 and FLAIR as networks take them, without meaning; always the same."""
    generator = torch.Generator().manual_seed(0)
    low = torch.rand((batch, 1, n, n), generator=generator) / 2
    t1, flair = (torch.rand((batch, 1, 192, 192, 3), generator=generator) for _ in range(2))
    return low.to(device), t1.to(device), flair.to(device)


@contextlib.contextmanager
def convolutions_in_tf32(allowed: bool) -> Iterator[None]:
    """Whether a GPU may round convolutions' float32 inputs to TF32, as PyTorch does by default."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _in_precision(call: Callable[[], object], precision: str, device: str) -> Callable[[], object]:
    if not device.startswith("cuda"):
        return call

    def run() -> None:
        with convolutions_in_tf32(precision == "TF32"):
            call()

    return run


def _oracle(network: MultiEncoderUNet, device: str) -> list[torch.Tensor]:
    """The plain network's outputs for `_CONDITIONS`, in single precision."""
    with convolutions_in_tf32(False):
        return [network(*random_images(device, n=n), n, m, s) for n, m, s in _CONDITIONS]


def _difference(engine: Engine, expected: list[torch.Tensor], device: str) -> float:
    shares = []
    for (n, metabolite, sharpness), plain in zip(_CONDITIONS, expected, strict=True):
        apart = (engine(*random_images(device, n=n), n, metabolite, sharpness) - plain).abs().max()
        shares.append(apart / (plain.max() - plain.min()))
    # Unlike Python's, this maximum does not lose what is not a number.
    return torch.stack(shares).max().item()


def _candidates(engine: Engine, images: Images) -> dict[str, Callable[[], object]]:
    kept, sharpness = engine.keep(*images, _TIMED_N, _TIMED_METABOLITE), cycle(_SHARPNESS)

    def new_slice() -> None:
        engine(*images, _TIMED_N, _TIMED_METABOLITE, next(sharpness))

    def new_metabolite() -> None:
        engine.forget()
        new_slice()

    return {
        "new slice": new_slice,
        "new lambda": lambda: engine.finish(kept, next(sharpness)),
        "new metabolite": new_metabolite,
    }


def modes(device: str, precisions: Sequence[str]) -> list[str]:
    """The precisions, and TF32, which GPUs since Ampere compute float32 convolutions in by default."""
    if "float32" in precisions and device.startswith("cuda") and torch.cuda.get_device_capability(device) >= (8, 0):
        return ["float32", "TF32", *(p for p in precisions if p != "float32")]
    return list(precisions)


@torch.inference_mode()
def measure_forward(
    network: MultiEncoderUNet, device: str, runtimes: Sequence[str], precisions: Sequence[str], rounds: int
) -> list[ForwardRow]:
    """The plain network in float32 first, then each runtime in each precision.

    Args:
        network: the plain one, on the CPU; left as it is.
        device: as torch names it.
        runtimes: of `inference_core.engine.runtimes.RUNTIMES`.
        precisions: of `PRECISIONS`.
        rounds: turns of each.
    """
    plain, images = deepcopy(network).to(device).eval(), random_images(device)
    expected, sharpness = _oracle(plain, device), cycle(_SHARPNESS)
    rows: dict[str, ForwardRow] = {}
    candidates: dict[tuple[str, str], Callable[[], object]] = {}
    for mode in ("float32", *({"TF32"} & {*modes(device, precisions)})):
        name = _PLAIN if mode == "float32" else f"{_PLAIN}, {mode}"
        rows[name] = ForwardRow(name, {})
        call = _in_precision(lambda: plain(*images, _TIMED_N, _TIMED_METABOLITE, next(sharpness)), mode, device)
        candidates[name, "new slice"] = call
    for runtime in runtimes:
        for mode in modes(device, precisions):
            name = runtime if mode == "float32" else f"{runtime}, {mode}"
            try:
                with convolutions_in_tf32(mode == "TF32"):
                    engine = Engine(deepcopy(network), device, runtime, "float32" if mode == "TF32" else mode)
                    difference = _difference(engine, expected, device)
                    own = _candidates(engine, images)
            except Exception as error:  # Whatever stops one runtime, the others are still worth measuring.
                rows[name] = ForwardRow(name, {}, unavailable=reason_of(error))
                continue
            rows[name] = ForwardRow(name, {}, difference, TOLERANCES[mode])
            candidates |= {(name, what): _in_precision(call, mode, device) for what, call in own.items()}
    for (name, what), samples in paired(candidates, rounds, device).items():
        rows[name].times[what] = samples
    return list(rows.values())
