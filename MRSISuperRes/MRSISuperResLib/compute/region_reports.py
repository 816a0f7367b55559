"""A measurement as a report on one page."""

from collections.abc import Mapping
from pathlib import Path

from MRSISuperResLib.compute.region_measurement import RegionMeasurement


def write_report(
    path: Path, measured: RegionMeasurement, patient: str, sources: Mapping[str, str], simulated: bool
) -> list[Path]:
    """Write a report as HTML, and as PDF beside it where a browser is installed; the files written.

    A PDF of that name that does not belong to an earlier report, since there is no page beside it, stays as it is: the
    user was asked about the page alone.

    Args:
        path: the HTML file.
        measured: what to report.
        patient: what to call the patient.
        sources: the nodes' names, by what they are.
        simulated: whether the patient is simulated.

    Raises:
        InputError: if a file can't be written.
    """
    from inference_core.report.pdf import find_browser, print_pdf
    from inference_core.report.report import write_patient_report

    pdf, anew = path.with_suffix(".pdf"), path.exists()
    written = [
        write_patient_report(
            path,
            measured.result,
            measured.resolver,
            patient,
            sources,
            regions=measured.regions,
            rows=measured.rows,
            warnings=[*measured.notices, *(check.warning for check in measured.checks if check.warning)],
            checks=measured.checks,
            simulated_patient=simulated,
        )
    ]
    browser = find_browser()
    if browser is not None and (anew or not pdf.exists()):
        written.append(print_pdf(path, pdf, browser))
    return written
