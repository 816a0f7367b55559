"""The folded pass through the native kernels: layer by layer, as `folded_proposal`."""

import ctypes
import threading
import weakref
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from inference_core.conditions import MRI_UPSAMPLING as DEPTH
from inference_core.engine.layers import Layer, Layers
from inference_core.engine.native.compiler import NativeUnavailableError, load_kernels
from inference_core.networks.blocks import NORM_EPSILON

#: Most channels that a convolution reads or writes.
_MOST_CHANNELS = 256
_EPSILON = ctypes.c_float(NORM_EPSILON)
#: The kernels' buffers serve one pass at a time.
_LOCK = threading.Lock()


class _Source(ctypes.Structure):
    """Features, and what is to be applied to them when they are read; as the kernels declare it."""

    _fields_ = (
        ("raw", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("shift", ctypes.c_void_p),
        ("slopes", ctypes.c_void_p),
        ("channels", ctypes.c_long),
    )


class _Features(NamedTuple):
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


_BUFFERS = _Buffers()


@cache
def _engine() -> ctypes.c_void_p:
    """Threads, as many as PyTorch uses at the first call, and buffers; for as long as the process lives."""
    return ctypes.c_void_p(load_kernels().engine_create(torch.get_num_threads(), _MOST_CHANNELS))


def _pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _sources(features: Sequence[_Features]) -> ctypes.Array:
    sources = (_Source * len(features))(*(_Source(*(t.data_ptr() for t in own), own.raw.shape[-1]) for own in features))
    # The pointers alone would not keep the tensors.
    sources.features = features
    return sources


@cache
def _nothing(channels: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.ones(channels), torch.zeros(channels), torch.ones(channels)


def _as_is(raw: Tensor) -> _Features:
    """Features to which nothing is to be applied any more."""
    return _Features(raw, *_nothing(raw.shape[-1]))


class _Filters:
    """A convolution's filters as the kernels want them."""

    def __init__(self, filters: Tensor):
        library = load_kernels()
        contiguous = filters.contiguous()
        self.outputs = len(filters)
        self.handle = ctypes.c_void_p(library.filters_create(*filters.shape[:2], _pointer(contiguous)))
        weakref.finalize(self, library.filters_destroy, self.handle)


@cache
def check_kernels() -> None:
    """Compare a convolution with PyTorch's, once in a process: a compiler may be wrong, too.

    Raises:
        NativeUnavailableError: if they differ.
    """
    generator = torch.Generator().manual_seed(0)
    features, filters = (torch.randn(s, generator=generator) for s in ((1, 24, 16, 20), (32, 24, 3, 3)))
    convolution = _Filters(filters)
    output = torch.empty(16, 20, 32)
    load_kernels().convolve(
        _engine(),
        convolution.handle,
        _sources([_as_is(features[0].permute(1, 2, 0).contiguous())]),
        1,
        16,
        20,
        *(_pointer(t) for t in (None, output)),
        1,
        *(_pointer(None) for _ in range(2)),
        _EPSILON,
        *(_pointer(None) for _ in range(2)),
    )
    expected = F.conv2d(features, filters, padding=1)[0].permute(1, 2, 0)
    if not (output - expected).abs().max() < 1e-3 * expected.std():
        raise NativeUnavailableError(
            "The native kernels were compiled but compute something else than PyTorch: use pytorch, and report this."
        )


class NativePass:
    """The folded pass on the CPU in float32.

    Args:
        layers: from `assemble_layers`.

    Raises:
        NativeUnavailableError: if the kernels can't be compiled or loaded, or compute something else than PyTorch.
    """

    def __init__(self, layers: Layers):
        self._kernels = load_kernels()
        check_kernels()
        self._engine = _engine()
        self._layers = layers
        self._sizes = [len(layer.slopes) for layer in (*layers.t1, *layers.flair, *layers.decoder)]
        self._filters = {id(own): _Filters(own.filters) for own in self._all_convolutions()}
        # The head's filters hold one slice's weights in each slice's places.
        self._head_weights = layers.head.filters[..., 0, 0].sum(dim=0).contiguous()
        self._head_bias = ctypes.c_float(layers.head.bias[0].item())

    def _all_convolutions(self):
        layers = self._layers
        return (*layers.t1[1:], *layers.flair[1:], *layers.decoder, *layers.upsampling)

    def __call__(self, t1_first: Tensor, flair_first: Tensor, affine: Tensor) -> Tensor:
        """As `folded_proposal`."""
        with _LOCK:
            slices = [self._slice(t1, flair, affine) for t1, flair in zip(t1_first, flair_first, strict=True)]
        return torch.stack(slices)[:, None]

    def _slice(self, t1_first: Tensor, flair_first: Tensor, affine: Tensor) -> Tensor:
        layers = self._layers
        _BUFFERS.rewind()
        each = iter(pair.contiguous() for pair in affine.split(self._sizes, dim=1))
        encoders = []
        for first, own in ((t1_first, layers.t1), (flair_first, layers.flair)):
            encoders.append(self._encode(first.permute(1, 2, 0).contiguous(), own, each))
        t1, flair = encoders
        features = [t1.pop(), flair.pop()]
        for index, upsampling in enumerate(layers.upsampling):
            depth = DEPTH if len(t1) == 1 else 1
            enlarged = self._upsample(features)
            decoded = self._convolve([_as_is(enlarged)], upsampling, bias=upsampling.bias)
            features = [_as_is(decoded), t1.pop(), flair.pop()]
            for layer in layers.decoder[2 * index : 2 * index + 2]:
                features = [self._layer(features, layer, next(each), depth)]
        rows, columns, _ = features[0].raw.shape
        output = torch.empty(rows // DEPTH, columns // DEPTH)
        self._kernels.head(
            self._engine,
            _sources(features),
            rows,
            columns,
            _pointer(self._head_weights),
            self._head_bias,
            _pointer(output),
        )
        return output

    def _encode(self, first: Tensor, layers: Sequence[Layer], each) -> list[_Features]:
        features = self._measured(first, layers[0], next(each))
        levels = [self._layer([features], layers[1], next(each), DEPTH)]
        for index in range(2, len(layers), 2):
            features = _as_is(self._pool(levels[-1], DEPTH if index == 2 else 1))
            for layer in layers[index : index + 2]:
                features = self._layer([features], layer, next(each), 1)
            levels.append(features)
        return levels

    def _measured(self, raw: Tensor, layer: Layer, affine: Tensor) -> _Features:
        result = torch.empty_like(affine)
        self._kernels.measure(
            self._engine, _pointer(raw), *raw.shape, DEPTH, *map(_pointer, affine), _EPSILON, *map(_pointer, result)
        )
        return _Features(raw, *result, layer.slopes)

    def _layer(self, features: list[_Features], layer: Layer, affine: Tensor, depth: int) -> _Features:
        normed = torch.empty_like(affine)
        raw = self._convolve(features, layer, depth=depth, affine=affine, normed=normed)
        return _Features(raw, *normed, layer.slopes)

    def _convolve(self, features: list[_Features], layer, bias=None, depth=1, affine=None, normed=None) -> Tensor:
        rows, columns, _ = features[0].raw.shape
        filters = self._filters[id(layer)]
        output = _BUFFERS.take(rows, columns, filters.outputs)
        gamma, beta = (None, None) if affine is None else affine
        scale, shift = (None, None) if normed is None else normed
        self._kernels.convolve(
            self._engine,
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
        return output

    def _pool(self, features: _Features, depth: int) -> Tensor:
        rows, columns, channels = features.raw.shape
        output = _BUFFERS.take(rows // 2, columns // 2, channels // depth)
        self._kernels.pool(self._engine, _sources([features]), rows, columns, depth, _pointer(output))
        return output

    def _upsample(self, features: list[_Features]) -> Tensor:
        rows, columns, _ = features[0].raw.shape
        channels = sum(own.raw.shape[-1] for own in features)
        activated, output = _BUFFERS.take(rows, columns, channels), _BUFFERS.take(2 * rows, 2 * columns, channels)
        self._kernels.upsample(
            self._engine, _sources(features), len(features), rows, columns, _pointer(activated), _pointer(output)
        )
        return output
