"""A patient on one page: `mrsi-superres report`."""

import argparse
from pathlib import Path

from inference_core.commands.detail_arguments import add_self_check_argument
from inference_core.commands.patient_arguments import add_patient_arguments, open_patient


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_patient_arguments(parser, labels_required=False)
    parser.add_argument(
        "--patient", metavar="LABEL", help="what to call the patient (the T1's sub- entity, or its folder)"
    )
    parser.add_argument("--no-uncertainty", action="store_true", help="leave it out: an eighth of the time")
    add_self_check_argument(parser)
    parser.add_argument("--output", type=Path, required=True, help="HTML file to write")
    parser.add_argument("--pdf", type=Path, help="PDF file to write, too, by a browser that is installed")
    parser.add_argument("--browser", help="which browser: Chromium, Chrome or Edge (one on the PATH)")


def run(arguments: argparse.Namespace) -> int:
    """Super-resolve the maps and write the page."""
    from inference_core.errors import InputError
    from inference_core.files.folders import check_folder
    from inference_core.report.pdf import NO_BROWSER, find_browser, print_pdf
    from inference_core.report.report import write_patient_report
    from inference_core.report.source_notes import file_names, is_simulated, units_of

    for path, endings in ((arguments.output, (".html", ".htm")), (arguments.pdf, (".pdf",))):
        if path is not None:
            check_folder(path.parent)
            if path.suffix.casefold() not in endings:
                raise InputError(f"The output '{path}' does not end in {' or '.join(endings)}: rename it.")
            if path.is_dir():
                raise InputError(f"The output '{path}' is a folder: name a file.")
    browser = find_browser(arguments.browser) if arguments.pdf else None
    patient = open_patient(arguments, [arguments.output, arguments.pdf])
    found = patient.measure(certain=not arguments.no_uncertainty, checked=not arguments.no_self_check)
    files = {"T1": arguments.t1, "FLAIR": arguments.flair, **patient.files}
    write_patient_report(
        arguments.output,
        found.result,
        patient.resolver,
        arguments.patient or _label(arguments.t1),
        file_names(files),
        regions=found.regions,
        rows=found.rows,
        warnings=found.notices,
        checks=found.checks,
        units=units_of(patient.files.values()),
        simulated_patient=is_simulated(files.values()),
    )
    print(arguments.output)
    if arguments.pdf:
        if browser is None:
            print(NO_BROWSER)
        else:
            print(print_pdf(arguments.output, arguments.pdf, browser))
    return 0


def _label(t1: Path) -> str:
    """What a patient is called whose T1 this is."""
    entity = t1.name.partition("_")[0]
    return entity if entity.startswith("sub-") else t1.absolute().parent.name
