"""Checkpoints that training resumes from exactly, whatever ended it."""

import io
import json
from pathlib import Path

import torch

from inference_core.errors import InputError
from inference_core.files.atomic import write_file

#: Of the file in a run's folder.
CHECKPOINT = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict) -> None:
    """Replace the folder's checkpoint in one step: a kill at any moment leaves either the old one or the new one.

    Raises:
        InputError: if it can't be written; the old one stays.
    """
    # Into memory first: on a full disk PyTorch's own writer ends the process.
    content = io.BytesIO()
    torch.save(state, content)
    write_file(folder / CHECKPOINT, content.getbuffer())


def check_checkpoint(folder: Path, settings: dict, steps_known: bool = True) -> None:
    """Refuse settings that the folder's checkpoint, if there is one, can't be resumed with; before anything is done.

    Args:
        folder: the run's folder.
        settings: of this run.
        steps_known: whether its number of steps is; it may depend on the data.

    Raises:
        InputError: as `load_checkpoint`.
    """
    state = _read(folder)
    if state is not None:
        _check(folder, state, settings, steps_known)


def load_checkpoint(folder: Path, settings: dict) -> dict | None:
    """The folder's checkpoint, or None if there is none.

    Args:
        folder: the run's folder.
        settings: of this run. Its number of steps may be another than the checkpoint was planned for.

    Raises:
        InputError: if the checkpoint can't be read, was made with other settings, or is beyond the last step.
    """
    state = _read(folder)
    if state is not None:
        _check(folder, state, settings, steps_known=True)
    return state


def _read(folder: Path) -> dict | None:
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state["settings"], state["step"]
    except Exception as error:  # torch.load raises many kinds for a damaged file
        raise InputError(f"The checkpoint {path} can't be read: delete it to start again ({error}).") from error
    return state


def _check(folder: Path, state: dict, settings: dict, steps_known: bool) -> None:
    path, made_with = folder / CHECKPOINT, state["settings"]
    different = sorted(k for k in settings | made_with if k != "steps" and settings.get(k) != made_with.get(k))
    if different:
        raise InputError(
            f"The checkpoint {path} was made with other settings ({', '.join(different)}): "
            "give the same ones to resume, or another output folder to start again."
        )
    if steps_known and settings["steps"] < state["step"]:
        raise InputError(
            f"The checkpoint {path} has been trained for {state['step']} steps, more than the {settings['steps']} that "
            "are asked for: give a larger number, or another output folder to start again."
        )


def rewind_log(path: Path, step: int) -> None:
    """Drop the records of steps from `step` on, which a resumed run makes again; also a record cut short by a kill.

    Raises:
        InputError: if the log can't be written.
    """
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            break
        if record["step"] < step:
            kept.append(line)
    write_file(path, "".join(f"{line}\n" for line in kept))
