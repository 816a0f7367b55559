"""What a batch writes: where each result goes, how to know that it is still the right one, and the files about all."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from inference_core.files.atomic import write_file
from inference_core.imaging.reading import read_image
from inference_core.imaging.writing import sidecar_path
from inference_core.study.patient_files import PatientFiles, label
from inference_core.terms.naming import stem


def _entities(path: Path) -> tuple[list[str], list[str]]:
    """A map's BIDS entities, and what else its name says; the last of that is what BIDS calls its suffix."""
    *words, suffix = stem(path.name).split("_")
    entities, rest = [], []
    for word in words:
        is_entity = not rest and re.fullmatch(r"[a-z]+-[A-Za-z0-9]+", word)
        (entities if is_entity else rest).append(word)
    return entities, [*rest, suffix]


def examination(path: Path) -> tuple[str, ...]:
    """Equal for maps of one examination: their folder and their names' BIDS entities."""
    return (str(path.parent), *_entities(path)[0])


def ratio_name(patient: PatientFiles, path: Path, label: str, sharpness: float) -> str:
    """Where a ratio belongs that is made of a map and others of its examination; see `output_name`.

    Args:
        label: `Ratio.label`.
    """
    return output_name(patient, path.with_name("_".join([*_entities(path)[0], label]) + ".nii.gz"), label, sharpness)


def uncertainty_path(path: Path) -> Path:
    """Where the uncertainty of a result belongs."""
    return path.with_name(re.sub("(superres)(?=_lambda-)", r"\1Uncertainty", path.name, flags=re.IGNORECASE))


def output_name(patient: PatientFiles, path: Path, metabolite: str, sharpness: float) -> str:
    """Where a result belongs in the output folder.

    The map's BIDS entities stay; what else its name says goes into the entity `map`, and lambda into `lambda`:
    "sub-01/mrsi/sub-01_res-n24_desc-superres_lambda-0p02_tCho.nii.gz" for "sub-01_res-n24_desc-acquired_tCho.nii".
    """
    entities, (*rest, suffix) = _entities(path)
    kept = [word for word in entities if not word.startswith(("sub-", "ses-", "desc-"))]
    if rest or suffix != metabolite:
        kept.append(f"map-{label(''.join([*rest, suffix]))}")
    described = [word[5:] for word in entities if word.startswith("desc-") and word != "desc-acquired"]
    description = f"desc-{described[0]}Superres" if described else "desc-superres"
    number = format(Decimal(repr(sharpness)), "f").rstrip("0").rstrip(".").replace(".", "p")
    name = "_".join([patient.bids_path.replace("/", "_"), *kept, description, f"lambda-{number}", metabolite])
    return f"{patient.bids_path}/mrsi/{name}.nii.gz"


def fingerprint(path: Path) -> str:
    """SHA-256 of an image's content, in hexadecimal digits, that of the data file beside a header included."""
    files = [path]
    if path.name.casefold().endswith((".nhdr", ".mhd", ".hdr")):
        files = sorted(p for p in path.parent.iterdir() if p.is_file() and p.name.startswith(f"{path.stem}."))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def finished(path: Path, expected: dict[str, Any]) -> dict[str, Any] | None:
    """The sidecar of a result that is complete and says `expected` of itself; None if there is no such result."""
    try:
        sidecar = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
        if expected != {key: sidecar.get(key) for key in expected}:
            return None
        read_image(path, "result")
    except (OSError, ValueError, AttributeError):
        # Missing, cut short or not ours: to be written anew. InputError is a ValueError.
        return None
    return sidecar


def describe_dataset(output: Path) -> None:
    """Write BIDS's `dataset_description.json`, unless another program's is there.

    Raises:
        InputError: if it can't be written.
    """
    from inference_core import __version__

    path = output / "dataset_description.json"
    description = {
        "Name": "Super-resolved metabolite maps. For research, not for diagnosis.",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "MRSISuperRes", "Version": __version__}],
    }
    if not path.exists():
        write_file(path, json.dumps(description, indent=2) + "\n")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a BIDS-like table, tab-separated, "n/a" for None; all of it or nothing.

    Raises:
        InputError: if it can't be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow("n/a" if value is None else " ".join(str(value).split()) for value in row)
    write_file(path, text.getvalue())
