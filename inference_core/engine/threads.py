"""How many threads PyTorch uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep PyTorch on one thread meanwhile.

    After each parallel operation, its other threads spin for milliseconds in case there is another one soon, and take
    the cores from the native kernels' threads. What PyTorch does between these is too little to be shared out anyway.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
