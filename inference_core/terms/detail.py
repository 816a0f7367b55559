"""How the detail that the network adds to the measurement, and the measurement, may be treated."""

from inference_core.errors import InputError

#: Names, each with what it is.
DETAILS = {
    "matched": "scaled by a gain that is fitted to the map's own measured k-space",
    "network": "as the network proposes it",
    "zero-filled": "none: the zero-filled map",
}
#: Unless something else is asked for: what contradicts the map's own measurement is not shown.
DEFAULT_DETAIL = "matched"


def check_detail(detail: str) -> str:
    """`detail`, if it is one of `DETAILS`.

    Raises:
        InputError: if it is not.
    """
    if detail not in DETAILS:
        raise InputError(f"Unknown detail '{detail}': choose one of {', '.join(DETAILS)}.")
    return detail


#: How the measured k-space is kept: names, each with what it is.
CONSISTENCIES = {
    "hard": "each measured coefficient is kept",
    "noise": "the outer ones move towards the network's proposal, by one standard deviation of their noise at most, "
    "but not where the map shows a spot that the network does not",
}
#: Unless something else is asked for.
DEFAULT_CONSISTENCY = "hard"


def check_consistency(consistency: str) -> str:
    """`consistency`, if it is one of `CONSISTENCIES`.

    Raises:
        InputError: if it is not.
    """
    if consistency not in CONSISTENCIES:
        raise InputError(f"Unknown consistency '{consistency}': choose one of {', '.join(CONSISTENCIES)}.")
    return consistency
