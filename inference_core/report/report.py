"""The report of a patient as one HTML file: this package's public function."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.files.atomic import write_file
from inference_core.files.folders import check_folder
from inference_core.imaging.brain_mask import share_in_super_resolved
from inference_core.regions.table import RegionRow
from inference_core.report.columns import make_columns
from inference_core.report.facts import facts, notices, reading_notes
from inference_core.report.figures import figures
from inference_core.report.page import Page, html
from inference_core.report.region_numbers import numbers_table
from inference_core.report.slices import shown_slices
from inference_core.report.source_notes import UNITS_AS_GIVEN
from inference_core.report.tiles import OUTLINES

if TYPE_CHECKING:
    from inference_core.inference.patient_result import PatientResult
    from inference_core.inference.self_check import NoSelfCheck, SelfCheck
    from inference_core.inference.super_resolver import SuperResolver

#: Columns of figures that fill the page's width, with uncertainties and without, which leaves taller rows: seven
#: metabolites and five ratios. Of fewer it shows more slices.
_COLUMNS = {True: 12, False: 9}
#: Regions that it has room for.
_REGIONS = 4


def write_patient_report(
    path: str | Path,
    result: "PatientResult",
    resolver: "SuperResolver",
    patient: str,
    sources: Mapping[str, str],
    *,
    regions: Mapping[str, sitk.Image] | None = None,
    rows: Sequence[RegionRow] = (),
    warnings: Sequence[str] = (),
    checks: "Sequence[SelfCheck | NoSelfCheck]" = (),
    units: str = UNITS_AS_GIVEN,
    simulated_patient: bool = False,
    made: datetime | None = None,
) -> Path:
    """Write a patient's page as one HTML file, pictures included; one A4 sheet on its side when printed.

    Needs no matplotlib. T1 and FLAIR are those that `result` was made with.

    Args:
        path: file to write, replaced if it exists.
        result: the patient's metabolites and ratios.
        resolver: what made them.
        patient: what to call the patient.
        sources: names of files or nodes, by what they are: "T1", "FLAIR", and the metabolites.
        regions: images above 0 inside, on grids of their own, by name: they choose the slice and are outlined.
        rows: what is in them, from `region_rows`. The sheet has room for four regions; further ones go on another.
        warnings: sentences on the input, as `InputWarning` has them.
        checks: of the maps against their own measurement.
        units: of the maps.
        simulated_patient: whether the patient is simulated.
        made: when, in local time; None for now.

    Returns:
        The file.

    Raises:
        InputError: if the file can't be written; it is not left half-written.
    """
    path = Path(path)
    check_folder(path.parent)
    if path.is_dir():
        raise InputError(f"The output '{path}' is a folder: name a file.")
    shares = {name: share_in_super_resolved(image > 0, result.grid) for name, image in (regions or {}).items()}
    count = max(1, _COLUMNS[result.has_uncertainty] // len(result.quantities))
    slices = shown_slices(result.brain, list(shares.values()), count)
    columns = make_columns(result, slices)
    found = _by_region(rows)
    here, further = dict(list(found.items())[:_REGIONS]), dict(list(found.items())[_REGIONS:])
    outlines = dict(zip(shares, OUTLINES, strict=False))
    page = Page(
        patient=patient,
        made=made or datetime.now(),
        sharpness=result.sharpness,
        shown=f"slice {', '.join(str(index + 1) for index in slices)} of {result.grid.slices}",
        notices=notices(result, resolver, simulated_patient),
        figures=figures(result, columns, slices, shares, units),
        numbers=numbers_table(columns, len(slices), here, outlines, {one.metabolite: one.explained for one in checks}),
        notes=reading_notes(result, bool(here), checks),
        sources=sources,
        facts=facts(result, resolver),
        warnings=list(dict.fromkeys([*warnings, *result.left_out])),
        further=numbers_table(columns, len(slices), further, outlines, detail=False) if further else None,
    )
    text = html(page)
    write_file(path, text)
    return path


def _by_region(rows: Sequence[RegionRow]) -> dict[str, list[RegionRow]]:
    found: dict[str, list[RegionRow]] = {}
    for row in rows:
        found.setdefault(row.region, []).append(row)
    return found
