"""The folded pass on a CUDA GPU as graphs that are recorded once, whatever n and metabolite come.

A graph reads its filters where they lay when it was recorded. So there is one set of them, and a graph of its own fills
it for an n and a metabolite: changing these costs one launch instead of recording everything anew.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from inference_core.engine.cuda_graph import GraphedPass, recorded
from inference_core.engine.folded_pass import first_convolution, folded_proposal
from inference_core.engine.layers import Layers
from inference_core.networks.conditioning import Condition


def _tensors(layers: Layers) -> list[Tensor]:
    """All tensors, in a fixed order."""
    if isinstance(layers, Tensor):
        return [layers]
    return [tensor for part in layers for tensor in _tensors(part)]


def _copied(layers: Layers) -> Layers:
    """The same with tensors of their own, in the same memory formats."""
    if isinstance(layers, Tensor):
        return torch.empty_like(layers).copy_(layers)
    parts = [_copied(part) for part in layers]
    return type(layers)(*parts) if hasattr(layers, "_fields") else tuple(parts)


class GraphedRunners:
    """Gives the runner of each n and metabolite; all share filters and graphs.

    Args:
        make_layers: from a condition to its layers, by operations that don't wait for the GPU.
        device: a GPU, as torch names it.
        record: as `inference_core.engine.cuda_graph.recorded`.
    """

    def __init__(
        self,
        make_layers: Callable[[Condition], Layers],
        device: torch.device | str,
        record: Callable[..., Callable[[], None]] = recorded,
    ):
        self._make_layers, self._record, self._device = make_layers, record, torch.device(device)
        # Of all recordings: a thread that fills the filters must not meet one that uses them.
        self.lock = threading.RLock()
        self._held: tuple[float, int] | None = None
        self._condition = Condition.of(0, 0, 0, device)
        self.layers: Layers | None = None

    def runner(self, n: float, metabolite: int) -> "GraphedRunner":
        """What runs the pass for an n and a metabolite."""
        return GraphedRunner(self, (float(n), int(metabolite)))

    def hold(self, key: tuple[float, int]) -> Layers:
        """Make the shared filters those of an n and a metabolite; call it with `lock` held."""
        if key != self._held:
            wanted = Condition.of(*key, 0, self._device)
            self._condition.resolution.copy_(wanted.resolution)
            self._condition.metabolite.copy_(wanted.metabolite)
            if self.layers is None:
                self.layers = _copied(self._make_layers(self._condition))
                self._fill = self._record(self._write, self._device)
                self.finish = GraphedPass(partial(folded_proposal, layers=self.layers), self._record)
            self._fill()
            self._held = key
        return self.layers

    def _write(self) -> None:
        torch._foreach_copy_(_tensors(self.layers), _tensors(self._make_layers(self._condition)))


class GraphedRunner:
    """A `Runner` for one n and metabolite.

    Args:
        runners: whose filters and graphs it shares.
        key: n and metabolite.
    """

    def __init__(self, runners: GraphedRunners, key: tuple[float, int]):
        self._runners, self._key = runners, key

    def begin(self, upsampled: Tensor, t1: Tensor, flair: Tensor) -> tuple[Tensor, ...]:
        """Both encoders' first convolutions."""
        with self._runners.lock:
            layers = self._runners.hold(self._key)
            return tuple(first_convolution(upsampled, *pair) for pair in ((t1, layers.t1[0]), (flair, layers.flair[0])))

    def __call__(self, begun: Sequence[Tensor], affine: Tensor) -> Tensor:
        """As `folded_proposal`."""
        with self._runners.lock:
            self._runners.hold(self._key)
            return self._runners.finish(*begun, affine)
