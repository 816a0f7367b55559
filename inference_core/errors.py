"""What the core raises for bad input, and what it warns of."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Input that can't be used.

    The message is one sentence for the user: what is wrong, where, and what to do about it. The command line
    and the Slicer module show it as it is, without a traceback.
    """


class InputWarning(UserWarning):
    """Input that was used, but whose result deserves a second look; the message is one sentence for the user."""


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect what the user is warned of, each sentence once; other warnings go where they would have gone.

    The list that it gives is filled when the context ends.
    """
    sentences: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield sentences
    for one in caught:
        if not issubclass(one.category, InputWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        elif str(one.message) not in sentences:
            sentences.append(str(one.message))


def warn_of(sentences: Iterable[str]) -> None:
    """Warn the user of each sentence, as an `InputWarning` of the caller's caller."""
    for sentence in sentences:
        warnings.warn(sentence, InputWarning, stacklevel=3)
