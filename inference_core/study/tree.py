"""What lies in a study's folders: images, folders, and what this program wrote there."""

import json
from pathlib import Path

from inference_core.terms.naming import is_image, is_unread_image

#: Folders of a BIDS study that hold no patients as they were scanned.
NO_PATIENTS = ("derivatives", "sourcedata", "code")
#: Folders of a patient's anatomical images, and of its spectroscopy: BIDS calls the latter `mrs`.
ANATOMY, SPECTROSCOPY = "anat", ("mrsi", "mrs")
#: What this program calls itself in `dataset_description.json` of results, and of prepared studies.
RESULTS, PREPARED = "MRSISuperRes", "MRSISuperRes prepare"


def subfolders(folder: Path) -> list[Path]:
    """A folder's own folders but hidden ones, in order.

    Raises:
        OSError: if it can't be read.
    """
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def files_of(folder: Path) -> list[Path]:
    """A folder's files but hidden ones, in order, links to absent content included.

    Raises:
        OSError: if it can't be read.
    """
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and is_file_or_absent(path))


def is_file_or_absent(path: Path) -> bool:
    """Whether a path is a file, or a link to one whose content is not there."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def images_of(folder: Path) -> list[Path]:
    """A folder's images by their endings; see `files_of`.

    Raises:
        OSError: if it can't be read.
    """
    return [path for path in files_of(folder) if is_image(path.name)]


def unread_images_of(folder: Path) -> list[Path]:
    """A folder's images of T1, FLAIR or metabolites in formats that are not read; see `files_of`.

    Raises:
        OSError: if it can't be read.
    """
    files = files_of(folder)
    # The voxels of a pair are read through its header.
    names = {path.name.casefold().removesuffix(".gz") for path in files}
    pairs = {f"{name.removesuffix('.hdr')}.img" for name in names if name.endswith(".hdr")}
    unread = [path for path in files if is_unread_image(path.name)]
    return [path for path in unread if path.name.casefold().removesuffix(".gz") not in pairs]


def written_by(folder: Path, *programs: str) -> bool:
    """Whether a folder's `dataset_description.json` names one of these programs of ours."""
    try:
        description = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
        return any(program["Name"] in programs for program in description["GeneratedBy"])
    except (OSError, ValueError, KeyError, TypeError):
        # Not there, or not what this program writes there.
        return False


def unreadable(folder: Path, error: OSError) -> str:
    """A sentence for the user on a folder that can't be read."""
    return f"The folder '{folder}' can't be read ({error.strerror}): check its permissions."
