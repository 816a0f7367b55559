"""The report's figures."""

from typing import TYPE_CHECKING

import numpy as np

from inference_core.research.evaluation.figures import Panel, Row, colour_window, maps_figure
from inference_core.research.evaluation.metrics import psnr, ssim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAPERS_LIMIT = 0.03


def _figure(columns: int, width: float = 4.6, height: float = 3.4) -> tuple["Figure", np.ndarray]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, np.atleast_1d(figure.subplots(1, columns))


def conditions_figure(matrix: np.ndarray, labels: list[str], what: str) -> "Figure":
    """SSIM by input and by what the network was told (paper, Fig. 2), less each row's best.

    Args:
        matrix: `(input, told)`.
        labels: of both.
        what: they are.
    """
    figure, (axes,) = _figure(1, 5.2, 4.2)
    # Squares keep their shape: the plain constrained layout cuts the label beside them.
    figure.set_layout_engine("compressed")
    behind = 1000 * (matrix - matrix.max(axis=1, keepdims=True))
    image = axes.imshow(behind, cmap="viridis")
    for row, best in enumerate(matrix.argmax(axis=1)):
        axes.plot(best, row, "o", color="white", markeredgecolor="black", markersize=7)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel(f"{what} that the network is told")
    axes.set_ylabel(f"{what} of the input")
    figure.colorbar(image, label="SSIM behind the row's best, thousandths")
    return figure


def sharpness_figure(means: dict[str, dict[str, float]]) -> "Figure":
    """PSNR, SSIM, energy of fine detail and, if measured, LPIPS over lambda (paper, Fig. 4)."""
    values = sorted((name for name in means if _is_number(name)), key=float)
    curves = [("psnr", "PSNR, dB"), ("ssim", "SSIM"), ("sharpness", "energy of fine detail (truth: 1)")]
    if "lpips" in means["0"]:
        curves.append(("lpips", "LPIPS (lower is better)"))
    figure, panels = _figure(len(curves))
    for axes, (key, label) in zip(panels, curves, strict=True):
        axes.plot([float(v) for v in values], [means[v][key] for v in values], "o-", color="tab:blue")
        if key == "sharpness":
            axes.axhline(1, color="0.6", linewidth=1)
        _finish(axes, label)
    return figure


def details_figure(figures: dict[str, dict[str, float]]) -> "Figure":
    """Contrasts recovered, spots kept and spots invented, over lambda and for methods without training."""
    values = sorted((name for name in figures if _is_number(name)), key=float)
    x = [float(v) for v in values]
    figure, (contrast, kept, invented) = _figure(3)
    colours = {"tumour": "tab:red", "raised": "tab:orange", "lowered": "tab:blue"}
    for kind, colour in colours.items():
        key = f"{kind} recovered"
        contrast.plot(x, [figures[v][key] for v in values], "o-", color=colour, label=kind)
        contrast.axhline(figures["Zero-filling"][key], color=colour, linestyle=":", linewidth=1)
        if kind != "tumour":
            kept.plot(x, [figures[v][f"{kind} kept"] for v in values], "o-", color=colour, label=kind)
            kept.axhline(figures["Zero-filling"][f"{kind} kept"], color=colour, linestyle=":", linewidth=1)
    invented.plot(x, [figures[v]["invented a map"] for v in values], "o-", color="black", label="network")
    invented.axhline(figures["Zero-filling"]["invented a map"], color="black", linestyle=":", label="zero-filling")
    for axes, label in (
        (contrast, "share of true contrast"),
        (kept, "share of MRI-occult spots kept"),
        (invented, "invented spots a map"),
    ):
        _finish(axes, label)
        axes.legend(frameon=False, fontsize=8, title="dotted: zero-filling" if axes is not invented else None)
        axes.set_ylim(bottom=0)
    return figure


def comparison_figure(rows: list[dict], note: str) -> "Figure":
    """Zero-filling, the network over lambda, truth and FLAIR, with scores under each map (paper, Fig. 3)."""
    drawn = []
    for row in rows:
        truth, brain, lpips = row["truth"], row["brain"], row["lpips"]
        panels = []
        for title, image in row["outputs"].items():
            scores = [f"{psnr(image, truth):.1f} dB", f"{ssim(image, truth):.3f}"]
            scores += [f"{lpips[title]:.3f}"] if lpips else []
            panels.append(Panel(title, image, " / ".join(scores)))
        panels.append(Panel("truth", truth, "PSNR / SSIM / LPIPS" if lpips else "PSNR / SSIM"))
        panels.append(Panel("FLAIR", row["flair"], "", grey=True))
        label = f"{row['metabolite']}, n = {row['n']}"
        drawn.append(Row(label, panels, brain, colour_window(truth, brain), unit="scaled"))
    return maps_figure(drawn, note)


def _is_number(name: str) -> bool:
    return name.replace(".", "", 1).isdigit()


def _finish(axes, label: str) -> None:
    axes.axvline(_PAPERS_LIMIT, color="0.8", linewidth=1, zorder=0)
    axes.set_xlabel("λ (grey line: the paper's limit)")
    axes.set_ylabel(label)
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
