"""The folded pass through the native kernels: layer by layer, as `folded_proposal`."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from inference_core.engine.folded_pass import first_convolution, folded_proposal
from inference_core.engine.layers import Convolution, Layer, Layers
from inference_core.engine.native import kernels
from inference_core.engine.native.compiler import NativeUnavailableError
from inference_core.engine.native.kernels import BUFFERS, Features, Filters, as_is
from inference_core.terms.conditions import MRI_UPSAMPLING as DEPTH

#: Rows and columns of the images that a pass is compared with PyTorch's on, and the largest difference.
_CHECKED_SIZE, _TOLERANCE = 64, 1e-4

_trusted = False


class NativePass:
    """The folded pass on the CPU in float32.

    Args:
        layers: from `assemble_layers`.

    Raises:
        NativeUnavailableError: if the kernels can't be compiled or loaded, or compute something else than PyTorch.
    """

    def __init__(self, layers: Layers):
        self._layers = layers
        self._sizes = [len(layer.slopes) for layer in (*layers.t1, *layers.flair, *layers.decoder)]
        with kernels.lock():
            own = (*layers.t1, *layers.flair, *layers.decoder, *layers.upsampling)
            self._filters = {id(convolution): Filters(convolution.filters) for convolution in own}
        # The head's filters hold one slice's weights in each slice's places.
        self._head_weights = layers.head.filters[..., 0, 0].sum(dim=0).contiguous()
        self._head_bias = layers.head.bias[0].item()
        if not _trusted:
            self._check()

    def _check(self) -> None:
        """Compare a pass with PyTorch's, once in a process: a compiler may be wrong, too."""
        global _trusted
        generator = torch.Generator().manual_seed(0)
        shapes = (_CHECKED_SIZE, _CHECKED_SIZE), (_CHECKED_SIZE, _CHECKED_SIZE, DEPTH)
        upsampled, t1, flair = (torch.rand((1, 1, *shapes[i]), generator=generator) for i in (0, 1, 1))
        affine = torch.rand((2, sum(self._sizes)), generator=generator)
        layers = self._layers
        first = (first_convolution(upsampled, mri, own[0]) for mri, own in ((t1, layers.t1), (flair, layers.flair)))
        expected = folded_proposal(*first, affine, layers)
        output = self(self.begin(upsampled, t1, flair), affine)
        # Also refuses NaN.
        if not (output - expected).abs().max() < _TOLERANCE:
            raise NativeUnavailableError(
                "The native kernels were compiled but compute something else than PyTorch: use pytorch, and report "
                "this."
            )
        _trusted = True

    def begin(self, upsampled: Tensor, t1: Tensor, flair: Tensor) -> tuple[Tensor, ...]:
        """Both encoders' first convolutions, and the scale and shift of their instance norms.

        Args:
            upsampled: `(batch, 1, row, column)`.
            t1: `(batch, 1, row, column, 3)`.
            flair: like `t1`.
        """
        kept = []
        with kernels.lock():
            for mri, layer in ((t1, self._layers.t1[0]), (flair, self._layers.flair[0])):
                filters = self._filters[id(layer)]
                raw = torch.empty(len(mri), *mri.shape[2:4], filters.outputs)
                norms = torch.empty(len(mri), 2, filters.outputs)
                plain = torch.stack((torch.ones(filters.outputs), torch.zeros(filters.outputs)))
                for index in range(len(mri)):
                    BUFFERS.rewind()
                    images = kernels.first_features(upsampled[index, 0].contiguous(), mri[index, 0].contiguous())
                    kernels.convolve([as_is(images)], filters, raw[index], None, DEPTH, plain, norms[index])
                kept += [raw, norms]
        return tuple(kept)

    def __call__(self, begun: Sequence[Tensor], affine: Tensor) -> Tensor:
        """As `folded_proposal`, from what `begin` gave."""
        rows, columns = begun[0].shape[1:3]
        output = torch.empty(len(begun[0]), 1, rows // DEPTH, columns // DEPTH)
        with kernels.lock():
            for index in range(len(output)):
                self._slice([part[index] for part in begun], affine, output[index, 0])
        return output

    def _slice(self, begun: Sequence[Tensor], affine: Tensor, output: Tensor) -> None:
        layers = self._layers
        BUFFERS.rewind()
        each = iter(pair.contiguous() for pair in affine.split(self._sizes, dim=1))
        t1 = self._encode(*begun[:2], layers.t1, each)
        flair = self._encode(*begun[2:], layers.flair, each)
        features = [t1.pop(), flair.pop()]
        for index, upsampling in enumerate(layers.upsampling):
            depth = DEPTH if len(t1) == 1 else 1
            decoded = self._convolve([as_is(kernels.upsample(features))], upsampling, upsampling.bias)
            features = [as_is(decoded), t1.pop(), flair.pop()]
            for layer in layers.decoder[2 * index : 2 * index + 2]:
                features = [self._layer(features, layer, next(each), depth)]
        kernels.head(features[0], self._head_weights, self._head_bias, output)

    def _encode(self, first: Tensor, norm: Tensor, layers: Sequence[Layer], each: Iterator[Tensor]) -> list[Features]:
        """All levels' features, finest first."""
        gamma, beta = next(each)
        features = Features(first, gamma * norm[0], torch.addcmul(beta, gamma, norm[1]), layers[0].slopes)
        levels = [self._layer([features], layers[1], next(each), DEPTH)]
        for index in range(2, len(layers), 2):
            features = as_is(kernels.pool(levels[-1], DEPTH if index == 2 else 1))
            for layer in layers[index : index + 2]:
                features = self._layer([features], layer, next(each), 1)
            levels.append(features)
        return levels

    def _layer(self, features: Sequence[Features], layer: Layer, affine: Tensor, depth: int) -> Features:
        normed = torch.empty_like(affine)
        raw = self._convolve(features, layer, None, depth, affine, normed)
        return Features(raw, *normed, layer.slopes)

    def _convolve(self, features: Sequence[Features], layer: Layer | Convolution, *norm) -> Tensor:
        rows, columns, _ = features[0].raw.shape
        filters = self._filters[id(layer)]
        output = BUFFERS.take(rows, columns, filters.outputs)
        kernels.convolve(features, filters, output, *norm)
        return output
