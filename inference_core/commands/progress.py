"""Progress bars on terminals; none in logs and pipes."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any


class _NoBar:
    """What stands for a bar where tqdm is not installed."""

    def __init__(self, iterable: Iterable | None = None):
        self._iterable = iterable

    def __iter__(self) -> Iterator:
        return iter(self._iterable or ())

    def __enter__(self) -> "_NoBar":
        return self

    def __exit__(self, *error) -> None:
        pass

    def update(self, count: int = 1) -> None:
        """Nothing."""

    def set_postfix(self, *values, **options) -> None:
        """Nothing."""

    def set_postfix_str(self, *values, **options) -> None:
        """Nothing."""


def progress_bar(iterable: Iterable | None = None, disable: bool = False, **options: Any):
    """tqdm's bar, or one that shows nothing: in a log, without tqdm, or if it is to be `disable`d."""
    with contextlib.suppress(ModuleNotFoundError):
        from tqdm import tqdm

        # None: only where standard error is a terminal.
        return tqdm(iterable, disable=disable or None, **options)
    return _NoBar(iterable)
