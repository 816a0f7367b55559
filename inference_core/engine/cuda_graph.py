"""Work recorded as CUDA graphs: launched as a whole, without the cost of launching kernels one by one."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

#: Runs before recording, in which libraries choose their kernels and take their workspaces.
_WARM_UP = 3


def recorded(work: Callable[[], None], device: torch.device | str = "cuda") -> Callable[[], None]:
    """A function that repeats `work` on the same tensors.

    Args:
        work: nothing in it waits for the GPU; it is run a few times before it is recorded.
        device: a GPU, as torch names it.
    """
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
    return graph.replay


class _Recording:
    def __init__(self, run: Callable[..., Tensor], inputs: Sequence[Tensor], record: Callable):
        self._inputs = tuple(torch.empty_like(tensor).copy_(tensor) for tensor in inputs)

        def work() -> None:
            self._output = run(*self._inputs)

        self._repeat = record(work, inputs[0].device)

    def __call__(self, inputs: Sequence[Tensor]) -> Tensor:
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        self._repeat()
        # The next repetition overwrites the graph's own output.
        return self._output.clone()


class GraphedPass:
    """A function of CUDA tensors that is recorded for each batch size it meets.

    Args:
        run: from tensors to one tensor; without side effects, and with nothing in it that waits for the GPU. Other
            tensors that it reads must stay where they are; what they hold may change.
        record: as `recorded`.
    """

    def __init__(self, run: Callable[..., Tensor], record: Callable = recorded):
        self._run, self._record = run, record
        self._recordings: dict[tuple, _Recording] = {}

    def __call__(self, *inputs: Tensor) -> Tensor:
        """What `run` gives; the tensors' shapes tell which recording to launch."""
        key = tuple(tensor.shape for tensor in inputs)
        if key not in self._recordings:
            self._recordings[key] = _Recording(self._run, inputs, self._record)
        return self._recordings[key](inputs)
