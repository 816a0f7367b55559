"""Super-resolving a folder of patients from the Python console; the work itself is `inference_core.batch`'s."""

from collections.abc import Callable

from slicer.i18n import tr as _

from inference_core.batch.request import BatchRequest
from inference_core.errors import InputError
from MRSISuperResLib.compute.computation import Computation
from MRSISuperResLib.compute.requests import Model
from MRSISuperResLib.scene.table_node import fill_table_node


def parse_sharpness(text: str) -> list[float]:
    """The values of lambda in a text such as "0, 0.02".

    Raises:
        InputError: if a part is no number, or there is none.
    """
    parts = text.replace(";", " ").replace(",", " ").split()
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if not values:
        raise InputError(
            _("'{0}' is no list of sharpness values: write numbers from 0 to 0.1, separated by commas.").format(text)
        )
    return values


def run_folder(
    computation: Computation,
    request: BatchRequest,
    model: Model,
    progress: Callable | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list:
    """Super-resolve a folder of patients; to be called on the computing thread.

    Between slices, requests of the panel are served, so that the slider stays alive during a long batch.

    Args:
        computation: whose thread this runs on.
        request: what is asked for.
        model: the network.
        progress: as of `inference_core.batch.run_batch`.
        cancelled: asked between slices.

    Returns:
        A `BatchRow` for each output.

    Raises:
        InputError: as `run_batch`.
    """
    from inference_core.batch import run_batch

    def between_slices() -> bool:
        computation.serve_waiting()
        return cancelled()

    resolver = computation.cache.resolver(model)
    return run_batch(request, resolver=resolver, progress=progress, cancelled=between_slices)


def summary(rows: list) -> str:
    """One sentence on what a batch did, for the user."""
    counts = {status: sum(row.status == status for row in rows) for status in ("done", "skipped", "failed", "unused")}
    text = _("{done} done, {skipped} complete already, {failed} failed.")
    if counts["unused"]:
        text += " " + _("Files that look like maps and are not used: {unused}; the table says why.")
    return text.format(**counts)


def table_node(rows: list, name: str):
    """A batch's rows as a table node in the scene.

    Args:
        rows: `BatchRow`s.
        name: of the node.
    """

    def text(column: str, value) -> str:
        return "" if value is None else f"{value:.2f}" if column in ("seconds", "self_check") else str(value)

    columns = ("patient", "metabolite", "sharpness", "n", "status", "seconds", "self_check", "output", "message")
    texts = {column: [text(column, getattr(row, column)) for row in rows] for column in columns}
    return fill_table_node(name, texts, anew=False)
