"""TensorBoard's scalars of a run, where TensorBoard is installed; the log holds the same."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path


class Scalars:
    """Writes a run's figures for TensorBoard, or nothing without it.

    Args:
        folder: of the run.
        first: the step that it begins with; what an earlier run wrote from there on is hidden.
    """

    def __init__(self, folder: Path, first: int):
        self._board = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(folder, purge_step=first)

    def write(self, record: Mapping[str, float]) -> None:
        """A step's figures; "step" is its number."""
        for name, value in record.items():
            if self._board and name != "step":
                self._board.add_scalar(name, value, record["step"])

    def __enter__(self) -> "Scalars":
        """Itself."""
        return self

    def __exit__(self, *error) -> None:
        """Write what is left."""
        if self._board:
            self._board.close()
