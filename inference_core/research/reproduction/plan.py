"""The plan: which methods, how many folds and steps, within a budget; fixed once a run has begun."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from inference_core.errors import InputError
from inference_core.files.atomic import write_file
from inference_core.research.reproduction.folds import FOLDS
from inference_core.research.reproduction.methods import TrainedMethod
from inference_core.terms.duration import UNITS

#: Epochs that the paper trains for, and its batch.
PAPER_EPOCHS, BATCH_SIZE = 100, 8
_PLAN, _SLICES = "plan.json", "slices"


@dataclass(frozen=True)
class Plan:
    """All that a run's results depend on.

    Attributes:
        methods: names of what is trained.
        folds: how many of the five are done.
        steps: generator steps of each network.
        full: whether that is the paper's schedule.
        budget: seconds to train for; None for the paper's schedule.
        patients: what they are, in words.
        simulated: whether they are.
        weights: file that the sharpness studies use instead of training, or None.
        lpips: whether it is measured; the file of its trunk, or "downloaded"; "" for not.
        seed: of everything.
    """

    methods: tuple[str, ...]
    folds: int
    steps: int
    full: bool
    budget: float | None
    patients: str
    simulated: bool
    weights: str | None
    lpips: str = ""
    seed: int = 0

    @property
    def described(self) -> str:
        """In words, for the report."""
        if self.full:
            return f"The paper's schedule: {FOLDS} folds, {PAPER_EPOCHS} epochs ({self.steps} steps)."
        return (
            f"A reduced budget of {_in_words(self.budget)} of training: {self.folds} of {FOLDS} folds, {self.steps} "
            f"steps for each network instead of {PAPER_EPOCHS} epochs. Figures of so short a training tell little of "
            "what the methods can do."
        )


def _in_words(seconds: float) -> str:
    unit = next(unit for unit in ("h", "m", "s") if seconds >= UNITS[unit] or unit == "s")
    return f"{seconds / UNITS[unit]:.3g} {unit}"


def share_out(
    budget: float, methods: Sequence[TrainedMethod], step_seconds: Mapping[str, float], full_steps: int
) -> tuple[int, int]:
    """Folds and steps that a budget is enough for: both scaled by the same share, each network with the same steps.

    Args:
        budget: seconds.
        methods: what is trained.
        step_seconds: of one step, by method.
        full_steps: of the paper's schedule, which are never exceeded.
    """
    each = sum(len(method.resolutions) * step_seconds[method.name] for method in methods)
    if not each:
        return FOLDS, 0
    affordable = budget / each
    folds = min(FOLDS, max(1, round(FOLDS * math.sqrt(affordable / (FOLDS * full_steps)))))
    return folds, max(1, min(full_steps, int(affordable / folds)))


def check_run_folder(folder: Path) -> None:
    """Refuse a folder that holds other files than a run's: a run replaces reports and figures there.

    Raises:
        InputError: if it does.
    """
    # The patients' slices are made before the plan is.
    others = [one.name for one in folder.iterdir() if one.name != _SLICES and not one.name.startswith(".")]
    if others and not (folder / _PLAN).exists():
        raise InputError(f"'{folder}' holds other files than a run ({others[0]}): choose a new or empty folder.")


def keep_plan(folder: Path, plan: Plan) -> None:
    """Write the plan into a run's folder.

    Raises:
        InputError: if the folder holds another plan.
    """
    path = folder / _PLAN
    kept = read_plan(folder)
    if kept not in (None, plan):
        changed = [name for name, value in asdict(plan).items() if value != getattr(kept, name)]
        raise InputError(
            f"'{folder}' holds a run with other settings ({', '.join(changed)}): choose another folder, or "
            "that run's settings."
        )
    write_file(path, json.dumps(asdict(plan), indent=2) + "\n")


def read_plan(folder: Path) -> Plan | None:
    """The plan in a run's folder, or None.

    Raises:
        InputError: if it can't be read.
    """
    path = folder / _PLAN
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Plan(**values | {"methods": tuple(values["methods"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"'{path}' is damaged ({error}): choose another folder.") from error
