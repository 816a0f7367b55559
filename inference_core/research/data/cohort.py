"""Patients to train on, gathered in memory or on disk, wherever they come from."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from hashlib import sha256
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from inference_core.files.folders import make_folders
from inference_core.research.data.slice_set import SliceSet
from inference_core.research.data.stored_slices import StoredSlices, store_slices, stored_origin

#: Wraps patients as they come, such as `tqdm.tqdm`; is given their number as `total`, too.
Progress = Callable[..., Iterable]


def without_progress(patients: Iterable, total: int) -> Iterable:
    """The progress that shows nothing."""
    return patients


#: Turns in which each process makes its patients.
_TURNS = 6
_PACKAGE = Path(__file__).parents[2]


class Patient(Protocol):
    """Where one patient's slices come from. Pickles small, because it is sent to other processes."""

    #: Of the file that keeps the slices, without extension; tells all patients of a folder apart. Patients may have a
    #: `group`, too: those with the same one are made from something that takes long to load.
    name: str

    def origin(self) -> dict[str, Any]:
        """All that the slices depend on, as JSON holds it: slices kept from another origin are made again."""

    def slices(self) -> SliceSet:
        """Make them, which may take a while."""


@lru_cache
def code_fingerprint(*names: str) -> str:
    """A hash of the package's source files that data are made with: `names` are files, or folders of them."""
    paths = (_PACKAGE / name for name in names)
    files = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _use_one_thread() -> None:
    """Keep linear algebra from starting threads of its own in each of the processes."""
    if find_spec("threadpoolctl"):
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)


def _side_by_side(work: Callable, patients: Sequence, processes: int | None) -> Iterator[tuple[int, Any]]:
    """Each patient's index and what `work` gives; as many at once as there are cores if `processes` is None.

    Patients of one group come one after the other, and to few processes: what they share takes longer to load than a
    patient does to make.
    """
    order = sorted(range(len(patients)), key=lambda index: getattr(patients[index], "group", ""))
    processes = min(processes or os.cpu_count() or 1, len(patients))
    if processes <= 1:
        yield from ((index, work(patients[index])) for index in order)
        return
    # Spawned, because a fork of a process that runs torch's threads may hang.
    with ProcessPoolExecutor(processes, get_context("spawn"), _use_one_thread) as pool:
        try:
            # Few enough turns that a group stays together, and enough of them that no process waits long at the end.
            turn = -(-len(patients) // (processes * _TURNS))
            results = pool.map(work, [patients[index] for index in order], chunksize=turn)
            yield from zip(order, results, strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _make(patient: Patient) -> SliceSet:
    return patient.slices()


def _store(folder: Path, patient: Patient) -> None:
    store_slices(patient.slices(), stored_path(folder, patient), patient.origin())


def stored_path(folder: Path, patient: Patient) -> Path:
    """The file in `folder` that keeps the patient's slices."""
    return folder / f"{patient.name}.safetensors"


def read_into_memory(
    patients: Sequence[Patient], processes: int | None = None, progress: Progress = without_progress
) -> SliceSet:
    """All slices of the patients.

    Args:
        patients: in any number.
        processes: how many to make at once; as many as there are cores if None.
        progress: shows how far it is.

    Raises:
        InputError: as their `slices`.
    """
    made = dict(progress(_side_by_side(_make, patients, processes), total=len(patients)))
    return SliceSet.concatenate(made[index] for index in range(len(patients)))


def store_on_disk(
    patients: Sequence[Patient], folder: Path, processes: int | None = None, progress: Progress = without_progress
) -> int:
    """Make what `folder` does not hold of the patients' slices yet; each patient's are released once written.

    Args:
        patients: in any number.
        folder: made if it does not exist.
        processes: how many to make at once; as many as there are cores if None.
        progress: shows how far it is.

    Returns:
        How many patients' slices there were, but of another origin, and were replaced: simulated by another version,
        or from files that have changed since.

    Raises:
        InputError: as their `slices`, or if the folder can't be written.
    """
    make_folders(folder)
    missing = [p for p in patients if stored_origin(stored_path(folder, p)) != p.origin()]
    replaced = sum(stored_path(folder, patient).exists() for patient in missing)
    if missing:
        for _ in progress(_side_by_side(partial(_store, folder), missing, processes), total=len(missing)):
            pass
    return replaced


def open_stored(patients: Sequence[Patient], folder: Path) -> StoredSlices:
    """The patients' slices in `folder`, after `store_on_disk`.

    Raises:
        InputError: if one is missing or damaged.
    """
    return StoredSlices([stored_path(folder, patient) for patient in patients])
