"""What the JSON files beside a patient's images say of them, as BIDS has it."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from inference_core.terms.naming import stem

#: What units are called if nothing says so.
UNITS_AS_GIVEN = "units as given"


def file_names(files: Mapping[str, Path]) -> dict[str, str]:
    """Names of a patient's files by what they are, as given; a folder that they share is told once, as "folder"."""
    try:
        folder = os.path.commonpath([path.parent for path in files.values()])
    except ValueError:
        # On different drives, or some absolute and some not.
        folder = ""
    if not folder:
        return {role: str(path) for role, path in files.items()}
    return {"folder": folder, **{role: str(path.relative_to(folder)) for role, path in files.items()}}


def units_of(maps: Iterable[Path]) -> str:
    """The maps' units, if all of them say so and agree."""
    found = {str(_sidecar(path).get("Units", "")) for path in maps}
    return found.pop() or UNITS_AS_GIVEN if len(found) == 1 else UNITS_AS_GIVEN


def is_simulated(images: Iterable[Path]) -> bool:
    """Whether one of the images says that the patient is simulated."""
    return any(_sidecar(path).get("Simulated") is True for path in images)


def _sidecar(image: Path) -> dict[str, Any]:
    try:
        content = json.loads(image.with_name(f"{stem(image.name)}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
