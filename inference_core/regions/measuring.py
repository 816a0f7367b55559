"""All of a patient's metabolites and ratios in regions, for the command line, the panel and the console alike."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import SimpleITK as sitk

from inference_core.regions.choice import partly_known, regions_in_brain, usual_ratios
from inference_core.regions.table import RegionRow, region_rows
from inference_core.terms.ratios import Ratio

if TYPE_CHECKING:
    from inference_core.inference.examination import Examination
    from inference_core.inference.patient_result import PatientResult
    from inference_core.inference.self_check import NoSelfCheck, SelfCheck
    from inference_core.inference.uncertainty.calibration import Calibration


@dataclass(frozen=True)
class Measurement:
    """What is in a patient's regions.

    Attributes:
        result: the patient's metabolites and ratios.
        regions: as measured, by name; without those that lie outside the brain.
        rows: the table.
        notices: sentences for the user on maps, regions and ratios, left out ones among them.
        checks: of the maps against their own measurement; empty if they were not checked.
    """

    result: "PatientResult"
    regions: Mapping[str, sitk.Image]
    rows: tuple[RegionRow, ...]
    notices: tuple[str, ...]
    checks: "tuple[SelfCheck | NoSelfCheck, ...]" = ()


def measure_regions(
    examination: "Examination",
    keys: Mapping[str, Hashable],
    regions: Mapping[str, sitk.Image],
    ratios: Sequence[Ratio] | None,
    sharpness: float,
    calibration: "Calibration | None" = None,
    progress: Callable[[int, int], None] | None = None,
    between_slices: Callable[[], None] | None = None,
) -> Measurement:
    """Measure all metabolites of an examination, and ratios of them, in regions.

    Args:
        examination: holds the prepared maps.
        keys: theirs, by metabolite's paper name.
        regions: images that are above 0 inside, on grids of their own, by name; may be none, for a report without.
        ratios: wanted; None for the usual ones that the maps allow.
        sharpness, calibration, progress, between_slices: as `inference_core.inference.patient_result.examine_patient`.

    Raises:
        InputError: for a region that is empty, if there are regions but none lies in the brain, and as
            `examine_patient`.
    """
    from inference_core.inference.patient_result import examine_patient

    first = examination.prepared(next(iter(keys.values())))
    # Said before all maps are super-resolved rather than after.
    regions, outside = regions_in_brain(regions, first.grid, first.brain)
    wanted = usual_ratios(keys) if ratios is None else ratios
    result = examine_patient(examination, keys, sharpness, calibration, progress, between_slices, wanted)
    # Where all maps hold values may be less than where the first one does.
    regions, also_outside = regions_in_brain(regions, result.grid, result.brain)
    rows = tuple(region_rows(result, regions))
    notices = (*result.notices, *outside, *also_outside, *result.left_out, *partly_known(rows))
    return Measurement(result, regions, rows, notices)
