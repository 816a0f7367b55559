"""One slice: the plain network against the engine's runtimes, and how far their outputs are apart."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import NamedTuple

import torch

from inference_core.benchmarking.timing import Samples, paired
from inference_core.engine.engine import Engine
from inference_core.errors import InputError
from inference_core.networks import MultiEncoderUNet

#: Largest difference to the plain network, as a share of the map's range, that a precision may make.
TOLERANCES = {"float32": 1e-4, "float16": 1e-3, "bfloat16": 1e-2}
_N, _METABOLITE = 20, 0
_SHARPNESS = (0.0, 0.03, 0.1)


class ForwardRow(NamedTuple):
    """What one runtime did.

    Attributes:
        name: of the runtime, with the precision where it is not float32.
        times: of "new slice", "new lambda" and "new metabolite"; of the plain network all are the same.
        difference: largest difference to the plain network's output over several lambda, as a share of its range.
        tolerance: what the difference may be.
        unavailable: why there are no times.
    """

    name: str
    times: dict[str, Samples]
    difference: float = 0.0
    tolerance: float = 0.0
    unavailable: str | None = None


def random_images(device: str, batch: int = 1) -> tuple[torch.Tensor, ...]:
    """A low-resolution map, T1 and FLAIR as networks take them, without meaning; always the same."""
    generator = torch.Generator().manual_seed(0)
    low = torch.rand((batch, 1, _N, _N), generator=generator) / 2
    mri = (torch.rand((batch, 1, 192, 192, 3), generator=generator) for _ in range(2))
    return tuple(tensor.to(device) for tensor in (low, *mri))


def _difference(network: MultiEncoderUNet, engine: Engine, images: Sequence[torch.Tensor]) -> float:
    worst = 0.0
    for sharpness in _SHARPNESS:
        plain = network(*images, _N, _METABOLITE, sharpness)
        apart = (engine(*images, _N, _METABOLITE, sharpness) - plain).abs().max()
        worst = max(worst, (apart / (plain.max() - plain.min())).item())
    return worst


def _candidates(engine: Engine, images: Sequence[torch.Tensor]) -> dict[str, Callable[[], object]]:
    kept = engine.keep(*images, _N, _METABOLITE)

    def new_metabolite() -> None:
        engine.forget()
        engine(*images, _N, _METABOLITE, 0.03)

    return {
        "new slice": lambda: engine(*images, _N, _METABOLITE, 0.03),
        "new lambda": lambda: engine.finish(kept, 0.03),
        "new metabolite": new_metabolite,
    }


@torch.inference_mode()
def measure_forward(
    network: MultiEncoderUNet, device: str, runtimes: Sequence[str], precisions: Sequence[str], rounds: int
) -> list[ForwardRow]:
    """The plain network first, then each runtime in each precision.

    Args:
        network: the plain one, on the CPU.
        device: as torch names it.
        runtimes: of `inference_core.engine.runtimes.RUNTIMES`.
        precisions: of `PRECISIONS`.
        rounds: turns of each.
    """
    plain, images = deepcopy(network).to(device).eval(), random_images(device)
    candidates = {("plain network", "new slice"): lambda: plain(*images, _N, _METABOLITE, 0.03)}
    rows: dict[str, ForwardRow] = {}
    for runtime in runtimes:
        for precision in precisions:
            name = runtime if precision == "float32" else f"{runtime}, {precision}"
            try:
                engine = Engine(deepcopy(network), device, runtime, precision)
                difference = _difference(plain, engine, images)
            except InputError as error:
                rows[name] = ForwardRow(name, {}, unavailable=str(error))
                continue
            rows[name] = ForwardRow(name, {}, difference, TOLERANCES[precision])
            candidates |= {(name, what): call for what, call in _candidates(engine, images).items()}
    times = paired(candidates, rounds, device)
    for name, row in rows.items():
        row.times.update({what: samples for (own, what), samples in times.items() if own == name})
    return [ForwardRow("plain network", {"new slice": times["plain network", "new slice"]}), *rows.values()]
