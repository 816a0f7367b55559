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
    t1, mask = _cropped(t1, mask)
    size = [max(1, round(n * s / _VOXEL)) for n, s in zip(t1.GetSize(), t1.GetSpacing(), strict=True)]
    spacing = [n * s / count for n, s, count in zip(t1.GetSize(), t1.GetSpacing(), size, strict=True)]
    coarse, there = (
        sitk.Resample(image, size, sitk.Transform(), how, t1.GetOrigin(), spacing, t1.GetDirection(), 0.0)
        for image, how in ((sitk.Cast(t1, sitk.sitkFloat32), sitk.sitkLinear), (mask, sitk.sitkNearestNeighbor))
    )
    # Lone voxels of noise outside the head would be a surface of their own.
    there = sitk.BinaryMorphologicalOpening(there, [1, 1, 1])
    depth = -sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(there, False, False, True))
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


def _cropped(t1: sitk.Image, mask: sitk.Image) -> tuple[sitk.Image, sitk.Image]:
    """Both around the mask, with a margin where the image has one: beyond the image nothing is background."""
    there = sitk.GetArrayViewFromImage(mask)
    bounds = []
    for axis in (2, 1, 0):
        along = np.flatnonzero(there.any(axis=tuple(other for other in range(3) if other != axis)))
        bounds.append(slice(max(0, int(along[0]) - 3), int(along[-1]) + 4))
    return t1[tuple(bounds)], mask[tuple(bounds)]
