"""Keeping two runs from making one patient's results at the same time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inference_core.batch_patient import BatchCancelled

_FOLDER = ".locks"
#: Seconds between two tries.
_PATIENCE = 0.2


@contextmanager
def patient_lock(output: Path, place: str, cancelled: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Have a patient's results to oneself; waits while another run, on this machine or one with the same disk, has it.

    The operating system drops the lock of a process that was killed.

    Args:
        output: folder of the results.
        place: the patient's folder in it.
        cancelled: asked while waiting.

    Raises:
        BatchCancelled: as soon as `cancelled` answers True.
    """
    from filelock import FileLock, Timeout

    folder = output / _FOLDER
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / f"{place.replace('/', '_')}.lock")
    while True:
        if cancelled():
            raise BatchCancelled
        try:
            lock.acquire(timeout=_PATIENCE)
            break
        except Timeout:
            continue
    try:
        yield
    finally:
        lock.release()
