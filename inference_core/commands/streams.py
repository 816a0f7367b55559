"""The commands' output: on terminals that lack some characters, and into files on full disks."""

import os
import sys
from contextlib import suppress


def print_any_character() -> None:
    """Print letters that the terminal's code page lacks as escapes such as "\\xfc", instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        # Notebooks, test runners and windowed Pythons have other streams, or none.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(message: str) -> None:
    """Print a sentence to the standard error, as far as that can be written."""
    with suppress(OSError):
        print(message, file=sys.stderr, flush=True)


def give_up_output() -> None:
    """Drop what could not be printed: Python would try again at its end, and complain."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
