"""Slices on disk, one file a patient, read one at a time: for cohorts that outgrow memory, or that processes share."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from inference_core.errors import InputError
from inference_core.files.atomic import write_file
from inference_core.research.data.slice_set import SliceSet

_MAPS = ("acquired", "target", "valid")
_MRI = ("t1", "flair")
#: The header's one entry: JSON that says what the slices were made from.
_ORIGIN = "origin"


def store_slices(slices: SliceSet, path: Path, origin: Mapping[str, Any]) -> None:
    """Write a patient's slices; a kill at any moment leaves all of the file or nothing.

    Args:
        slices: of one patient.
        path: ends in .safetensors; replaced if it exists.
        origin: all that the slices depend on, as JSON holds it.

    Raises:
        InputError: if the file can't be written.
    """
    arrays = {name: getattr(slices, name) for name in (*_MAPS, *_MRI)} | {"usable": slices.usable()}
    # safetensors writes memory as it lies, in whatever order the axes are.
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_file(path, save(arrays, {_ORIGIN: json.dumps(origin, sort_keys=True)}))


def stored_origin(path: Path) -> dict[str, Any] | None:
    """What a file's slices were made from, or None for a file that is missing, damaged or of another program."""
    try:
        with safe_open(path, framework="numpy") as file:
            return json.loads((file.metadata() or {})[_ORIGIN])
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError):
        return None


class StoredSlices:
    """Slices of several patients, left on disk: memory holds only which of their maps are usable.

    A file is opened for each slice that is read. Kept open, thousands of patients would run into the limit on open
    files, and all that was ever read would count as this process's memory.

    Args:
        paths: the patients' files, from `store_slices`.

    Raises:
        InputError: if a file is missing or damaged.
    """

    def __init__(self, paths: Sequence[Path]):
        self._paths = list(paths)
        usable = [self._read(path, lambda file: file.get_tensor("usable")) for path in self._paths]
        self._usable = np.concatenate(usable, axis=1)
        #: Index of each patient's first slice.
        self._first = np.cumsum([0] + [one.shape[1] for one in usable])

    @staticmethod
    def _read(path: Path, what):
        try:
            with safe_open(path, framework="numpy") as file:
                return what(file)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"The stored slices '{path}' can't be read ({error}): start again, which makes what is missing."
            ) from error

    def __len__(self) -> int:
        """How many slices there are."""
        return int(self._first[-1])

    def usable(self) -> np.ndarray:
        """Which maps hold enough valid voxels, `(metabolite, slice)` bool."""
        return self._usable

    def example(self, metabolite: int, index: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """One metabolite's slice: acquired, target and valid `(64, 64)`; T1 and FLAIR `(192, 192, 3)` float16.

        Raises:
            InputError: if the file has gone or is damaged.
        """
        patient = int(np.searchsorted(self._first, index, side="right")) - 1
        own = int(index - self._first[patient])

        def read(file):
            maps = [file.get_slice(name)[metabolite, own] for name in _MAPS]
            return maps, [file.get_slice(name)[own] for name in _MRI]

        return self._read(self._paths[patient], read)

    def in_memory(self) -> SliceSet:
        """All of the slices, in memory; `patient` counts the files."""

        def read(path: Path, number: int) -> SliceSet:
            arrays = self._read(path, lambda file: {name: file.get_tensor(name) for name in (*_MAPS, *_MRI)})
            return SliceSet(**arrays, patient=np.full(len(arrays["t1"]), number))

        return SliceSet.concatenate(read(path, number) for number, path in enumerate(self._paths))
