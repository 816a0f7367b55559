"""The calibration that a result needs: for its uncertainty, and for where a ratio's denominator may be zero."""

from typing import TYPE_CHECKING

from inference_core.errors import InputError

if TYPE_CHECKING:
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.inference.uncertainty.calibration import Calibration


def result_calibration(
    resolver: "SuperResolver", uncertainty: bool, ratio: bool = False
) -> "tuple[Calibration | None, str | None]":
    """The weights' calibration if a result is better with it, and a sentence for the user if it has to do without.

    Args:
        resolver: whose weights.
        uncertainty: whether the result can't do without.
        ratio: whether it is, or has, a ratio.

    Raises:
        InputError: if there is none that can be used, for a result that can't do without.
    """
    from inference_core.inference.uncertainty.calibration import load_calibration

    if not (uncertainty or ratio):
        return None, None
    try:
        if resolver.weights is None:
            raise InputError("Weights that are in no file have no calibration: use some that are in one.")
        return load_calibration(resolver.weights), None
    except InputError as error:
        if uncertainty:
            raise
        return None, (
            "The uncertainty is not known, and where a ratio's denominator may be zero is judged by its size alone. "
            f"{error}"
        )
