"""Why something could not be measured."""

from inference_core.errors import InputError


def reason_of(error: Exception) -> str:
    """One line; the kind of error where it does not say."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def check_runtime_used(asked: str, used: str) -> None:
    """Refuse the times of a runtime that gave way to another.

    Raises:
        InputError: if it did.
    """
    if used != asked:
        raise InputError(f"Runtime {asked} does not work here, and {used} took over.")
