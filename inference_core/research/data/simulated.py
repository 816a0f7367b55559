"""Slices of simulated patients, for training and evaluation without a scanner."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inference_core.research.data.cohort import code_fingerprint, read_into_memory
from inference_core.research.data.slice_set import SliceSet
from inference_core.research.phantom.acquisition import Scanner
from inference_core.research.phantom.subject import Subject

if TYPE_CHECKING:
    from inference_core.research.phantom.patient import SliceStack

#: What a simulated patient's slices are made with.
_SIMULATOR = ("terms/conditions.py", "research/data/simulated.py", "research/phantom")


@dataclass(frozen=True)
class Lesions:
    """Where simulated slices have lesions.

    Attributes:
        tumour: `(slice, 64, 64)` bool.
        occult: spots that MRI does not show, `(metabolite, slice, 64, 64)`: 1 raised, -1 lowered, else 0.
    """

    tumour: np.ndarray
    occult: np.ndarray


@dataclass(frozen=True)
class SimulatedSlices:
    """A simulated patient as one of a cohort.

    Attributes:
        seed: the patient's.
        count: slices; all if None.
        subject: whose brain the patient's is made from; the templates if None.
        varied: as `simulate_patient`.
        scanner: that measures the patient, if not the usual one.
        small_spots: whether its MRI-occult spots are the smallest; see `SimulatedPatient.with_small_spots`.
    """

    seed: int
    count: int | None = None
    subject: Subject | None = None
    varied: bool = False
    scanner: Scanner | None = None
    small_spots: bool = False

    @property
    def name(self) -> str:
        """Of the file that keeps the slices, without extension."""
        kind = ("-subject" if self.subject else "") + ("-varied" if self.varied else "")
        kind += ("-scanner" if self.scanner else "") + ("-small-spots" if self.small_spots else "")
        return f"simulated-{self.seed:06d}-{self.count or 'all'}{kind}"

    @property
    def group(self) -> str:
        """Patients of the same one are made from the same anatomy."""
        return str(self.subject.paths[0]) if self.subject else ""

    def origin(self) -> dict[str, Any]:
        """All that the slices depend on."""
        origin = {"seed": self.seed, "slices": self.count, "simulator": code_fingerprint(*_SIMULATOR)}
        origin |= {"subject": self.subject.fingerprint} if self.subject else {}
        origin |= {"small_spots": True} if self.small_spots else {}
        return origin | ({"scanner": asdict(self.scanner)} if self.scanner else {})

    def slices(self) -> SliceSet:
        """Simulate them."""
        stack = self._stack()
        return SliceSet(
            t1=stack.t1.astype(np.float16),
            flair=stack.flair.astype(np.float16),
            acquired=stack.acquired,
            target=stack.truth,
            valid=stack.mask,
            patient=np.full(len(stack.t1), self.seed),
        )

    def lesions(self) -> Lesions:
        """What is known of the same slices' lesions."""
        stack = self._stack()
        return Lesions(stack.tumour, stack.occult)

    def _stack(self) -> "SliceStack":
        from inference_core.research.phantom import simulate_patient

        patient = simulate_patient(self.seed, self.subject, self.varied)
        patient = patient.with_small_spots() if self.small_spots else patient
        return (patient.on(self.scanner) if self.scanner else patient).slices(self.count)


def simulated_cohort(
    first_seed: int,
    count: int,
    slices: int | None = None,
    varied: bool = False,
    subjects: Sequence[Subject] = (),
    subject_share: float = 0.5,
) -> list[SimulatedSlices]:
    """Simulated patients, some of them made from subjects, which take turns.

    Args:
        first_seed: of the first patient; the others follow.
        count: of patients.
        slices: of each; all if None.
        varied: as `simulate_patient`.
        subjects: whose brains patients are made from; the templates if there are none.
        subject_share: share of the patients made from subjects, spread evenly over the cohort.
    """
    share = subject_share if subjects else 0.0
    before = [int(index * share) for index in range(count + 1)]
    return [
        SimulatedSlices(
            first_seed + index,
            slices,
            subjects[before[index] % len(subjects)] if before[index + 1] > before[index] else None,
            varied,
        )
        for index in range(count)
    ]


def simulate_cohort(
    seeds: Iterable[int],
    count: int | None = None,
    processes: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> SliceSet:
    """Slices of the simulated patients of `seeds`, simulated side by side.

    Args:
        seeds: the patients' seeds.
        count: slices a patient; all if None.
        processes: how many to simulate at once; as many as there are cores if None.
        progress: wraps the patients as they come, such as `tqdm.tqdm`.
    """
    cohort = [SimulatedSlices(seed, count) for seed in seeds]
    return read_into_memory(cohort, processes, lambda patients, total: progress(patients))
