"""What there is of one patient: which files are its T1, FLAIR and metabolite maps, and what its folder is called."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inference_core.errors import InputError
from inference_core.imaging.absent import absent_content
from inference_core.study.tree import unread_images_of
from inference_core.terms.naming import guess_mri, is_unread_image


@dataclass(frozen=True)
class UnusedFile:
    """A file or folder of a patient that looks like a map and is not used.

    Attributes:
        path: of it.
        reason: a clause for the user.
    """

    path: Path
    reason: str

    def sentence(self, folder: Path) -> str:
        """What is not used and why, with the path from the patient's folder."""
        within = self.path != folder and self.path.is_relative_to(folder)
        path = self.path.relative_to(folder) if within else self.path
        return f"'{path.as_posix()}' is not used: {self.reason}."


def unread_files(folder: Path) -> list[UnusedFile]:
    """A folder's images of T1, FLAIR or metabolites in formats that are not read.

    Raises:
        OSError: if it can't be read.
    """
    return [UnusedFile(path, "its format is not read, convert it to NIfTI") for path in unread_images_of(folder)]


def unread_mri(unused: Iterable[UnusedFile], role: str) -> Path | None:
    """The T1 or FLAIR among unused files whose format is not read, if there is one."""
    return next(
        (one.path for one in unused if is_unread_image(one.path.name) and guess_mri(one.path.name) == role), None
    )


@dataclass(frozen=True)
class PatientFiles:
    """What was found of one patient, in one session.

    Attributes:
        name: unique in the study: the folder's path within it.
        folder: where the files are.
        bids_path: the patient's folder in a BIDS-like study, "sub-0001" or "sub-0001/ses-2".
        t1: the images that are named as a T1; there should be one.
        flair: like `t1`.
        maps: each metabolite map with its metabolite's paper name, in the order of their names.
        problem: why the folder could not be looked into, if so.
        unused: what looks like a map and is none of `maps`.
        full_resolution: maps that training reads as ground truth, and what goes with them.
    """

    name: str
    folder: Path
    bids_path: str
    t1: tuple[Path, ...]
    flair: tuple[Path, ...]
    maps: tuple[tuple[Path, str], ...]
    problem: str = ""
    unused: tuple[UnusedFile, ...] = ()
    full_resolution: tuple[Path, ...] = ()

    def single(self, role: str) -> Path:
        """The patient's only T1 or FLAIR.

        Args:
            role: "T1" or "FLAIR".

        Raises:
            InputError: if there is none, more than one, or its content is not on this computer.
        """
        found = {"T1": self.t1, "FLAIR": self.flair}[role]
        if not found:
            if unread := unread_mri(self.unused, role):
                raise InputError(
                    f"Patient '{self.name}' has its {role} in a format that is not read: convert '{unread}' to NIfTI."
                )
            raise InputError(
                f"Patient '{self.name}' has no {role} in '{self.folder}': add one, with {role} in its file's name."
            )
        if len(found) > 1:
            names = ", ".join(f"'{path.name}'" for path in found)
            raise InputError(f"Patient '{self.name}' has {len(found)} {role} images ({names}): leave one.")
        if absent := absent_content(found[0]):
            raise InputError(f"The {role} '{found[0]}' is {absent}.")
        return found[0]


def patient_bids_path(name: str) -> str:
    """A patient's folder in a BIDS-like study, for its name: labels of letters and digits only."""
    *folders, last = parts = name.split("/")
    session = [f"ses-{label(last[4:])}"] if folders and last.startswith("ses-") else []
    subject = "".join(label(part.removeprefix("sub-")) for part in (folders if session else parts))
    return "/".join([f"sub-{subject or 'unnamed'}", *session])


def label(text: str) -> str:
    """`text` as a BIDS label: its letters and digits."""
    return "".join(character for character in text if character.isalnum())
