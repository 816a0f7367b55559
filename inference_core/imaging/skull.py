"""Whether a T1 whose background is 0 shows the skull: scanners, too, set the background to 0.

From the surface inwards a stripped brain gets brighter: CSF and cortex, then white matter. A head has the bright fat of
the scalp, then the dark bone of the skull, then the brain; without its fat it is dark for a centimetre. Looked at on
eight stripped brains (scanners, programs and contrasts differ, one has a tumour, two have MS) and two heads, one of
3 mm slices, each whole and cut to a slab; see the constants below.
"""

import numpy as np
import SimpleITK as sitk

#: mm of the voxels that the shells are made of, and of a shell.
_VOXEL = _SHELL = 2.0
#: Where the shells begin and how deep the skull reaches, mm, and from where on all is brain.
_FIRST, _SKULL_DEPTH, _BRAIN_DEPTH = 2.0, 18.0, 25.0
#: Voxels around the mask that are looked at, too.
_MARGIN = 3
#: A voxel is dark below this share of the brain's median.
_DARK = 0.3
#: The skull: a shell is darker than one outside it by this factor (brains: 0.99 or more, heads: 0.81 or less), and a
#: shell holds this share of dark voxels (brains: 0.08 or less, heads: 0.23 or more) ...
_FALL, _DARK_SHARE = 0.85, 0.15
#: ... or, where fat is suppressed, this share is dark in each shell down to this depth, mm.
_DARK_SHARE_WITHOUT_FAT, _WITHOUT_FAT_DEPTH = 0.5, 10.0


def shows_skull(t1: sitk.Image, mask: sitk.Image) -> bool:
    """Whether what is not background in a T1 is a head rather than a brain.

    Args:
        t1: 3-D, scalar.
        mask: on its grid, 1 where it is not background, without holes.
    """
    first, counts = _bounds(mask)
    lengths = np.array(counts) * t1.GetSpacing()
    size = np.maximum(1, np.round(lengths / _VOXEL)).astype(int)
    origin, spacing = t1.TransformIndexToPhysicalPoint(first), (lengths / size).tolist()
    coarse, there = (
        sitk.Resample(image, size.tolist(), sitk.Transform(), how, origin, spacing, t1.GetDirection(), 0.0, pixel)
        for image, how, pixel in (
            (t1, sitk.sitkLinear, sitk.sitkFloat32),
            (mask, sitk.sitkNearestNeighbor, sitk.sitkUInt8),
        )
    )
    depth = -sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(_without_specks(there), False, False, True))
    values = sitk.GetArrayFromImage(coarse)
    inside = values[depth > _BRAIN_DEPTH]
    if not inside.size or not (brain := np.median(inside)) > 0:
        return False
    starts = np.arange(_FIRST, _SKULL_DEPTH, _SHELL)
    near = (depth >= _FIRST) & (depth < _SKULL_DEPTH)
    shell_of, near_values = ((depth[near] - _FIRST) // _SHELL).astype(int), values[near]
    shells = [near_values[shell_of == number] for number in range(len(starts))]
    if not all(shell.size for shell in shells):
        return False
    medians = np.array([np.median(shell) for shell in shells])
    dark = np.array([(shell < _DARK * brain).mean() for shell in shells])
    falls = (medians < _FALL * np.maximum.accumulate(medians)).any()
    outer = dark[starts + _SHELL <= _WITHOUT_FAT_DEPTH]
    return bool((falls and dark.max() > _DARK_SHARE) or outer.min() > _DARK_SHARE_WITHOUT_FAT)


def _bounds(mask: sitk.Image) -> tuple[list[int], list[int]]:
    """First index and number of voxels of the block around a mask, in SimpleITK's order.

    With a margin where the image has one: beyond the image nothing is background.
    """
    there, first, counts = sitk.GetArrayViewFromImage(mask), [], []
    for axis in (2, 1, 0):
        along = np.flatnonzero(there.any(axis=tuple(other for other in range(3) if other != axis)))
        first.append(max(0, int(along[0]) - _MARGIN))
        counts.append(min(there.shape[axis], int(along[-1]) + 1 + _MARGIN) - first[-1])
    return first, counts


def _without_specks(mask: sitk.Image) -> sitk.Image:
    """A mask without lone voxels of noise outside the head, which would be a surface of their own."""
    from scipy.ndimage import binary_opening, generate_binary_structure

    # ITK's opening by the same ball takes four times as long. Beyond the image the mask goes on.
    padded = np.pad(sitk.GetArrayViewFromImage(mask), 1, mode="edge")
    ball = generate_binary_structure(3, 2)
    opened = sitk.GetImageFromArray(binary_opening(padded, ball)[1:-1, 1:-1, 1:-1].astype(np.uint8))
    opened.CopyInformation(mask)
    return opened
