"""Keeping two runs from making one patient's results at the same time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inference_core.batch.patient_maps import BatchCancelled
from inference_core.errors import InputError

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
        InputError: if the folder can't be written, or its disk knows no locks.
    """
    from filelock import FileLock, Timeout

    folder = output / _FOLDER
    try:
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / f"{place.replace('/', '_')}.lock")
        while not lock.is_locked:
            if cancelled():
                raise BatchCancelled
            # Another run's, until it is through.
            with suppress(Timeout):
                lock.acquire(timeout=_PATIENCE)
    except (OSError, NotImplementedError) as error:
        raise InputError(
            f"'{folder}' can't hold the locks that keep two runs apart ({error}): check its permissions and disk."
        ) from error
    try:
        yield
    finally:
        lock.release()
