"""The native kernels on tensors: threads, buffers, and a function for each kernel.

Features are `(row, column, channel)` float32, with a multiple of 8 channels. Callers hold `lock()`.
"""

import ctypes
import os
import threading
import weakref
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from inference_core.engine.native.compiler import load_kernels
from inference_core.networks.blocks import NORM_EPSILON

#: Most channels that a convolution reads, and that it writes.
_MOST_INPUTS, _MOST_OUTPUTS = 256, 128
#: Channels that the kernels take at once.
_LANE = 8
_EPSILON = ctypes.c_float(NORM_EPSILON)


class _Source(ctypes.Structure):
    """Features, and what is to be applied to them when they are read; as the kernels declare it."""

    _fields_ = (
        ("raw", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("shift", ctypes.c_void_p),
        ("slopes", ctypes.c_void_p),
        ("channels", ctypes.c_long),
    )


class Features(NamedTuple):
    """`raw`, `(row, column, channel)`, with the scale, shift and slope of each channel that are yet to be applied."""

    raw: Tensor
    scale: Tensor
    shift: Tensor
    slopes: Tensor


class _Buffers:
    """Memory for a pass's features, taken anew from the system only once: doing so costs as much as using it.

    A pass asks for the same shapes in the same order as the one before.
    """

    def __init__(self):
        self._tensors: list[Tensor] = []
        self._next = 0

    def rewind(self) -> None:
        """Begin a pass."""
        self._next = 0

    def take(self, *shape: int) -> Tensor:
        """The next buffer."""
        if self._next == len(self._tensors) or self._tensors[self._next].shape != shape:
            del self._tensors[self._next :]
            self._tensors.append(torch.empty(shape))
        self._next += 1
        return self._tensors[self._next - 1]


#: Features of the pass under way.
BUFFERS = _Buffers()
_lock = threading.Lock()


def lock() -> threading.Lock:
    """What lets one thread at a time use the kernels, whose own threads and buffers are shared."""
    return _lock


@cache
def _engine() -> ctypes.c_void_p:
    """Threads, as many as PyTorch uses at the first call, and their scratch; for as long as the process lives."""
    return ctypes.c_void_p(load_kernels().engine_create(torch.get_num_threads(), _MOST_INPUTS))


def _start_anew() -> None:
    """After a fork: the kernels' threads do not exist in the new process, and one of them may have held the lock."""
    global _lock
    _lock = threading.Lock()
    _engine.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


def _pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _sources(features: Sequence[Features]) -> ctypes.Array:
    sources = (_Source * len(features))(*(_Source(*(t.data_ptr() for t in own), own.raw.shape[-1]) for own in features))
    # The pointers alone would not keep the tensors.
    sources.features = features
    return sources


@cache
def _nothing(channels: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.ones(channels), torch.zeros(channels), torch.ones(channels)


def as_is(raw: Tensor) -> Features:
    """Features to which nothing is to be applied any more."""
    return Features(raw, *_nothing(raw.shape[-1]))


class Filters:
    """A convolution's filters as the kernels want them.

    Args:
        filters: `(output, input, 3, 3)`; inputs are padded with zeros to a multiple of 8.

    Raises:
        ValueError: for numbers of channels that the kernels can't do.
    """

    def __init__(self, filters: Tensor):
        self.outputs, inputs = filters.shape[:2]
        padding = -inputs % _LANE
        if inputs + padding > _MOST_INPUTS or self.outputs > _MOST_OUTPUTS or self.outputs % _LANE:
            raise ValueError(f"the kernels can't convolve {inputs} to {self.outputs} channels")
        ordered = F.pad(filters.permute(1, 2, 3, 0), (0, 0, 0, 0, 0, 0, 0, padding)).contiguous()
        library = load_kernels()
        created = library.filters_create(_engine(), self.outputs, inputs + padding, _pointer(ordered))
        self.handle = ctypes.c_void_p(created)
        weakref.finalize(self, library.filters_destroy, self.handle)


def convolve(
    features: Sequence[Features],
    filters: Filters,
    output: Tensor,
    bias: Tensor | None = None,
    depth: int = 1,
    affine: Tensor | None = None,
    normed: Tensor | None = None,
) -> None:
    """A convolution of features, one beside the other.

    Args:
        features: what to convolve, activated on the way.
        filters: the convolution's.
        output: `(row, column, output)`, written to.
        bias: `(output,)`.
        depth: channels that one instance norm takes together.
        affine: scale and shift that follow the norm, `(2, output)`.
        normed: written to, like `affine`: scale and shift that do both, norm and affine map.
    """
    gamma, beta = (None, None) if affine is None else affine
    scale, shift = (None, None) if normed is None else normed
    rows, columns, _ = features[0].raw.shape
    load_kernels().convolve(
        _engine(),
        filters.handle,
        _sources(features),
        len(features),
        rows,
        columns,
        _pointer(bias),
        _pointer(output),
        depth,
        _pointer(gamma),
        _pointer(beta),
        _EPSILON,
        _pointer(scale),
        _pointer(shift),
    )


def first_features(upsampled: Tensor, mri: Tensor) -> Tensor:
    """What an encoder's first convolution reads, padded: `(row, column, 8)`.

    Args:
        upsampled: `(row, column)`, contiguous.
        mri: `(row, column, slice)`, contiguous.
    """
    output = BUFFERS.take(*upsampled.shape, _LANE)
    load_kernels().first_features(_engine(), _pointer(upsampled), _pointer(mri), *mri.shape, _pointer(output))
    return output


def pool(features: Features, depth: int) -> Tensor:
    """Activated features' maxima over 2 x 2 pixels and `depth` adjacent channels."""
    rows, columns, channels = features.raw.shape
    if channels > _MOST_OUTPUTS:
        raise ValueError(f"the kernels can't pool {channels} channels")
    output = BUFFERS.take(rows // 2, columns // 2, channels // depth)
    load_kernels().pool(_engine(), _sources([features]), rows, columns, depth, _pointer(output))
    return output


def upsample(features: Sequence[Features]) -> Tensor:
    """Activated features, one beside the other, twice as fine: linear, corners aligned."""
    rows, columns, _ = features[0].raw.shape
    channels = sum(own.raw.shape[-1] for own in features)
    activated, output = BUFFERS.take(rows, columns, channels), BUFFERS.take(2 * rows, 2 * columns, channels)
    load_kernels().upsample(
        _engine(), _sources(features), len(features), rows, columns, _pointer(activated), _pointer(output)
    )
    return output


def head(features: Features, weights: Tensor, bias: float, output: Tensor) -> None:
    """Each slice's channels weighted, a sigmoid, and the mean over 3 x 3 pixels and 3 slices, into `output`.

    Args:
        features: folded, 3 slices deep.
        weights: `(channel,)`.
        bias: added before the sigmoid.
        output: `(row // 3, column // 3)`, written to.
    """
    rows, columns, _ = features.raw.shape
    load_kernels().head(
        _engine(), _sources([features]), rows, columns, _pointer(weights), ctypes.c_float(bias), _pointer(output)
    )
