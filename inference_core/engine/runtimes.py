"""What runs the folded pass: PyTorch as it is, PyTorch's compiler, native kernels, or CUDA graphs.

A *runner* is the folded pass for the layers of one n and metabolite, in two parts: what lambda changes, and what comes
before.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.util import find_spec
from typing import Protocol

import torch
from torch import Tensor

from inference_core.engine.folded_pass import first_convolution, folded_proposal
from inference_core.engine.layers import Layers
from inference_core.errors import InputError


class Runner(Protocol):
    """The folded pass in two parts."""

    def begin(self, upsampled: Tensor, t1: Tensor, flair: Tensor) -> tuple[Tensor, ...]:
        """What does not depend on lambda; images as `MultiEncoderUNet.proposal` takes them."""

    def __call__(self, begun: Sequence[Tensor], affine: Tensor) -> Tensor:
        """The rest, from what `begin` gave and `assemble_affine`'s maps: what `folded_proposal` gives."""


class _TorchRunner:
    """PyTorch's own operations.

    Args:
        layers: for the first convolutions.
        finish: `folded_proposal` for these layers, or what stands for it.
    """

    def __init__(self, layers: Layers, finish: Callable[[Tensor, Tensor, Tensor], Tensor]):
        self._layers, self._finish = layers, finish

    def begin(self, upsampled: Tensor, t1: Tensor, flair: Tensor) -> tuple[Tensor, ...]:
        """Both encoders' first convolutions."""
        encoders = ((t1, self._layers.t1), (flair, self._layers.flair))
        return tuple(first_convolution(upsampled, mri, layers[0]) for mri, layers in encoders)

    def __call__(self, begun: Sequence[Tensor], affine: Tensor) -> Tensor:
        """As `folded_proposal`."""
        return self._finish(*begun, affine)


#: Names that `make_runner` takes, each with what it is.
RUNTIMES = {
    "pytorch": "PyTorch as it is",
    "compiled": "PyTorch's compiler, which needs a C++ compiler and takes a minute at the first use",
    "native": "kernels for CPUs, compiled for this one at the first use",
    "cuda-graphs": "PyTorch on a CUDA GPU, without the cost of launching kernels one by one",
}

#: Names of the precisions that the pass can be computed in, and what torch calls them.
PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def check_runtime(runtime: str | None, precision: str, device: str) -> str:
    """The runtime to use on a device.

    Args:
        runtime: one of `RUNTIMES`, or None for "cuda-graphs" on a CUDA GPU, "native" on a CPU if the extra of this name
            is installed, else PyTorch.
        precision: one of `PRECISIONS`.
        device: as torch names it.

    Raises:
        InputError: for a name that is unknown, or that does not go with the device.
    """
    kind = device.partition(":")[0]
    if precision not in PRECISIONS:
        raise InputError(f"Unknown precision '{precision}': choose one of {', '.join(PRECISIONS)}.")
    if precision != "float32" and kind == "cpu":
        raise InputError(f"Precision {precision} gains nothing on a CPU: choose float32, or a GPU.")
    if precision == "bfloat16" and kind == "cuda" and not torch.cuda.is_bf16_supported():
        raise InputError("This GPU does not compute in bfloat16: choose float16 or float32.")
    if runtime is None:
        if kind == "cuda":
            return "cuda-graphs"
        return "native" if kind == "cpu" and find_spec("ziglang") else "pytorch"
    if runtime not in RUNTIMES:
        raise InputError(f"Unknown runtime '{runtime}': choose one of {', '.join(RUNTIMES)}.")
    needed = {"native": "cpu", "cuda-graphs": "cuda"}.get(runtime, kind)
    if kind != needed:
        raise InputError(f"Runtime {runtime} works on the device {needed} only, not on {device}: choose pytorch.")
    return runtime


def make_runner(runtime: str, layers: Layers) -> Runner:
    """A runner for the layers.

    Args:
        runtime: from `check_runtime`, but for "cuda-graphs", whose runners `GraphedRunners` gives.
        layers: whose tensors are used as they are.

    Raises:
        NativeUnavailableError: if the native kernels can't be compiled, loaded or trusted.
    """
    if runtime == "native":
        from inference_core.engine.native import NativePass

        return NativePass(layers)
    return _TorchRunner(layers, partial(_compiled() if runtime == "compiled" else folded_proposal, layers=layers))


@cache
def _compiled() -> Callable[..., Tensor]:
    """One for all runners: what was compiled serves every n and metabolite."""
    return torch.compile(folded_proposal)
