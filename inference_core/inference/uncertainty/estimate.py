"""A super-resolved map with its uncertainty, where the weights have a calibration."""

from collections.abc import Callable

import numpy as np

from inference_core.inference.super_resolver import PreparedInput, SuperResolver
from inference_core.inference.uncertainty.calibration import Calibration
from inference_core.inference.uncertainty.features import gather_evidence


def super_resolve_with_uncertainty(
    resolver: SuperResolver,
    prepared: PreparedInput,
    metabolite: str,
    sharpness: float,
    calibration: Calibration | None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """All slices of a map, `(slice, 64, 64)` in its units, and the half-widths of their 68 % intervals, or None.

    Args:
        resolver: what super-resolves.
        prepared: from `SuperResolver.prepare`.
        metabolite: its paper name.
        sharpness: lambda.
        calibration: of the resolver's weights; with it, there are eight passes of the network instead of one.
        progress: called after each batch of slices in each pass, with the number done and of all; may raise to end it.
    """
    if calibration is None:
        return resolver.super_resolve(prepared, metabolite, sharpness, progress=progress), None
    slices = list(range(prepared.grid.slices))
    values, evidence = gather_evidence(resolver, prepared, metabolite, sharpness, slices, progress)
    return values, calibration.uncertainty(evidence, metabolite, prepared.n, sharpness)
