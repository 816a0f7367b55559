"""One process at a time: no two hold a lock, and a killed one holds none."""

import os
import signal
import subprocess
import sys
import time

import pytest

from inference_core.errors import InputError
from inference_core.files.locks import file_lock

#: Adds one to a number in a file, which loses additions unless one process does it at a time.
_COUNT = """
import sys, time
from pathlib import Path
from inference_core.files.locks import file_lock
folder = Path(sys.argv[1])
for _ in range(20):
    with file_lock(folder / ".lock"):
        number = int((folder / "number").read_text())
        time.sleep(0.001)
        (folder / "number").write_text(str(number + 1))
"""


def test_processes_wait_for_one_another(tmp_path):
    (tmp_path / "number").write_text("0")
    # As an earlier version, or another program, may have left it.
    (tmp_path / ".lock").touch()
    os.utime(tmp_path / ".lock", (1, 1))
    running = [subprocess.Popen([sys.executable, "-c", _COUNT, str(tmp_path)]) for _ in range(4)]
    assert [one.wait(60) for one in running] == [0] * 4
    assert (tmp_path / "number").read_text() == "80"


def test_a_killed_process_holds_no_lock(tmp_path):
    code = _COUNT.replace("time.sleep(0.001)", "print('held', flush=True); time.sleep(60)")
    (tmp_path / "number").write_text("0")
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    waited = []

    def waiting():
        waited.append(time.monotonic())
        if len(waited) == 2:
            other.send_signal(signal.SIGKILL)
            other.wait()

    with file_lock(tmp_path / ".lock", waiting):
        assert len(waited) >= 2


def test_waiting_can_be_given_up(tmp_path):
    def give_up():
        raise KeyboardInterrupt

    with file_lock(tmp_path / ".lock"), pytest.raises(KeyboardInterrupt), file_lock(tmp_path / ".lock", give_up):
        pass


def test_a_folder_that_can_not_hold_a_lock_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="can't hold the locks that keep two runs apart"),
        file_lock(tmp_path / "file" / "x"),
    ):
        pass
