"""All of a patient's metabolites in regions: from the console, and on the computing thread for the panel."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from inference_core.errors import collected_warnings
from inference_core.regions.choice import parse_ratios
from inference_core.terms.conditions import check_sharpness
from inference_core.terms.detail import DEFAULT_CONSISTENCY, DEFAULT_DETAIL, check_consistency, check_detail
from inference_core.terms.ratios import Ratio
from MRSISuperResLib.compute.computation import Computation, shared_computation
from MRSISuperResLib.compute.requests import Model
from MRSISuperResLib.compute.torch_setup import check_packages
from MRSISuperResLib.scene.given_nodes import given_nodes
from MRSISuperResLib.scene.patient_maps import images_of_maps, left_out, maps_beside
from MRSISuperResLib.scene.region_table_view import table_node
from MRSISuperResLib.scene.segments import segment_images
from MRSISuperResLib.scene.volumes import PatientImages, check_volume_node


@dataclass(frozen=True)
class RegionRequest:
    """What to measure.

    Attributes:
        images: of each metabolite.
        segments: images of 1 inside, by name; may be none, for a report without regions.
        ratios: wanted; None for the usual ones that the maps allow.
        mirror: whether each region's counterpart on the other side is measured, too.
        sharpness: lambda.
        model: the network.
        checked: whether the maps are checked against their own measurement.
    """

    images: Mapping[str, PatientImages]
    segments: Mapping[str, sitk.Image]
    ratios: Sequence[Ratio] | None
    mirror: bool
    sharpness: float
    model: Model
    checked: bool = False


@dataclass(frozen=True)
class RegionMeasurement:
    """What came of it.

    Attributes:
        result, regions, rows: see `inference_core.regions.measuring.Measurement`.
        notices: sentences for the user.
        resolver: what super-resolved.
        checks: of the maps against their own measurement, each a `SelfCheck` or `NoSelfCheck`.
    """

    result: object
    regions: Mapping[str, sitk.Image]
    rows: tuple
    notices: tuple[str, ...]
    resolver: object
    checks: tuple = ()


def measure_regions(
    segmentation_node,
    map_node,
    t1_node,
    flair_node,
    sharpness: float = 0.0,
    *,
    ratios: Sequence[str] | None = None,
    mirror: bool = False,
    weights: str | Path = "",
    device: str = "automatic",
    detail: str = DEFAULT_DETAIL,
    consistency: str = DEFAULT_CONSISTENCY,
) -> tuple:
    """Measure a patient's metabolites in a segmentation's segments, and leave a table of them in the scene.

    Args:
        segmentation_node: `vtkMRMLSegmentationNode`, each segment of which is a region; or the path of a file, which is
            loaded, here as for the other nodes.
        map_node: one of the patient's maps; those on its grid whose names tell their metabolites are measured with it.
        t1_node, flair_node: the patient's MRI.
        sharpness: lambda, 0 to 0.1.
        ratios: such as ["tCho/NAA"]; None for the usual ones that the maps allow.
        mirror: measure each region's counterpart on the other side, too.
        weights, device, detail, consistency: as of `MRSISuperResLib.compute.logic.super_resolve`.

    Returns:
        `inference_core.regions.table.RegionRow`s.

    Raises:
        InputError: for input that can't be used, or a package that is missing; one sentence for the user.
    """
    check_packages()
    model = Model(str(weights), device, check_detail(detail), check_consistency(consistency))
    with given_nodes() as given:
        map_node, t1_node, flair_node = given.volumes_of_patient(map_node, t1_node, flair_node)
        segmentation_node = given.segmentation(segmentation_node, "segmentation")
    maps = maps_beside(check_volume_node(map_node, "metabolite map"))
    images = images_of_maps(maps, t1_node, flair_node, maps)
    segments, notices = segment_images(segmentation_node, t1_node, next(iter(images.values())).t1)
    parsed = None if ratios is None else parse_ratios(ratios, maps)
    wanted = RegionRequest(images, segments, parsed, mirror, check_sharpness(sharpness), model)
    computation = shared_computation()
    found = computation.run(measure, computation, wanted, lambda *_: None, lambda: None).result()
    for notice in (*left_out(map_node, maps), *notices, *found.notices):
        print(notice)
    table_node(found, f"{segmentation_node.GetName()} in {', '.join(maps)}")
    return found.rows


def measure(
    computation: Computation,
    wanted: RegionRequest,
    progress: Callable[[int, int], None],
    between_slices: Callable[[], None],
) -> RegionMeasurement:
    """Measure; to be called on the computing thread.

    Args:
        computation: whose thread this runs on.
        wanted: what.
        progress: called after each metabolite, with the number done and of all.
        between_slices: may raise to end it.

    Raises:
        InputError: if no region lies in the brain or the other side can't be found, and as `measuring.measure_regions`.
    """

    from inference_core.inference.result_calibration import result_calibration
    from inference_core.regions import measuring

    resolver = computation.cache.resolver(wanted.model)
    calibration, sentence = result_calibration(resolver, uncertainty=False, ratio=True)
    between_slices()
    first = next(iter(wanted.images.values()))
    regions = dict(wanted.segments)
    if regions and wanted.mirror:
        regions |= computation.cache.other_side.regions(regions, first.t1, first.key[1], between_slices)
    with collected_warnings() as notices:
        examination, keys = computation.cache.examination(wanted.model, wanted.images)
        found = measuring.measure_regions(
            examination, keys, regions, wanted.ratios, wanted.sharpness, calibration, progress, between_slices
        )
        checks = [
            examination.self_check(key, name, wanted.sharpness, None, lambda *_: between_slices())
            for name, key in keys.items()
            if wanted.checked
        ]
    notices = tuple(dict.fromkeys([*([sentence] if sentence else []), *found.notices, *notices]))
    return RegionMeasurement(found.result, found.regions, found.rows, notices, resolver, tuple(checks))
