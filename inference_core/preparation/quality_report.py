"""The quality report of a prepared patient: one page."""

from pathlib import Path
from xml.etree.ElementTree import Element

from inference_core import __version__
from inference_core.files.atomic import write_file
from inference_core.imaging.registration import Registration, RegistrationRefused, moved_by_header
from inference_core.preparation.prepared_patient import PreparedMaps, PreparedPatient
from inference_core.preparation.prepared_study import report_path
from inference_core.preparation.quality_figures import map_figure, png, registration_figure
from inference_core.preparation.settings import PreparationSettings
from inference_core.report.article import article, figure, notice, table
from inference_core.report.markup import Content, element


def write_quality_report(
    output: Path, patient: PreparedPatient, settings: PreparationSettings, sources: dict[str, str]
) -> Path:
    """Write a patient's page into the prepared folder, named for the patient.

    Args:
        output: the prepared folder.
        patient: from `prepare_patient`.
        settings: it was prepared with.
        sources: files by role, as the sidecars have them.

    Returns:
        The page's path. The same patient gives the same bytes.
    """
    anatomy = patient.anatomy
    pictures = [_figure("T1 and FLAIR", registration_figure(anatomy.t1_head, anatomy.flair_head, "T1", "FLAIR"))]
    for maps in patient.maps:
        for name, own in maps.maps.items():
            title = f"{name}, res-{maps.read.resolution}"
            drawn = map_figure(name, own, maps, anatomy.t1_head, anatomy.flair_head)
            pictures.append([element("h2", title), _figure(title, drawn)])
    registrations = {
        "FLAIR to T1": _line(anatomy.flair_registration),
        "T1 to the map": _line(anatomy.t1_registration),
    }
    made_from = [(role, element("code", path)) for role, path in sources.items()]
    thresholds = settings.describe()["Thresholds"]
    return _write(
        report_path(output, patient.parts.bids_path),
        patient.parts.name,
        [notice(warning) for warning in patient.warnings],
        _unused(patient.unused_sentences()),
        element("h2", "Made from"),
        _texts([*made_from, ("brain mask", anatomy.mask_source)]),
        _registration(registrations),
        pictures[0],
        [_rejected(maps) for maps in patient.maps],
        element("h2", "Thresholds"),
        table([(name, "off" if value is None else str(value)) for name, value in thresholds.items()]),
        pictures[1:],
    )


def write_refusal(output: Path, bids_path: str, name: str, refused: RegistrationRefused) -> Path:
    """Write the page of a patient whose images could not be registered, with a picture of how they lie.

    Args:
        output: the prepared folder.
        bids_path: the patient's folder in it, "sub-01" or "sub-01/ses-1".
        name: the patient's.
        refused: why.
    """
    moved = refused.moving
    if refused.registration is not None:
        moved = moved_by_header(moved, refused.registration)
    title = "Where they fit best"
    return _write(
        report_path(output, bids_path),
        name,
        notice(f"Not prepared. {refused}", failed=True),
        _registration({"refused": _line(refused.registration)}),
        _figure(title, registration_figure(refused.fixed, moved, "fixed", "moved")),
    )


def _write(path: Path, patient: str, *content: Content) -> Path:
    page = article(
        f"{patient}: prepared for super-resolution",
        notice("Prepared for super-resolution. For research, not for diagnosis."),
        content,
        element("p", f"MRSISuperRes {__version__}"),
        heading=patient,
    )
    write_file(path, page)
    return path


def _figure(title: str, drawn) -> Element:
    return figure(title, png(drawn))


def _unused(sentences: list[str]) -> list[Element]:
    """What looks like a map and was not used, and why."""
    if not sentences:
        return []
    return [element("h2", "Not used"), element("ul", [element("li", sentence) for sentence in sentences])]


def _registration(lines: dict[str, str]) -> list[Element]:
    return [element("h2", "Registration"), _texts(list(lines.items()))]


def _texts(rows: list[tuple[str, Content]]) -> Element:
    """A table of texts, which start at the left; numbers end at the right."""
    return element("div", table(rows), class_="text")


def _line(registration: Registration | None) -> str:
    if registration is None:
        return "not registered: the scanner's coordinates were taken as they are"
    motion = f"moved by {registration.translation_mm:.2f} mm and {registration.rotation_deg:.2f} degrees"
    information = f"{registration.metric_before:.3f} before, {registration.metric_after:.3f} after"
    return f"{motion}; mutual information {information}; overlap {registration.overlap:.0%}"


def _rejected(maps: PreparedMaps) -> list[Element]:
    """What was rejected of the maps of one matrix: a row a metabolite, a share a reason."""
    reasons = list(dict.fromkeys(reason for own in maps.maps.values() for reason in own.filter.shares))
    rows = [
        (name, *("–" if share is None else f"{100 * share:.1f} %" for share in map(own.filter.shares.get, reasons)))
        for name, own in maps.maps.items()
    ]
    selected = ", ".join(str(index + 1) for index, there in enumerate(maps.slices) if there)
    return [
        element("h2", f"Rejected, as shares of the brain's voxels (res-{maps.read.resolution})"),
        table(rows, ("metabolite", *reasons)),
        element(
            "p",
            'Several reasons may hold for one voxel; "any" counts each once. '
            f"Selected slices: {selected} of {len(maps.slices)}.",
        ),
    ]
