"""The pass as a CUDA graph: recorded once for each batch size, then launched as a whole."""

import torch
from torch import Tensor

#: Passes before recording, in which libraries choose their kernels and take their workspaces.
_WARM_UP = 3


class _Recording:
    def __init__(self, run, inputs: tuple[Tensor, ...]):
        self._inputs = tuple(torch.empty_like(tensor).copy_(tensor) for tensor in inputs)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                run(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = run(*self._inputs)

    def __call__(self, inputs: tuple[Tensor, ...]) -> Tensor:
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        self._graph.replay()
        # The next replay overwrites the graph's own output.
        return self._output.clone()


class GraphedPass:
    """A function of CUDA tensors that is recorded for each batch size it meets.

    Args:
        run: from tensors to one tensor; without side effects, and with nothing in it that waits for the GPU.
    """

    def __init__(self, run):
        self._run = run
        self._recordings: dict[tuple, _Recording] = {}

    def __call__(self, *inputs: Tensor) -> Tensor:
        """What `run` gives; the tensors' shapes tell which recording to launch."""
        key = tuple(tensor.shape for tensor in inputs)
        if key not in self._recordings:
            self._recordings[key] = _Recording(self._run, inputs)
        return self._recordings[key](inputs)
