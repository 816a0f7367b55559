"""Fractions of CSF, grey and white matter from a label map, or from a skull-stripped T1 alone."""

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError

#: FreeSurfer's labels (FreeSurferColorLUT.txt), as `aseg`, `aparc+aseg`, `wmparc` and SynthSeg write them.
_CSF = (4, 5, 14, 15, 24, 31, 43, 44, 63, 72, 213, 221)
_GREY = (3, 8, 9, 10, 11, 12, 13, 17, 18, 19, 20, 26, 27, 42, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 58, 59)
#: White-matter lesions (25, 57) and hypointensities (77 to 79) among them: tissue that was white matter.
_WHITE = (2, 7, 16, 25, 28, 41, 46, 57, 60, 77, 78, 79, 80, 85, *range(250, 256))
_GREY_RANGES = ((1000, 3000),)
_WHITE_RANGES = ((3000, 5000),)
#: Sigma of the Gaussian that gives binary labels their partial volume, mm.
_PARTIAL_VOLUME = 0.55
#: What N4 works on: every so many voxels.
_SHRINK = 4
#: Iterations of k-means.
_ITERATIONS = 30


def _holds(labels: np.ndarray, single: tuple[int, ...], ranges: tuple[tuple[int, int], ...] = ()) -> np.ndarray:
    found = np.isin(labels, single)
    for low, high in ranges:
        found |= (labels >= low) & (labels < high)
    return found


def fractions_of_labels(image: sitk.Image) -> tuple[sitk.Image, sitk.Image, sitk.Image]:
    """Fractions of CSF, grey and white matter of a label map with FreeSurfer's numbers.

    Args:
        image: 3-D. Labels of skull, scalp, vessels and the like are left out.

    Returns:
        Float32 images on the same grid. Labels are binary, and a Gaussian gives them partial volume.

    Raises:
        InputError: if it holds none of FreeSurfer's labels of grey or white matter.
    """
    labels = np.round(sitk.GetArrayViewFromImage(image)).astype(np.int32)
    classes = _holds(labels, _CSF), _holds(labels, _GREY, _GREY_RANGES), _holds(labels, _WHITE, _WHITE_RANGES)
    for found, name in zip(classes[1:], ("grey", "white"), strict=True):
        if not found.any():
            raise InputError(
                f"The label map holds none of FreeSurfer's labels of {name} matter: give one as aseg or SynthSeg "
                "write them."
            )
    return tuple(_like(image, _softened(found, image.GetSpacing())) for found in classes)


def _softened(found: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    sigma = [_PARTIAL_VOLUME / size for size in reversed(spacing)]
    return gaussian_filter(found.astype(np.float32), sigma, truncate=3)


def _like(image: sitk.Image, values: np.ndarray) -> sitk.Image:
    made = sitk.GetImageFromArray(values.astype(np.float32))
    made.CopyInformation(image)
    return made


def fractions_of_t1(
    t1: sitk.Image, white_lesions: sitk.Image | None = None
) -> tuple[sitk.Image, sitk.Image, sitk.Image]:
    """Fractions of CSF, grey and white matter of a skull-stripped T1, from its intensities alone.

    Smooth variation is taken out by N4 (Tustison et al. 2010, IEEE Trans Med Imaging 29:1310), three classes are found
    by k-means, and a voxel between two classes' means is a mixture of these two, in proportion.

    Args:
        t1: 3-D, 0 outside the brain.
        white_lesions: where lesions of the white matter are above 0, on the T1's grid: they look like grey matter.

    Returns:
        Float32 images on the same grid.

    Raises:
        InputError: if the T1 shows no brain, or the lesions have another grid.
    """
    image = sitk.Cast(t1, sitk.sitkFloat32)
    inside = sitk.GetArrayViewFromImage(image) > 0
    if not inside.any():
        raise InputError("The T1 holds no positive value: a skull-stripped T1 is expected.")
    values = sitk.GetArrayFromImage(_evened(image, _like(image, inside)))
    means = _three_means(values[inside])
    fractions = np.zeros((3, *values.shape), np.float32)
    for index in range(3):
        # Each class's share: 1 at its own mean, 0 at its neighbours'.
        shares = np.interp(values[inside], means, np.eye(3)[index])
        fractions[index][inside] = shares
    if white_lesions is not None:
        if white_lesions.GetSize() != t1.GetSize():
            raise InputError("The lesions and the T1 have different grids: give both in the same space.")
        lesion = (sitk.GetArrayViewFromImage(white_lesions) > 0) & inside
        fractions[:, lesion] = np.array([0, 0, 1], np.float32)[:, None]
    return tuple(_like(image, part) for part in fractions)


def _evened(image: sitk.Image, mask: sitk.Image) -> sitk.Image:
    """The image without its smooth variation."""
    mask = sitk.Cast(mask, sitk.sitkUInt8)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([30, 20])
    factors = [_SHRINK] * 3
    corrector.Execute(sitk.Shrink(image, factors), sitk.Shrink(mask, factors))
    return image / sitk.Exp(corrector.GetLogBiasFieldAsImage(image))


def _three_means(values: np.ndarray) -> np.ndarray:
    """Means of three classes of intensities, in ascending order (k-means, from the quantiles)."""
    from scipy.cluster.vq import kmeans2

    sample = values[:: max(len(values) // 200_000, 1)].astype(np.float64)
    means, _ = kmeans2(sample, np.quantile(sample, (0.1, 0.45, 0.85)), iter=_ITERATIONS, minit="matrix")
    return np.sort(means)
