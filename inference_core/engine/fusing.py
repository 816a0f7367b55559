"""Fuses small kernels by PyTorch's compiler, where that works."""

import warnings
from collections.abc import Callable
from typing import Any

import torch

from inference_core.errors import InputWarning


def fused(function: Callable[..., Any], backend: str = "inductor") -> Callable[..., Any]:
    """`function` compiled as a whole at its first call; as it is if the compiler can't.

    Args:
        function: of tensors, whose shapes are always the same.
        backend: of PyTorch's compiler.

    Warns:
        InputWarning: at the first call, if the compiler can't, with the reason.
    """
    compiled = torch.compile(function, fullgraph=True, dynamic=False, backend=backend)
    chosen: list[Callable[..., Any]] = []

    def call(*arguments):
        if chosen:
            return chosen[0](*arguments)
        try:
            result = compiled(*arguments)
            chosen.append(compiled)
        except Exception as error:  # the compiler and what it starts raise many kinds
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            warnings.warn(
                f"PyTorch's compiler failed, so that batches are made by many small kernels ({reason}).",
                InputWarning,
                stacklevel=2,
            )
            chosen.append(function)
            result = function(*arguments)
        return result

    return call
