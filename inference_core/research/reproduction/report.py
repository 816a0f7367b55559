"""The report: one HTML file with tables and figures in it, and the same as CSV, PNG and SVG beside it."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from inference_core.files.atomic import write_file
from inference_core.report.article import article, figure
from inference_core.report.markup import element
from inference_core.research.evaluation.figures import save_figure
from inference_core.research.reproduction.report_sections import (
    Failure,
    details_table,
    differences_table,
    introduction,
    methods_table,
)
from inference_core.research.reproduction.study import Study
from inference_core.research.reproduction.tables import (
    detail_figures,
    mean_matrices,
    pairs_tested,
    read_scores,
    sharpness_means,
    table_rows,
    turning_point,
)
from inference_core.terms.conditions import METABOLITES, TRAINED_RESOLUTIONS


@dataclass(frozen=True)
class _Shown:
    title: str
    caption: str
    png: bytes


def _show(folder: Path, name: str, figure, title: str, caption: str) -> _Shown:
    """Write a figure as PNG and SVG; returns it for the report."""
    for suffix in (".png", ".svg"):
        save_figure(figure, folder / f"{name}{suffix}")
    return _Shown(title, caption, (folder / f"{name}.png").read_bytes())


def _figures(study: Study, examples: list[dict], details: dict | None) -> list[_Shown]:
    from inference_core.research.reproduction import figures

    folder, shown = study.folder, []
    whose = "simulated test patients" if study.plan.simulated else "test patients"
    matrices = mean_matrices(study)
    if matrices:
        for key, labels, what, number in (
            ("resolution", [str(n) for n in TRAINED_RESOLUTIONS], "n", "2a"),
            ("metabolite", list(METABOLITES), "metabolite", "2b"),
        ):
            shown.append(
                _show(
                    folder,
                    f"figure{number}",
                    figures.conditions_figure(matrices[key], labels, what),
                    f"Fig. {number}. Told another {what} than the input's",
                    f"Mean SSIM on {whose}, as the distance to each row's best (white dot).",
                )
            )
    if examples:
        note = "simulated patients, not for diagnosis" if study.plan.simulated else "not for diagnosis"
        title = "Fig. 3. Visual comparison"
        shown.append(_show(folder, "figure3", figures.comparison_figure(examples, note), title, f"Maps of {whose}."))
    means = sharpness_means(study)
    if means:
        title = "Fig. 4. Fidelity and sharpness over λ"
        caption = f"Means over {whose}; sharpness is the energy of fine detail relative to the truth's."
        shown.append(_show(folder, "figure4", figures.sharpness_figure(means), title, caption))
    if details:
        title = "True and invented details over λ"
        shown.append(_show(folder, "details", figures.details_figure(details), title, f"Means over {whose}."))
    return shown


def _machine(device: str) -> str:
    from inference_core.research.benchmarking.machine import describe_machine

    about = describe_machine(device, "")
    return (
        f"{about.get('gpu', about['processor'])}, {about['cores']} cores; PyTorch {about['torch']}; "
        f"MRSISuperRes {about['version']} ({about['commit']})"
    )


def write_report(study: Study, examples: list[dict], failures: list[Failure], command: str, lpips: str) -> Path:
    """Write the report from what is done; returns its path.

    Args:
        study: the run.
        examples: from `example_maps`, or none.
        failures: what could not be done.
        command: that made it.
        lpips: the sentence on LPIPS.
    """
    scores = read_scores(study)
    table = io.StringIO()
    if scores:
        writer = csv.DictWriter(table, scores[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(scores)
    write_file(study.folder / "scores.csv", table.getvalue())
    details = detail_figures(study)
    rows = table_rows(study, scores)
    page = article(
        "MRSISuperRes: the paper's experiments",
        *introduction(study.plan, failures, command, _machine(study.device), sum(row.hours or 0 for row in rows)),
        *methods_table(rows),
        *(
            differences_table(title, pairs_tested(scores, key))
            for title, key in (("PSNR, dB", "psnr"), ("SSIM", "ssim"))
        ),
        *(
            [element("h2", own.title), figure(own.title, own.png, own.caption)]
            for own in _figures(study, examples, details)
        ),
        details_table(details, turning_point(details)) if details else None,
        element("h2", "LPIPS"),
        element("p", lpips),
        heading="The paper's experiments" + (", on simulated patients" if study.plan.simulated else ""),
    )
    path = study.folder / "report.html"
    write_file(path, page)
    return path
