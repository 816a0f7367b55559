"""Checkpoints that training resumes from exactly, whatever ended it."""

import json
import os
from pathlib import Path

import torch

from inference_core.errors import InputError

#: Of the file in a run's folder.
CHECKPOINT = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict) -> None:
    """Replace the folder's checkpoint in one step: a kill at any moment leaves either the old one or the new one."""
    temporary = folder / f".{os.getpid()}-{CHECKPOINT}"
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / CHECKPOINT)


def load_checkpoint(folder: Path, settings: dict) -> dict | None:
    """The folder's checkpoint, or None if there is none.

    Args:
        folder: the run's folder.
        settings: of this run.

    Raises:
        InputError: if the checkpoint can't be read or was made with other settings.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        made_with = state["settings"]
    except Exception as error:  # torch.load raises many kinds for a damaged file
        raise InputError(f"The checkpoint {path} can't be read: delete it to start again ({error}).") from error
    different = sorted(k for k in settings | made_with if settings.get(k) != made_with.get(k))
    if different:
        raise InputError(
            f"The checkpoint {path} was made with other settings ({', '.join(different)}): "
            "give the same ones to resume, or another output folder to start again."
        )
    return state


def rewind_log(path: Path, step: int) -> None:
    """Drop the records of steps from `step` on, which a resumed run makes again; also a record cut short by a kill."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            break
        if record["step"] < step:
            kept.append(line)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    temporary.write_text("".join(f"{line}\n" for line in kept))
    temporary.replace(path)
