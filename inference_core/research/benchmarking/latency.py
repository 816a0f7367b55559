"""What the slider costs below the panel: one slice of a prepared patient, at another lambda or metabolite."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import cycle
from typing import NamedTuple

import numpy as np

from inference_core.inference.super_resolver import PreparedInput, SuperResolver
from inference_core.networks import MultiEncoderUNet
from inference_core.research.benchmarking.failures import check_runtime_used, reason_of
from inference_core.research.benchmarking.patient import sample_patient
from inference_core.research.benchmarking.timing import Samples, paired
from inference_core.terms.conditions import METABOLITES, SHARPNESS_RANGE

#: Calls in a turn.
_BLOCK = 4


class LatencyRow(NamedTuple):
    """How long one runtime lets a user wait for the shown slice.

    Attributes:
        runtime: what computed.
        precision: in what.
        patient: whose slice.
        times: of "another lambda", "a new metabolite" and "a metabolite again".
        unavailable: why there are no times.
    """

    runtime: str
    precision: str
    patient: str
    times: dict[str, Samples]
    unavailable: str | None = None


def _candidates(
    resolver: SuperResolver, fresh: Callable[[], SuperResolver], prepared: PreparedInput, seed: int
) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(seed)
    shown = [prepared.grid.slices // 2]
    metabolites = cycle(METABOLITES)
    new: list[tuple[SuperResolver, str]] = []

    def another_lambda() -> None:
        resolver.super_resolve(prepared, METABOLITES[0], float(rng.uniform(*SHARPNESS_RANGE)), slices=shown)

    def metabolite_again() -> None:
        resolver.super_resolve(prepared, next(metabolites), 0.02, slices=shown)

    def new_metabolite() -> None:
        # A resolver keeps every metabolite's filters: only another resolver finds them new. It is made in the first
        # call of a turn, which is not counted.
        if not new:
            own = fresh()
            # The first one's filters may have been made while the kernels were tried.
            new.extend((own, metabolite) for metabolite in METABOLITES[-_BLOCK:])
        own, metabolite = new.pop()
        own.super_resolve(prepared, metabolite, 0.02, slices=shown)

    for metabolite in METABOLITES:
        resolver.super_resolve(prepared, metabolite, 0.02, slices=shown)
    return {
        "another lambda": another_lambda,
        "a new metabolite": new_metabolite,
        "a metabolite again": metabolite_again,
    }


def measure_latency(
    network: MultiEncoderUNet, device: str, runtimes: Sequence[str], precisions: Sequence[str], rounds: int
) -> list[LatencyRow]:
    """All runtimes and precisions in turns.

    Args:
        network: on the CPU; left as it is.
        device: as torch names it.
        runtimes: of `inference_core.engine.runtimes.RUNTIMES`.
        precisions: of `PRECISIONS`.
        rounds: turns of each.
    """
    patient, images = sample_patient()
    prepared, rows = None, []
    candidates: dict[tuple[int, str], Callable[[], object]] = {}
    for runtime in runtimes:
        for precision in precisions:

            def fresh(runtime: str = runtime, precision: str = precision) -> SuperResolver:
                return SuperResolver(deepcopy(network), device, runtime=runtime, precision=precision)

            row = LatencyRow(runtime, precision, patient, {})
            try:
                resolver = fresh()
                prepared = prepared or resolver.prepare(*images)
                own = _candidates(resolver, fresh, prepared, len(rows))
                check_runtime_used(runtime, resolver.runtime)
            except Exception as error:  # Whatever stops one runtime, the others are still worth measuring.
                rows.append(row._replace(unavailable=reason_of(error)))
                continue
            candidates |= {(len(rows), what): call for what, call in own.items()}
            rows.append(row)
    for (index, what), samples in paired(candidates, rounds, device, _BLOCK).items():
        rows[index].times[what] = samples
    return rows
