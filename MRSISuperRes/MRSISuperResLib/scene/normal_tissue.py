"""The normal tissue in a segmentation, or opposite of it, that a ratio is compared with: copied from the scene."""

from dataclasses import dataclass, field

import SimpleITK as sitk

from MRSISuperResLib.scene.segments import segment_images, shown_segments_state


@dataclass(frozen=True)
class NormalTissue:
    """Segments, together, so that a thread may read them.

    Attributes:
        region: 1 inside, on the T1's grid in the map's own frame.
        mirror: whether the same place on the brain's other side is meant.
        key: equal for equal segments on one T1.
    """

    region: sitk.Image = field(compare=False)
    mirror: bool
    key: tuple


def tissue_key(segmentation_node, mirror: bool) -> tuple:
    """What `NormalTissue.key` will be; cheap enough to ask often.

    Raises:
        InputError: for what is no segmentation.
    """
    return (*shown_segments_state(segmentation_node), mirror)


def normal_tissue(segmentation_node, t1_node, t1: sitk.Image, mirror: bool) -> NormalTissue:
    """The segments that are shown, together.

    Args:
        segmentation_node, t1_node, t1: as of `segment_images`.
        mirror: see `NormalTissue`.

    Raises:
        InputError: as `segment_images`.
    """
    key = tissue_key(segmentation_node, mirror)
    first, *others = segment_images(segmentation_node, t1_node, t1, shown_only=True)[0].values()
    for other in others:
        first = sitk.Or(first, other)
    return NormalTissue(first, mirror, key)
