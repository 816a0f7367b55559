"""The panel's state, kept in a node of the scene, so that it is saved and restored with the scene."""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from inference_core.terms.conditions import METABOLITES, SHARPNESS_RANGE
from inference_core.terms.detail import DEFAULT_CONSISTENCY, DEFAULT_DETAIL
from inference_core.terms.quantity import TISSUES
from inference_core.terms.ratios import STANDARD_RATIOS

#: The reference images that the overlay can lie on.
REFERENCES = ["FLAIR", "T1"]
#: The colour maps offered, perceptually uniform ones first.
COLOR_MAPS = ["Viridis", "Inferno", "Plasma", "Rainbow", "Grey"]
#: The entry of the list of metabolites that stands for the ratio written beside it.
OWN_RATIO = "own ratio"
#: What a result can be of.
QUANTITIES = [*METABOLITES, *(ratio.name for ratio in STANDARD_RATIOS), OWN_RATIO]
#: What a ratio can be in multiples of, its median there.
RATIO_REFERENCES = ["as it is", *TISSUES]
#: What the panel calls the core's `DETAILS`, in its order.
DETAIL_NAMES = {"network": "network", "matched": "matched to the data", "zero-filled": "zero-filled"}
#: What the panel calls the core's `CONSISTENCIES`.
CONSISTENCY_NAMES = {"hard": "kept exactly", "noise": "weighted by noise"}
#: Where to compute; "automatic" takes the fastest device.
DEVICES = ["automatic", "cpu", "cuda", "mps"]


@parameterNodeWrapper
class MRSISuperResParameterNode:
    """The module's parameters.

    metaboliteMap - the low-resolution map.
    t1, flair - the patient's MRI, on grids of their own.
    metabolite - which metabolite the map shows, or which ratio of its and others is wanted.
    ownRatio - the ratio that is meant by OWN_RATIO.
    ratioReference - what ratios are in multiples of.
    sharpness - lambda.
    detail - what becomes of the detail that the network adds.
    consistency - what becomes of the measured k-space.
    liveUpdate - whether the result follows the sharpness slider and the metabolite.
    result - the super-resolved map.
    reference, opacity, colorMap, fadeUncertain - how the result is shown.
    weights - file of weights; empty for those that come with the extension.
    device - where to compute.
    segmentation, mirrorRegions, regionRatios - the regions section's fields; the first may be a ratio's reference, too.
    batchInput, batchOutput, batchSharpness - the batch section's fields.
    """

    metaboliteMap: vtkMRMLScalarVolumeNode
    t1: vtkMRMLScalarVolumeNode
    flair: vtkMRMLScalarVolumeNode
    metabolite: Annotated[str, Choice(QUANTITIES)] = METABOLITES[0]
    ownRatio: str = "(Gln + Glu)/tCr"
    ratioReference: Annotated[str, Choice(RATIO_REFERENCES)] = RATIO_REFERENCES[0]
    sharpness: Annotated[float, WithinRange(*SHARPNESS_RANGE)] = 0.0
    detail: Annotated[str, Choice([*DETAIL_NAMES.values()])] = DETAIL_NAMES[DEFAULT_DETAIL]
    consistency: Annotated[str, Choice([*CONSISTENCY_NAMES.values()])] = CONSISTENCY_NAMES[DEFAULT_CONSISTENCY]
    liveUpdate: bool = True
    result: vtkMRMLScalarVolumeNode
    reference: Annotated[str, Choice(REFERENCES)] = REFERENCES[0]
    opacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.6
    colorMap: Annotated[str, Choice(COLOR_MAPS)] = COLOR_MAPS[0]
    fadeUncertain: bool = False
    weights: str = ""
    device: Annotated[str, Choice(DEVICES)] = DEVICES[0]
    # Slicer makes an instance of each class of nodes named here: none may be abstract.
    segmentation: vtkMRMLSegmentationNode
    mirrorRegions: bool = True
    regionRatios: str = ""
    batchInput: str = ""
    batchOutput: str = ""
    batchSharpness: str = "0, 0.02"
