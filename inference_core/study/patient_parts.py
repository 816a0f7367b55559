"""What there is of one patient as it comes off the scanner and out of the fit."""

import re
from dataclasses import dataclass
from pathlib import Path

from inference_core.errors import InputError
from inference_core.study.lcmodel import lcmodel_files
from inference_core.study.patient_files import UnusedFile, unread_mri
from inference_core.terms.naming import stem

_STRIPPED = re.compile(r"(?<![a-z])(?:brain|bet|stripped|skullstripped)(?![a-z])")


@dataclass(frozen=True)
class PatientParts:
    """What there is of one patient, in one session.

    Attributes:
        name: the folder's path within the study, or what the user calls the patient.
        bids_path: the patient's folder in the output: "sub-01" or "sub-01/ses-1".
        lcmodel: folders of LCModel's output.
        spar: the geometry's files.
        maps: images named for a signal of the spectrum, or a quality of its fit.
        t1: images that are named as a T1.
        flair: likewise.
        mask: of the brain.
        map_anatomy: an anatomical image in the map's space, to register to; it is never searched for.
        problem: why the folder could not be looked into, if so.
        unused: what looks like a map and is none of `maps`.
        folder: where the parts were found; None for parts that the user named.
    """

    name: str
    bids_path: str
    lcmodel: tuple[Path, ...] = ()
    spar: tuple[Path, ...] = ()
    maps: tuple[Path, ...] = ()
    t1: tuple[Path, ...] = ()
    flair: tuple[Path, ...] = ()
    mask: tuple[Path, ...] = ()
    map_anatomy: Path | None = None
    problem: str = ""
    unused: tuple[UnusedFile, ...] = ()
    folder: Path | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing was found that makes a patient."""
        unread = any(unread_mri(self.unused, role) for role in ("T1", "FLAIR"))
        return not (self.lcmodel or self.spar or self.maps or self.t1 or self.flair or self.problem or unread)

    def single(self, role: str) -> Path:
        """The patient's only T1, FLAIR or folder of LCModel's output.

        Of several T1 or FLAIR images the one that is named as skull-stripped counts, if there is one such.

        Args:
            role: "T1", "FLAIR" or "LCModel output".

        Raises:
            InputError: if there is none, or it is not clear which.
        """
        found = {"T1": self.t1, "FLAIR": self.flair, "LCModel output": self.lcmodel}[role]
        if not found:
            if unread := unread_mri(self.unused, role):
                raise InputError(f"The {role} is in a format that is not read: convert '{unread}' to NIfTI.")
            raise InputError(f"There is no {role}: add one, with {role} in its file's name.")
        stripped = [path for path in found if _STRIPPED.search(stem(path.name).casefold())]
        if len(found) > 1 and len(stripped) != 1:
            names = ", ".join(f"'{path}'" for path in found)
            raise InputError(f"There are {len(found)} of {role} ({names}): leave one, or name the parts by options.")
        return stripped[0] if len(stripped) == 1 else found[0]

    def spar_of(self, lcmodel: Path) -> Path | None:
        """The `.spar` that belongs to an examination: the only one, or the one whose name its files begin with.

        Args:
            lcmodel: folder of the examination's LCModel output.

        Raises:
            InputError: if there are several and none or more than one is.
        """
        if len(self.spar) <= 1:
            return self.spar[0] if self.spar else None
        names = [path.name.casefold() for path in lcmodel_files(lcmodel)]
        fitting = [path for path in self.spar if any(name.startswith(path.stem.casefold()) for name in names)]
        if len(fitting) != 1:
            listed = ", ".join(f"'{path}'" for path in self.spar)
            raise InputError(f"There are {len(self.spar)} .spar files ({listed}): leave the one of the fitted scan.")
        return fitting[0]
