"""A training run's record of each step: a line of JSON, and scalars for TensorBoard."""

import json
import os
import socket
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inference_core.files.atomic import cannot_write

#: The log in a run's folder.
LOG = "losses.jsonl"
#: What each record begins with.
_BEGINNING = b'{"step": '


def is_own_log(path: Path) -> bool:
    """Whether a file is a run's log, or the beginning of one, as a kill or a full disk leaves it."""
    with path.open("rb") as file:
        begins = file.read(len(_BEGINNING))
    return _BEGINNING.startswith(begins)


class StepRecords:
    """Appends each step's record to the run's log and, where TensorBoard is installed, to an event file that it reads.

    In the caller's thread, so that a full disk stops the run. `SummaryWriter` writes in a thread of its own, which
    ends with a traceback.

    Args:
        log: the file of JSON lines; appended to.
        step: the first that will be recorded. TensorBoard drops what earlier event files hold of it and later ones.

    Raises:
        InputError: if a file can't be written, as do all methods.
    """

    def __init__(self, log: Path, step: int):
        self._log_path = log
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        self._events_path = log.with_name(name)
        try:
            self._log = log.open("a", encoding="utf-8")
        except OSError as error:
            raise cannot_write(log, error) from error
        self._events: Any = None
        if find_spec("tensorboard"):
            self._open_events(step)

    def _open_events(self, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        try:
            self._events = RecordWriter(self._events_path.open("wb"))
        except OSError as error:
            self._log.close()
            raise cannot_write(self._events_path, error) from error
        self._add(Event(file_version="brain.Event:2"))
        self._add(Event(step=step, session_log=SessionLog(status=SessionLog.START)))

    def write(self, record: dict[str, float]) -> None:
        """Append a record, whose entry "step" is its step, and whose others are its figures."""
        try:
            self._log.write(json.dumps(record) + "\n")
            self._log.flush()
        except OSError as error:
            raise cannot_write(self._log_path, error) from error
        if self._events:
            self._write_event(record)

    def _write_event(self, record: dict[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in record.items() if name != "step"]
        self._add(Event(step=record["step"], summary=Summary(value=values)))

    def _add(self, event) -> None:
        event.wall_time = time.time()
        try:
            self._events.write(event.SerializeToString())
            self._events.flush()
        except OSError as error:
            raise cannot_write(self._events_path, error) from error

    def close(self) -> None:
        """Close both files."""
        for file, path in ((self._log, self._log_path), (self._events, self._events_path)):
            try:
                if file:
                    file.close()
            except OSError as error:
                raise cannot_write(path, error) from error

    def __enter__(self) -> "StepRecords":
        """Itself."""
        return self

    def __exit__(self, kind, *_) -> None:
        """Close both files; a failure to is told of unless there is another one."""
        try:
            self.close()
        except Exception:
            if kind is None:
                raise
