"""Whether a patient that the prepared folder holds already was made from the same sources."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_core.errors import InputError
from inference_core.study.lcmodel import lcmodel_files
from inference_core.study.patient_parts import PatientParts


@dataclass(frozen=True)
class Sources:
    """What a patient is or was made from, by role: "T1", "FLAIR" and "maps".

    Attributes:
        paths: as the sidecars give them; of maps one or several.
        sha256: of the files' content.
    """

    paths: dict[str, frozenset[str]]
    sha256: dict[str, str]


def sources_of(parts: PatientParts, study: Path | None) -> Sources:
    """The sources of a patient that is to be prepared; files that can't be read have no hash.

    Args:
        parts: of the patient.
        study: what paths are relative to; None to take them as they are.

    Raises:
        InputError: if there is no T1 or FLAIR, or it is not clear which.
    """
    files = {role: [parts.single(role)] for role in ("T1", "FLAIR")}
    named = files | {"maps": [parts.single("LCModel output")] if parts.lcmodel else list(parts.maps)}
    files["maps"] = [path for folder in named["maps"] for path in _files(folder)]
    paths = {role: frozenset(source_path(path, study) for path in own) for role, own in named.items()}
    return Sources(paths, {role: digest for role, own in files.items() if (digest := _sha256(own))})


def check_same_sources(found: Sources, place: Path) -> None:
    """Check that replacing a patient's folder replaces no other patient's data.

    A source is the same if its path or its content is. If no content is the same, it is another patient, whatever the
    paths are: two studies may use the same names.

    Args:
        found: the sources of the patient that is to be written.
        place: the folder that it would take.

    Raises:
        InputError: if there is a patient already, made from other sources.
    """
    if not place.exists():
        return
    earlier = _earlier(place)
    same_content = {role for role, digest in found.sha256.items() if earlier.sha256.get(role) == digest}
    changed = [
        role
        for role, paths in found.paths.items()
        if role not in same_content and not paths & earlier.paths.get(role, frozenset())
    ]
    if not changed and (same_content or not earlier.sha256):
        return
    what = "no file has the content that it had"
    if changed:
        what = f"its {changed[0]} {'were' if changed[0] == 'maps' else 'was'} {_listed(earlier, changed[0])}"
    raise InputError(
        f"'{place}' was made from other sources ({what}) and was left as it is: give this patient another name "
        "(--patient), or replace the earlier one (--replace)."
    )


def source_path(path: Path, study: Path | None) -> str:
    """A source's path within the study, or as it was given."""
    if study is not None and path.is_relative_to(study):
        return path.relative_to(study).as_posix()
    return str(path)


def _earlier(place: Path) -> Sources:
    """What the sidecars in a patient's folder say of its sources."""
    paths: dict[str, set[str]] = {}
    sha256: dict[str, str] = {}
    for path in sorted([*place.glob("anat/*.json"), *place.glob("mrsi/*_desc-acquired_*.json")]):
        about = _read(path)
        for role, source in about.get("Sources", {}).items():
            paths.setdefault("maps" if role == "map" else role, set()).add(str(source))
        sha256 |= about.get("SourcesSHA256", {})
    return Sources({role: frozenset(own) for role, own in paths.items()}, sha256)


def _read(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # A sidecar that can't be read tells nothing.
        return {}
    return about if isinstance(about, dict) else {}


def _listed(sources: Sources, role: str) -> str:
    return " and ".join(f"'{path}'" for path in sorted(sources.paths.get(role, ()))[:2]) or "not known"


def _files(path: Path) -> list[Path]:
    """A file, or those of a folder of LCModel's output."""
    try:
        return lcmodel_files(path) if path.is_dir() else [path]
    except OSError:
        return [path]


def _sha256(paths: list[Path]) -> str:
    """A hash of the content of several files; "" if one can't be read."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            # What reads it says so.
            return ""
    return digest.hexdigest()
