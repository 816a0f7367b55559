"""Keeping two runs from making one patient's results at the same time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inference_core.batch.patient_maps import BatchCancelled
from inference_core.files.locks import file_lock

_FOLDER = ".locks"


@contextmanager
def patient_lock(output: Path, bids_path: str, cancelled: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Have a patient's results to oneself; waits while another run, on this machine or one with the same disk, has it.

    Args:
        output: folder of the results.
        bids_path: the patient's folder in it.
        cancelled: asked while waiting.

    Raises:
        BatchCancelled: as soon as `cancelled` answers True.
        InputError: if the folder can't be written, or its disk knows no locks.
    """

    def waiting() -> None:
        if cancelled():
            raise BatchCancelled

    with file_lock(output / _FOLDER / f"{bids_path.replace('/', '_')}.lock", waiting):
        yield
