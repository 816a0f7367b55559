"""Locks between processes, on this machine or others with the same disk; the system drops those of killed ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inference_core.errors import InputError

#: Seconds between two tries.
_RETRY_S = 0.2


@contextmanager
def file_lock(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock; waits while another process or thread holds it.

    Args:
        path: of the lock's file, which stays; its folder is made if only that is missing.
        waiting: called now and then while waiting; what it raises ends that.

    Raises:
        InputError: if the file can't be written, or its disk knows no locks.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        path.parent.mkdir(exist_ok=True)
        while not lock.is_locked:
            waiting()
            # Another one's, until it is through.
            with suppress(Timeout):
                lock.acquire(timeout=_RETRY_S)
    except (OSError, NotImplementedError) as error:
        raise InputError(
            f"'{path.parent}' can't hold the locks that keep two runs apart ({error}): check its permissions and disk."
        ) from error
    try:
        yield
    finally:
        lock.release()
