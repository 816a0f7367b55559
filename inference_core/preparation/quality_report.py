"""What became of a patient, as one page to look at before anybody believes a result."""

import base64
from dataclasses import dataclass
from pathlib import Path

from inference_core import __version__
from inference_core.imaging.registration import Registration, RegistrationRefused, moved_by_header
from inference_core.imaging.writing import atomic_path
from inference_core.preparation.prepared_patient import PreparedMaps, PreparedPatient
from inference_core.preparation.quality_figures import map_figure, png, registration_figure
from inference_core.preparation.settings import PreparationSettings

_TEMPLATE = Path(__file__).with_name("quality_report.html.jinja")


@dataclass(frozen=True)
class _Picture:
    title: str
    data: str


@dataclass(frozen=True)
class _Table:
    """What was rejected of the maps of one matrix: a row a metabolite, a share a reason."""

    resolution: str
    reasons: list[str]
    rows: list[tuple[str, list[float | None]]]
    slices: str


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
    pictures = [_picture("T1 and FLAIR", registration_figure(anatomy.t1_head, anatomy.flair_head, "T1", "FLAIR"))]
    for maps in patient.maps:
        pictures += [
            _picture(
                f"{name}, res-{maps.read.resolution}", map_figure(name, own, maps, anatomy.t1_head, anatomy.flair_head)
            )
            for name, own in maps.maps.items()
        ]
    return _write(
        output / f"{patient.parts.place.replace('/', '_')}.html",
        patient=patient.parts.name,
        failure="",
        sources=sources,
        mask=anatomy.mask_source,
        registrations=[
            ("FLAIR to T1", _line(anatomy.flair_registration)),
            ("T1 to the map", _line(anatomy.t1_registration)),
        ],
        tables=[_table(maps) for maps in patient.maps],
        settings=settings.describe()["Thresholds"],
        warnings=patient.warnings,
        pictures=pictures,
    )


def write_refusal(output: Path, place: str, name: str, refused: RegistrationRefused) -> Path:
    """Write the page of a patient whose images could not be registered, with a picture of how they lie.

    Args:
        output: the prepared folder.
        place: the patient's folder in it, "sub-01" or "sub-01/ses-1".
        name: the patient's.
        refused: why.
    """
    moved = refused.moving
    if refused.registration is not None:
        moved = moved_by_header(moved, refused.registration)
    return _write(
        output / f"{place.replace('/', '_')}.html",
        patient=name,
        failure=str(refused),
        sources={},
        mask="",
        registrations=[("refused", _line(refused.registration))],
        tables=[],
        settings={},
        warnings=(),
        pictures=[_picture("Where they fit best", registration_figure(refused.fixed, moved, "fixed", "moved"))],
    )


def _write(path: Path, **content) -> Path:
    from jinja2 import Environment, StrictUndefined

    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        _TEMPLATE.read_text(encoding="utf-8")
    )
    with atomic_path(path) as temporary:
        temporary.write_text(template.render(version=__version__, **content), encoding="utf-8")
    return path


def _picture(title: str, figure) -> _Picture:
    return _Picture(title, base64.b64encode(png(figure)).decode())


def _line(registration: Registration | None) -> str:
    if registration is None:
        return "not registered: the scanner's coordinates were taken as they are"
    motion = f"moved by {registration.translation_mm:.2f} mm and {registration.rotation_deg:.2f} degrees"
    information = f"{registration.metric_before:.3f} before, {registration.metric_after:.3f} after"
    return f"{motion}; mutual information {information}; overlap {registration.overlap:.0%}"


def _table(maps: PreparedMaps) -> _Table:
    reasons = list(dict.fromkeys(reason for own in maps.maps.values() for reason in own.filter.shares))
    rows = [(name, [own.filter.shares.get(reason) for reason in reasons]) for name, own in maps.maps.items()]
    selected = [index + 1 for index, there in enumerate(maps.slices) if there]
    return _Table(maps.read.resolution, reasons, rows, f"{', '.join(map(str, selected))} of {len(maps.slices)}")
