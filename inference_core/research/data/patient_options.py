"""Which simulated patients a training has."""

from dataclasses import dataclass

from inference_core.errors import InputError


@dataclass(frozen=True)
class PatientOptions:
    """A cohort of simulated patients.

    Attributes:
        count: how many.
        first_seed: of the first one; the others follow.
        slices: of each.
        varied: as `inference_core.research.phantom.simulate_patient`.
        subject_share: share of them, 0 to 1, made from the subjects that the user names, if any.
    """

    count: int
    first_seed: int = 0
    slices: int = 8
    varied: bool = False
    subject_share: float = 0.5

    def __post_init__(self):
        """Refuse what can't be simulated."""
        for name, smallest in (("count", 1), ("first_seed", 0), ("slices", 1)):
            if getattr(self, name) < smallest:
                raise InputError(f"Setting {name} is {getattr(self, name)}: it must be at least {smallest}.")
        if not 0 <= self.subject_share <= 1:
            raise InputError(f"Setting subject_share is {self.subject_share:g}: it is a share, from 0 to 1.")
