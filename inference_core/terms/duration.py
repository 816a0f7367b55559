"""Durations as people write them: 90s, 20m, 2h or 1d."""

import re

from inference_core.errors import InputError

#: Seconds in each unit.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str, what: str = "duration") -> float:
    """Seconds, from words such as 90s, 20m, 2h or 1d.

    Args:
        text: what the user wrote.
        what: what to call it in an error.

    Raises:
        InputError: for anything else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip())
    if not match or not float(match[1]):
        raise InputError(f"The {what} '{text}' is not a time: write it such as 90s, 20m, 2h or 1d.")
    return float(match[1]) * UNITS[match[2]]
