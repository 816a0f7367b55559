"""What the Python console uses; works without a main window."""

from collections.abc import Sequence
from pathlib import Path

from inference_core.batch.request import BatchRequest
from inference_core.errors import InputError
from inference_core.terms.conditions import check_sharpness
from inference_core.terms.detail import DEFAULT_CONSISTENCY, DEFAULT_DETAIL, check_consistency, check_detail
from inference_core.terms.quantity import SEGMENTS, Quantity
from inference_core.terms.reference import BRAIN, parse_reference
from MRSISuperResLib.compute.batch import run_folder, summary
from MRSISuperResLib.compute.computation import Computation, shared_computation
from MRSISuperResLib.compute.requests import Model, Request
from MRSISuperResLib.compute.torch_setup import check_packages
from MRSISuperResLib.scene.given_nodes import given_nodes
from MRSISuperResLib.scene.guesses import metabolite_of
from MRSISuperResLib.scene.input_warnings import input_warnings
from MRSISuperResLib.scene.legend import show_legend
from MRSISuperResLib.scene.normal_tissue import normal_tissue
from MRSISuperResLib.scene.overlay import Look, Overlay, bring_into_view, data_window, show_colors
from MRSISuperResLib.scene.parameters import COLOR_MAPS
from MRSISuperResLib.scene.patient_maps import images_of_maps, maps_beside
from MRSISuperResLib.scene.result_volume import ResultLabel, ResultVolume, UncertaintyVolume
from MRSISuperResLib.scene.volumes import check_volume_node, images_key


def super_resolve(
    map_node,
    t1_node,
    flair_node,
    metabolite: str | None = None,
    sharpness: float = 0.0,
    *,
    weights: str | Path = "",
    device: str = "automatic",
    show: bool = True,
    uncertainty: bool = False,
    reference=None,
    mirror: bool = False,
    detail: str = DEFAULT_DETAIL,
    consistency: str = DEFAULT_CONSISTENCY,
):
    """Super-resolve a map and return the new volume node. Blocks until it is complete.

    Args:
        map_node: `vtkMRMLScalarVolumeNode` of the low-resolution map, slices along its third axis; or the path of a
            file, which is loaded, here as for the other nodes.
        t1_node, flair_node: the patient's MRI, on grids of their own, registered with the map.
        metabolite: paper's or LCModel's name; None to take it from the map's or its file's name. Or a ratio such as
            "tCho/NAA": the other maps are those in the scene on the same grid, by their names.
        sharpness: lambda, 0 to 0.1.
        weights: a .safetensors file of our training; "" for the default.
        device: "automatic", "cpu", "cuda" or "mps".
        show: lay the result over FLAIR in the slice views that there are.
        uncertainty: make a second volume, the half-widths of the 68 % intervals around the result's values, which
            `node.GetNodeReference("MRSISuperRes.uncertainty")` returns. Takes nine times the computing, which a ratio
            takes anyway.
        reference: give a ratio in multiples of its median in the "brain", or in the segments of a
            `vtkMRMLSegmentationNode` that are shown.
        mirror: of that in the same place on the brain's other side instead.
        detail: what becomes of the detail that the network adds: "matched", "network" or "zero-filled".
        consistency: what becomes of the measured k-space: "hard" or "noise".

    Raises:
        InputError: for input that can't be used, or a package that is missing; one sentence for the user.
    """
    check_packages()
    model = Model(str(weights), device, check_detail(detail), check_consistency(consistency))
    with given_nodes() as given:
        map_node, t1_node, flair_node = given.volumes_of_patient(map_node, t1_node, flair_node)
        if reference != BRAIN:
            reference = given.segmentation(reference, 'reference (other than "brain")')
    if metabolite is None:
        metabolite = metabolite_of(check_volume_node(map_node, "metabolite map"))
        if metabolite is None:
            raise InputError(
                f"The name '{map_node.GetName()}' contains no metabolite: say which, as in metabolite=\"tCho\"."
            )
    region = reference if reference in (None, BRAIN) else SEGMENTS
    tissue = parse_reference(region, mirror, "/" in metabolite)
    quantity, sharpness = Quantity.parse(metabolite, tissue), check_sharpness(sharpness)
    images_key(map_node, t1_node, flair_node)
    maps = {quantity.name: map_node} if quantity.ratio is None else quantity.choose(maps_beside(map_node))
    images = images_of_maps(maps, t1_node, flair_node, quantity.metabolites)
    normal = None
    if quantity.needs_segments:
        normal = normal_tissue(reference, t1_node, next(iter(images.values())).t1, mirror)
    request = Request(images, quantity, sharpness, model, tissue=normal)
    computation = shared_computation()
    found = computation.run(computation.super_resolve, request, uncertainty).result()
    for notice in (*input_warnings(map_node, t1_node, flair_node, quantity.name), *found.notices):
        print(f"{map_node.GetName()}: {notice}")
    label = ResultLabel(
        metabolite=quantity.name,
        sharpness=request.sharpness,
        n=found.result.prepared.n,
        map_name=", ".join(node.GetName() for node in maps.values()),
        t1_name=t1_node.GetName(),
        flair_name=flair_node.GetName(),
        segmentation_name=reference.GetName() if normal else "",
        weights=found.resolver.weights.sha256,
        device=found.resolver.device_reason,
        detail=detail,
        consistency=consistency,
    )
    grid = found.result.grid
    result = ResultVolume.create(map_node)
    result.write(request, label, grid, range(grid.slices), found.result.values)
    if uncertainty:
        certainty = UncertaintyVolume.create(map_node)
        certainty.write(request, label, grid, range(grid.slices), found.result.uncertainty)
        certainty.detach()
        result.node.SetNodeReferenceID("MRSISuperRes.uncertainty", certainty.node.GetID())
    result.detach()
    look = Look(COLOR_MAPS[0], 0.6)
    show_colors(result.node, look, data_window(map_node))
    if show:
        Overlay().show(result.node, flair_node, look)
        bring_into_view(result.node)
        show_legend(result.node, label.title)
    return result.node


def super_resolve_folder(
    study: str | Path,
    output: str | Path,
    sharpness: Sequence[float] | float = (0.0,),
    *,
    weights: str | Path = "",
    device: str = "automatic",
    progress=None,
    ratios: Sequence[str] | None = None,
    reference: str | None = None,
    mirror: bool = False,
    uncertainty: bool = False,
    detail: str = DEFAULT_DETAIL,
    consistency: str = DEFAULT_CONSISTENCY,
) -> list:
    """Super-resolve every metabolite map of every patient in a folder; see `inference_core.batch.run_batch`.

    Args:
        study: folder of patients.
        output: folder for the results; what is complete there is not made again.
        sharpness: one or more values of lambda.
        weights, device: as of `super_resolve`.
        progress: called with the number of outputs that are through, of all outputs, and the latest row; None to
            print them. Called on another thread: it may not touch Qt or MRML.
        ratios, reference, mirror, uncertainty: as of `inference_core.batch.BatchRequest`.
        detail, consistency: as of `super_resolve`.

    Returns:
        A `BatchRow` for each output, with patient, metabolite, sharpness, n, status, seconds, output, message.

    Raises:
        InputError: as `inference_core.batch.run_batch`, or a package that is missing.
    """
    check_packages()
    computation: Computation = shared_computation()
    model = Model(str(weights), device, check_detail(detail), check_consistency(consistency))
    request = BatchRequest(
        study, output, sharpness, ratios=ratios, reference=reference, mirror=mirror, uncertainty=uncertainty
    )
    rows = computation.run(run_folder, computation, request, model, progress or _print_progress).result()
    print(summary(rows))
    return rows


def _print_progress(done: int, total: int, row) -> None:
    at = "" if row.sharpness is None else f" lambda={row.sharpness:g}"
    reason = f": {row.message}" if row.message else ""
    print(f"{done}/{total} {row.patient} {row.metabolite}{at} {row.status}{reason}")
