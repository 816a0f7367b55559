"""Segments of a Slicer segmentation as label images."""

from collections.abc import Container, Iterator

import SimpleITK as sitk
import slicer
from slicer.i18n import tr as _

from inference_core.errors import InputError


def segment_images(
    segmentation_node, t1_node, t1: sitk.Image, shown_only: bool = False
) -> tuple[dict[str, sitk.Image], list[str]]:
    """The segments that hold anything, by name, and a sentence on each that does not.

    Args:
        segmentation_node: a `vtkMRMLSegmentationNode`; transforms of it and of the T1 are taken into account.
        t1_node: on whose grid the images are.
        t1: the same T1 as an image in the map's own frame, whose geometry they take over.
        shown_only: leave out segments that the user has hidden.

    Returns:
        Images of 1 inside, and sentences for the user.

    Raises:
        InputError: for a segmentation that is missing or holds nothing, or a T1 whose axes are not perpendicular.
    """
    check_segmentation(segmentation_node)
    images, notices = {}, []
    for identifier, segment in _segments(segmentation_node, shown_only):
        name = segment.GetName()
        try:
            array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation_node, identifier, t1_node)
        except RuntimeError as error:
            sentence = _("The segment '{0}' can't be brought onto the T1's grid: make it a binary labelmap first.")
            raise InputError(sentence.format(name)) from error
        if array is None or not array.any():
            notices.append(_("The segment '{0}' is empty or lies outside the T1: it was left out.").format(name))
            continue
        image = sitk.GetImageFromArray((array > 0).astype("uint8"))
        if image.GetSize() != t1.GetSize():
            raise InputError(
                _("The axes of the T1 '{0}' are not perpendicular: resample it first.").format(t1_node.GetName())
            )
        image.CopyInformation(t1)
        images[unused_name(name, images)] = image
    if not images:
        sentence = (
            _("The segmentation '{0}' shows nothing within the T1: draw a region in it, or show one, first.")
            if shown_only
            else _("The segmentation '{0}' is empty or lies outside the T1: draw a region in it first.")
        )
        raise InputError(sentence.format(segmentation_node.GetName()))
    return images, notices


def check_segmentation(node) -> None:
    """Refuse what is no segmentation in the scene.

    Raises:
        InputError: then.
    """
    if node is None or node.GetScene() is None:
        raise InputError(_("The segmentation is missing: choose one, or draw one in the Segment Editor."))
    if not node.IsA("vtkMRMLSegmentationNode"):
        raise InputError(_("'{0}' is no segmentation: choose one.").format(node.GetName()))


def shown_segments_state(node) -> tuple:
    """Equal as long as the segments that are shown, their voxels and their place stay as they are; cheap.

    Raises:
        InputError: as `check_segmentation`.
    """
    check_segmentation(node)
    source, transform = node.GetSegmentation().GetSourceRepresentationName(), node.GetParentTransformNode()
    return (
        node.GetID(),
        (transform.GetID(), transform.GetTransformToWorldMTime()) if transform is not None else None,
        *(
            (identifier, segment.GetRepresentation(source).GetMTime(), segment.GetLabelValue())
            for identifier, segment in _segments(node, shown_only=True)
            if segment.GetRepresentation(source) is not None
        ),
    )


def _segments(node, shown_only: bool) -> Iterator[tuple[str, object]]:
    segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
    for index in range(segmentation.GetNumberOfSegments()):
        identifier = segmentation.GetNthSegmentID(index)
        if not shown_only or display is None or display.GetSegmentVisibility(identifier):
            yield identifier, segmentation.GetSegment(identifier)


def unused_name(name: str, used: Container[str]) -> str:
    """A name, numbered if it is used already: segments may have one name, regions need one each."""
    count, unused = 1, name
    while unused in used:
        count += 1
        unused = f"{name} ({count})"
    return unused
