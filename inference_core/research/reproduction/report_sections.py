"""The report's sections: who was tested, and the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_core.report.article import notice, table
from inference_core.report.markup import Content, element
from inference_core.research.reproduction.plan import Plan
from inference_core.research.reproduction.tables import TableRow


@dataclass(frozen=True)
class Failure:
    """A job that could not be done, and why."""

    job: str
    reason: str


def introduction(plan: Plan, failures: Sequence[Failure], command: str, machine: str, hours: float) -> list[Content]:
    """What was run, on whom and where, and what could not be done.

    Args:
        plan: of the run.
        failures: what could not be done.
        command: that was given.
        machine: where it ran, in words.
        hours: that training took in all.
    """
    simulated = None
    if plan.simulated:
        simulated = [
            element("strong", "All patients are simulated."),
            " What holds for them need not hold for patients. ",
        ]
    return [
        notice(f"{plan.described} ", simulated, "For research, not for diagnosis."),
        [notice(f"Not done: {failure.job}. {failure.reason}", failed=True) for failure in failures],
        element(
            "p",
            f"Patients: {plan.patients}. Five-fold cross-validation over patients; networks are trained to the last "
            "step, and validation patients are not used. Made by ",
            element("code", command),
            f" on {machine}. Training took {hours:.2f} h in all.",
        ),
    ]


def methods_table(rows: Sequence[TableRow]) -> list[Content]:
    """Table 1 beside the paper's."""
    header = ("Method", "PSNR, dB", "SSIM", "training, h", "parameters, millions")
    papers = ("paper: PSNR", "SSIM", "training, GPU h", "parameters")
    cells = [
        (
            row.title,
            "{:.2f} ± {:.2f}".format(*row.psnr),
            "{:.4f} ± {:.4f}".format(*row.ssim),
            "–" if row.hours is None else f"{row.hours:.2f}",
            "–" if row.parameters is None else f"{row.parameters:.1f}",
            *(str(value) for value in row.paper or ("–",) * 4),
        )
        for row in rows
    ]
    return [
        element("h2", "Table 1. Methods for many input resolutions"),
        table(cells, (*header, *papers), muted=4),
        element(
            "p",
            f"Mean and standard deviation over {rows[0].maps if rows else 0} test maps (all metabolites, all n). The "
            "paper's figures are of 15 patients at 7 T, and its low-resolution maps were cut from ground truth that "
            "is noisy itself.",
        ),
    ]


def differences_table(figure: str, tests: Sequence[Any]) -> Content:
    """Pairs of methods, tested for differences in one figure; nothing without tests."""
    if not tests:
        return None
    cells = [
        (
            f"{test.first} – {test.second}",
            f"{test.difference:+.4f}",
            f"{test.p:.2g}",
            f"{test.corrected:.2g}{' *' if test.corrected < 0.05 else ''}",
        )
        for test in tests
    ]
    header = ("Pair", "median difference", "p (Wilcoxon signed-rank)", "p after Holm's correction")
    return [
        element("h2", f"Differences in {figure}"),
        table(cells, header),
        element(
            "p",
            "Paired over test maps at the same n. Maps of one patient are not independent of one another, which makes "
            "small p smaller than they should be.",
        ),
    ]


def details_table(details: Mapping[str, Mapping[str, float]], turning: float | None) -> Content:
    """True and invented details, a row for each lambda or method.

    Args:
        details: as `detail_figures` gives them.
        turning: the lambda from which more spots are invented than gained, or None.
    """
    header = (
        "λ or method",
        "tumour contrast",
        "raised spots: contrast",
        "kept",
        "lowered spots: contrast",
        "kept",
        "invented spots a map",
    )
    cells = [
        (
            name,
            f"{own['tumour recovered']:.2f}",
            f"{own['raised recovered']:.2f}",
            f"{own['raised kept']:.2f} of {own['raised in all']}",
            f"{own['lowered recovered']:.2f}",
            f"{own['lowered kept']:.2f} of {own['lowered in all']}",
            f"{own['invented a map']:.3f}",
        )
        for name, own in details.items()
    ]
    told = (
        element("strong", f"From λ = {turning} on, more spots are invented than gained")
        if turning
        else "At no λ that was looked at are more spots invented than gained beyond λ = 0."
    )
    return [
        element("h2", "Are the details true?"),
        table(cells, header),
        element(
            "p",
            "Contrast: difference of a region's mean to its surroundings', as a share of the truth's. An MRI-occult "
            "spot is kept if at least half of its contrast is. An invented one differs from the truth, smoothed over a "
            "voxel, by a quarter of the map's median over four connected voxels or more, away from all lesions and "
            "true spots. ",
            told,
            ", both counted beyond those at λ = 0." if turning else None,
        ),
    ]
