"""A network's output, computed faster; for networks whose weights no longer change.

What does not depend on lambda is computed once and kept: the filters of each n and metabolite, and of each slice
the encoders' first convolutions. So a new lambda costs less than a new metabolite.
"""

import warnings
from collections import OrderedDict
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from inference_core.engine.graphed_runners import GraphedRunners
from inference_core.engine.heads import make_heads
from inference_core.engine.layers import Layers, assemble_layers
from inference_core.engine.native import NativeUnavailableError
from inference_core.engine.runtimes import PRECISIONS, Runner, check_runtime, make_runner
from inference_core.engine.threads import one_thread
from inference_core.errors import InputWarning
from inference_core.networks.conditioning import Condition
from inference_core.networks.kspace import enforce_data_consistency, measured_kspace, pad, to_image, to_kspace
from inference_core.networks.unet import MultiEncoderUNet, upsample_map
from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX, TRAINED_RESOLUTION

_MATRIX = (SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX)
#: Pairs of n and metabolite whose filters are kept: all metabolites of two studies.
_KEPT_CONDITIONS = 14


@dataclass(frozen=True)
class KeptSlices:
    """What a batch of slices and the condition give before lambda matters.

    Attributes:
        measured: k-space of the low-resolution maps, from `measured_kspace`.
        begun: what the runner gave.
        runner: what finishes the pass.
    """

    measured: Tensor
    begun: tuple[Tensor, ...]
    runner: Runner

    @property
    def bytes(self) -> int:
        """Memory that the tensors take."""
        return sum(t.numel() * t.element_size() for t in (self.measured, *self.begun))


def _convert(layers: Layers, dtype: torch.dtype) -> Layers:
    def convert(part):
        if isinstance(part, Tensor):
            return part.to(dtype)
        converted = [convert(inner) for inner in part]
        return type(part)(*converted) if hasattr(part, "_fields") else tuple(converted)

    return convert(layers)


class Engine:
    """Computes the output of a network by the folded pass.

    Args:
        network: one that `can_be_folded`; moved to `device`, and not to be trained
            from then on.
        device: as torch names it.
        runtime: what runs the pass, one of `RUNTIMES`; None for the best that is installed.
        precision: of the convolutions, one of `PRECISIONS`; k-space is always float32.

    Attributes:
        runtime: what runs the pass.
        network: as given.

    Raises:
        InputError: for a runtime or precision that is unknown or does not go with the device, or native kernels that
            were asked for and can't be had.

    Warns:
        InputWarning: if the native kernels are installed but can't be had, and PyTorch takes their place.
    """

    #: Whether `propose` gives what the network proposes before data consistency.
    proposes = True

    def __init__(
        self,
        network: MultiEncoderUNet,
        device: str = "cpu",
        runtime: str | None = None,
        precision: str = "float32",
    ):
        self.runtime = check_runtime(runtime, precision, device)
        self._device, self._dtype = torch.device(device), PRECISIONS[precision]
        self.network = network.to(device).eval()
        with torch.inference_mode():
            self._heads = make_heads(self.network)
        self._graphed = None
        if self.runtime == "cuda-graphs":
            self._graphed = GraphedRunners(self._layers, device)
        self._conditioned: OrderedDict[tuple[float, int], Runner] = OrderedDict()
        if self.runtime == "native":
            self._try_native(asked_for=runtime is not None)

    def _try_native(self, asked_for: bool) -> None:
        """Compile the kernels now rather than under the user's first slice; without them, PyTorch does as well."""
        try:
            with torch.inference_mode():
                self._condition(TRAINED_RESOLUTION[0], 0)
        except NativeUnavailableError as error:
            if asked_for:
                raise
            warnings.warn(str(error), InputWarning, stacklevel=4)
            self.runtime = "pytorch"

    def __call__(
        self, low_resolution: Tensor, t1: Tensor, flair: Tensor, n: float, metabolite: int, sharpness: float
    ) -> Tensor:
        """As `MultiEncoderUNet.forward`, without gradients."""
        return self.finish(self.keep(low_resolution, t1, flair, n, metabolite), sharpness)

    def _threads(self) -> AbstractContextManager:
        return one_thread() if self.runtime == "native" else nullcontext()

    @torch.inference_mode()
    def keep(self, low_resolution: Tensor, t1: Tensor, flair: Tensor, n: float, metabolite: int) -> KeptSlices:
        """All that does not depend on lambda; arguments as `MultiEncoderUNet.forward` takes them."""
        with self._threads():
            runner = self._condition(n, metabolite)
            measured = measured_kspace(low_resolution, _MATRIX)
            upsampled = upsample_map(to_image(pad(measured, _MATRIX)).abs())
            begun = runner.begin(*(images.to(self._dtype) for images in (upsampled, t1, flair)))
            return KeptSlices(measured, begun, runner)

    @torch.inference_mode()
    def propose(self, kept: KeptSlices, sharpness: float) -> Tensor:
        """What the network proposes for a lambda, before data consistency: `(batch, 1, 64, 64)`, 0 to 1."""
        with self._threads():
            # n and metabolite play no part in the norms.
            affine = self._heads.affine(Condition.of(0, 0, sharpness, self._device)).to(self._dtype)
            return kept.runner(kept.begun, affine).float()

    @torch.inference_mode()
    def finish(self, kept: KeptSlices, sharpness: float, gain: Tensor | None = None) -> Tensor:
        """The super-resolved maps, `(batch, 1, 64, 64)`, for a lambda.

        Args:
            kept: from `keep`.
            sharpness: lambda.
            gain: what the proposal's k-space is multiplied by before data consistency, real `(64, 64)`; None for 1.
        """
        proposed = self.propose(kept, sharpness)
        with self._threads():
            if gain is not None:
                proposed = to_image(to_kspace(proposed) * gain)
            return enforce_data_consistency(proposed, kept.measured).abs()

    def forget(self) -> None:
        """Drop the filters that are kept."""
        self._conditioned.clear()

    def _condition(self, n: float, metabolite: int) -> Runner:
        key = (float(n), int(metabolite))
        if key not in self._conditioned:
            self._conditioned[key] = self._make_runner(*key)
            if len(self._conditioned) > _KEPT_CONDITIONS:
                self._conditioned.popitem(last=False)
        self._conditioned.move_to_end(key)
        return self._conditioned[key]

    def _make_runner(self, n: float, metabolite: int) -> Runner:
        if self._graphed is not None:
            return self._graphed.runner(n, metabolite)
        return make_runner(self.runtime, self._layers(Condition.of(n, metabolite, 0, self._device)))

    def _layers(self, condition: Condition) -> Layers:
        return _convert(assemble_layers(self.network, self._heads.filters(condition)), self._dtype)
