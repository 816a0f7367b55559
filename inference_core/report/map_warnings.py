"""What is warned of while a patient's maps are super-resolved, with the maps that it is about."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from inference_core.errors import InputWarning


class MapWarnings:
    """Warnings by map; its `done` is what `super_resolve_patient` takes as progress."""

    def __init__(self, names: Sequence[str]):
        self._names = list(names)
        self._caught: list[warnings.WarningMessage] = []
        self._ends: list[int] = []

    def done(self, done: int, _: int) -> None:
        """The first `done` maps are through."""
        self._ends += [len(self._caught)] * (done - len(self._ends))

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Collect meanwhile; afterwards all are shown as they would have been."""
        with warnings.catch_warnings(record=True) as self._caught:
            warnings.simplefilter("always", InputWarning)
            yield
        for one in self._caught:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)

    def sentences(self) -> list[str]:
        """Each warning once, with the maps' names in front unless it is about all of them."""
        about: dict[str, list[str]] = {}
        for place, one in enumerate(self._caught):
            if issubclass(one.category, InputWarning):
                own = about.setdefault(str(one.message), [])
                index = sum(end <= place for end in self._ends)
                if index < len(self._names) and self._names[index] not in own:
                    own.append(self._names[index])
        return [
            text if len(names) in (0, len(self._names)) else f"{', '.join(names)}: {text}"
            for text, names in about.items()
        ]
