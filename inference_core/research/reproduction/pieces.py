"""A reproduction in pieces: what goes from one to the next, and how long all of it will take."""

from inference_core.research.reproduction.jobs import all_jobs, let_go
from inference_core.research.reproduction.study import Study
from inference_core.research.reproduction.training import training_seconds, training_steps
from inference_core.research.training.checkpoints import CHECKPOINT
from inference_core.research.training.packing import MOST_PARTS, PART, pack


def leave(study: Study) -> tuple[int, list[str]]:
    """Pack a run for its next piece, without the weights that nothing needs any more.

    Networks whose state is too large for the parts that there may be begin again in the next piece.

    Returns:
        How many parts there are, and the names of the networks that begin again.

    Raises:
        InputError: as `pack`.
    """
    let_go(study)
    room, again = PART * MOST_PARTS, []
    files = [path for path in study.folder.rglob("*") if path.is_file() and "slices" not in path.parts]
    checkpoints = sorted((path for path in files if path.name == CHECKPOINT), key=lambda path: path.stat().st_size)
    taken = sum(path.stat().st_size for path in files) - sum(path.stat().st_size for path in checkpoints)
    for path in checkpoints:
        # Packed, a checkpoint is a few per cent smaller.
        if taken + 0.97 * path.stat().st_size > room:
            again.append(path.parent.name)
            path.unlink()
        else:
            taken += path.stat().st_size
    return pack(study.folder), again


def time_needed(study: Study) -> tuple[float, int, float] | None:
    """Steps a second so far, the steps of all networks, and the seconds that these will take; None before any.

    Networks that have not begun are taken to be as fast as the others on average, so the figure is better the more
    kinds of network have.
    """
    trained = {}
    for job in all_jobs(study):
        if job.kind == "train":
            folder = job.file(study).parent
            trained[job] = training_seconds(folder), training_steps(folder)
    seconds, steps = (sum(own[index] for own in trained.values()) for index in (0, 1))
    if not steps:
        return None
    by_method: dict[str, list[float]] = {}
    for job, (own_seconds, own_steps) in trained.items():
        if own_steps:
            by_method.setdefault(job.method, []).append(own_seconds / own_steps)
    each = {method: sum(values) / len(values) for method, values in by_method.items()}
    usual = sum(each.values()) / len(each)
    whole = sum(study.plan.steps * each.get(job.method, usual) for job in trained)
    return steps / seconds, study.plan.steps * len(trained), whole
