"""What runs the folded pass: PyTorch as it is, PyTorch's compiler, native kernels, or CUDA graphs.

A *runner* is the folded pass for the layers of one n and metabolite: called as `runner(t1_first, flair_first, affine)`,
it returns what `folded_proposal` returns.
"""

from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec

import torch
from torch import Tensor

from inference_core.engine.folded_pass import folded_proposal
from inference_core.engine.layers import Layers
from inference_core.errors import InputError

#: From both encoders' first convolutions and the affine maps to the proposal.
Runner = Callable[[Tensor, Tensor, Tensor], Tensor]

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
        runtime: one of `RUNTIMES`, or None for "native" on a CPU if the extra of this name is installed, else PyTorch.
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
        runtime: from `check_runtime`.
        layers: whose tensors are used as they are.

    Raises:
        NativeUnavailableError: if the native kernels can't be compiled, loaded or trusted.
    """
    if runtime == "native":
        from inference_core.engine.native import NativePass

        return NativePass(layers)
    if runtime == "cuda-graphs":
        from inference_core.engine.cuda_graph import GraphedPass

        return GraphedPass(partial(folded_proposal, layers=layers))
    return partial(_compiled() if runtime == "compiled" else folded_proposal, layers=layers)


@cache
def _compiled() -> Callable[..., Tensor]:
    """One for all runners: what was compiled serves every n and metabolite."""
    return torch.compile(folded_proposal)
