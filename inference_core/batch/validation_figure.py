"""The self-checks of a cohort in a figure: by map, and by ring of k-space."""

import io
from collections.abc import Sequence

import numpy as np

from inference_core.batch.validation import ValidationRow
from inference_core.files.own_outputs import SOFTWARE
from inference_core.terms.conditions import METABOLITES

#: The least and the largest share that is drawn; what lies below is drawn at the end of the axis.
_LOWEST, _HIGHEST = -1.0, 1.0
_SHOWN, _UNMATCHED = "tab:blue", "tab:orange"
#: Widths over which the points of one metabolite are spread.
_SPREAD = 0.25


def validation_figure(rows: Sequence[ValidationRow]) -> bytes:
    """A PNG; the same bytes for the same rows.

    Args:
        rows: at least one of which was checked.
    """
    from matplotlib.figure import Figure

    checked = [row for row in rows if row.check is not None]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    by_map, by_ring = figure.subplots(1, 2, sharey=True)
    _draw_maps(by_map, checked)
    _draw_rings(by_ring, checked)
    for axes in (by_map, by_ring):
        axes.axhline(0, color="black", linewidth=1)
        axes.set_ylim(_LOWEST - 0.05, _HIGHEST + 0.05)
        axes.grid(axis="y", alpha=0.3)
    by_map.set_ylabel("held-back measured detail explained")
    figure.suptitle(
        "Self-check against the maps' own k-space: 0 = zero-filling, below 0 = the network's detail makes it worse"
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": SOFTWARE})
    return buffer.getvalue()


def _draw_maps(axes, rows: Sequence[ValidationRow]) -> None:
    names = [name for name in METABOLITES if any(row.metabolite == name for row in rows)]
    for place, name in enumerate(names):
        own = [row for row in rows if row.metabolite == name]
        offsets = np.linspace(-_SPREAD, _SPREAD, len(own)) if len(own) > 1 else np.zeros(1)
        at = place + offsets
        first = place == 0
        unmatched = np.clip([row.explained_unmatched for row in own], _LOWEST, _HIGHEST)
        axes.plot(at, unmatched, "x", color=_UNMATCHED, label="as the network proposes it" if first else None)
        shown = np.clip([row.explained for row in own], _LOWEST, _HIGHEST)
        errors = np.minimum([row.standard_error for row in own], _HIGHEST - _LOWEST)
        axes.errorbar(
            at, shown, errors, fmt="o", color=_SHOWN, label="as it is super-resolved" if first else None, capsize=2
        )
        ceiling = np.median([1 - row.noise for row in own])
        axes.hlines(
            ceiling, place - 0.4, place + 0.4, color="grey", linestyle=":", label="all but noise" if first else None
        )
    axes.set_xticks(range(len(names)), names)
    axes.set_title("each map, with its standard error")
    axes.legend(fontsize=8, loc="best")


def _draw_rings(axes, rows: Sequence[ValidationRow]) -> None:
    """Medians over maps of one n, each ring at the n that its middle stands for."""
    checks = [row.check for row in rows if row.check is not None]
    for n in sorted({check.n for check in checks}):
        own = [check for check in checks if check.n == n]
        middles, shares, low, high = [], [], [], []
        for rings in zip(*(check.rings for check in own), strict=True):
            values = [ring.explained for ring in rings if np.isfinite(ring.explained)]
            if values:
                middles.append(np.mean([(ring.from_resolution + ring.to_resolution) / 2 for ring in rings]))
                shares.append(np.median(values))
                low.append(np.quantile(values, 0.25))
                high.append(np.quantile(values, 0.75))
        bounds = [np.clip(values, _LOWEST, _HIGHEST) for values in (shares, low, high)]
        (line,) = axes.plot(middles, bounds[0], "o-", label=f"n = {n} cut to {own[0].kept}")
        axes.fill_between(middles, bounds[1], bounds[2], alpha=0.2, color=line.get_color())
    axes.set_xlabel("fineness of the detail: the n of a map that would end there")
    axes.set_title("by ring of k-space: median and quartiles of the maps")
    axes.legend(fontsize=8, loc="best")
