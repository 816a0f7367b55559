"""Rigid co-registration of a patient's images by mutual information, and refusing what did not work.

Mutual information (Mattes et al. 2003, IEEE Trans Med Imaging 22:120) from coarse to fine, once from where the headers
put the images and once from where the centres of their heads coincide; the better of the two counts. One thread and
fixed samples: the same images give the same transform.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError

#: Millimetres of a voxel, and the share of voxels that are looked at, from coarse to fine.
_LEVELS = ((8.0, 0.8), (4.0, 0.5), (2.0, 0.3), (1.0, 0.1))
_BINS = 48
_STEPS = 150
#: Centres of heads closer than this are no other place to start from, mm.
_SAME_START = 2.0
#: Histogram that the result is judged by, and voxels that it is made of, mm.
_JUDGING_BINS, _JUDGING_VOXEL = 32, 2.0
#: Below these it is not the same head in the same place. Information was 0.09 and 0.16 for T1 with T2 or FLAIR of one
#: person, 0.02 and 0.04 with another person's. Another person's T1 has
#: 0.07 with a T1: two T1 can't be told apart so.
_LEAST_INFORMATION, _LEAST_OVERLAP = 0.05, 0.6
#: A patient does not move further between two scans of one examination.
_FARTHEST_MM, _FARTHEST_DEG = 100.0, 45.0
#: Share of zeros from which on a background is taken for cut away.
_CUT_AWAY = 0.3


@dataclass(frozen=True)
class Registration:
    """How a moving image comes to lie on a fixed one.

    Attributes:
        transform: from points of the fixed image's space to those of the moving one's, mm.
        metric_before: mutual information inside both heads where the headers put the images, as a share of the moving
            one's entropy there, 0 to 1.
        metric_after: the same where the transform puts them.
        translation_mm: how far the fixed head's centre moves.
        rotation_deg: the angle.
        overlap: share of the smaller head that lies in the other one, 0 to 1: one may be without its skull.
    """

    transform: sitk.Euler3DTransform
    metric_before: float
    metric_after: float
    translation_mm: float
    rotation_deg: float
    overlap: float


class RegistrationRefused(InputError):  # noqa: N818 - says what happened
    """Two images could not be brought together.

    Attributes:
        fixed: image.
        moving: image.
        registration: what came out, or None if nothing did.
    """

    def __init__(self, sentence: str, fixed: sitk.Image, moving: sitk.Image, registration: Registration | None):
        super().__init__(sentence)
        self.fixed, self.moving, self.registration = fixed, moving, registration


def register_rigid(
    moving: sitk.Image,
    fixed: sitk.Image,
    *,
    moving_role: str,
    fixed_role: str,
    seed: int = 0,
    finest: float = 1.0,
    least_information: float = _LEAST_INFORMATION,
) -> Registration:
    """Bring one image of a patient to lie on another one, of the same or another contrast.

    Args:
        moving: 3-D, scalar, with the head's skull or without.
        fixed: likewise.
        moving_role: what to call it in an error: "FLAIR".
        fixed_role: likewise.
        seed: of the samples.
        finest: voxels of the last level, mm; coarser ones are faster.
        least_information: below which the images are taken to have nothing in common; see `Registration.metric_after`.

    Raises:
        RegistrationRefused: if they do not match afterwards, or only after a motion that can't be.
    """
    together = f"check that {moving_role} and {fixed_role} are of the same patient, and not cut off"
    fixed, moving = _finite(fixed), _finite(moving)
    heads = _head(fixed), _head(moving)
    if not all(sitk.GetArrayViewFromImage(head).any() for head in heads):
        sentence = f"The {moving_role} can't be registered with the {fixed_role}, one of them is empty: {together}."
        raise RegistrationRefused(sentence, fixed, moving, None)
    centres = [_centre(head) for head in heads]
    starts = [np.zeros(3)]
    if np.linalg.norm(centres[1] - centres[0]) > _SAME_START:
        starts.append(centres[1] - centres[0])
    found = []
    for start in starts:
        transform = sitk.Euler3DTransform()
        transform.SetCenter(centres[0].tolist())
        transform.SetTranslation(start.tolist())
        try:
            found.append((_optimise(fixed, moving, transform, seed, finest), transform))
        except RuntimeError:
            # ITK gives up where the images do not overlap; the other start may do better.
            continue
    if not found:
        sentence = f"The {moving_role} can't be registered with the {fixed_role}, they do not overlap: {together}."
        raise RegistrationRefused(sentence, fixed, moving, None)
    transform = min(found, key=lambda pair: pair[0])[1]
    registration = _judged(fixed, moving, heads, transform, centres[0], least_information)
    reason = _doubt(registration, least_information)
    if reason:
        sentence = f"The {moving_role} can't be registered with the {fixed_role} ({reason}): {together}."
        raise RegistrationRefused(sentence, fixed, moving, registration)
    return registration


def moved_by_header(image: sitk.Image, registration: Registration) -> sitk.Image:
    """The moving image in the fixed one's space: the same voxels, another origin and direction."""
    back = registration.transform.GetInverse()
    rotation = np.array(registration.transform.GetMatrix()).reshape(3, 3)
    moved = sitk.Image(image)
    moved.SetOrigin(back.TransformPoint(image.GetOrigin()))
    moved.SetDirection((rotation.T @ np.array(image.GetDirection()).reshape(3, 3)).ravel().tolist())
    return moved


def _finite(image: sitk.Image) -> sitk.Image:
    array = np.nan_to_num(sitk.GetArrayFromImage(image).astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    finite = sitk.GetImageFromArray(array)
    finite.CopyInformation(image)
    return finite


def _head(image: sitk.Image) -> sitk.Image:
    """Where the head is, uint8; the brain in images without a skull."""
    if (sitk.GetArrayViewFromImage(image) == 0).mean() > _CUT_AWAY:
        return image > 0
    return sitk.OtsuThreshold(image, 0, 1)


def _centre(head: sitk.Image) -> np.ndarray:
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(head)
    return np.array(shape.GetCentroid(1))


def _coarser(image: sitk.Image, voxel: float) -> sitk.Image:
    """Means of blocks of about `voxel` mm."""
    return sitk.BinShrink(image, [max(1, round(voxel / spacing)) for spacing in image.GetSpacing()])


@contextmanager
def _one_thread() -> Iterator[None]:
    """ITK's filters on one thread: the order in which several add up would change the last digits."""
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


def _optimise(
    fixed: sitk.Image, moving: sitk.Image, transform: sitk.Euler3DTransform, seed: int, finest: float
) -> float:
    """Improve the transform, in place; returns the last level's metric, the lower the better.

    Raises:
        RuntimeError: if the images do not overlap.
    """
    for voxel, share in (level for level in _LEVELS if level[0] >= finest):
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(_BINS)
        method.SetMetricSamplingStrategy(method.RANDOM)
        # ITK takes a seed of 0 for the clock's.
        method.SetMetricSamplingPercentage(share, seed + 1)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(
            voxel / 2, voxel / 400, _STEPS, relaxationFactor=0.6, gradientMagnitudeTolerance=1e-6
        )
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(transform, inPlace=True)
        with _one_thread():
            method.Execute(_coarser(fixed, voxel), _coarser(moving, voxel))
    return method.GetMetricValue()


def _judged(
    fixed: sitk.Image,
    moving: sitk.Image,
    heads: tuple[sitk.Image, sitk.Image],
    transform: sitk.Euler3DTransform,
    centre: np.ndarray,
    least_information: float,
) -> Registration:
    before, overlap_before = _agreement(fixed, moving, heads, sitk.Transform(3, sitk.sitkIdentity))
    after, overlap = _agreement(fixed, moving, heads, transform)
    if before >= max(after, least_information):
        # What the headers say fits at least as well.
        transform, after, overlap = sitk.Euler3DTransform(), before, overlap_before
        transform.SetCenter(centre.tolist())
    rotation = np.array(transform.GetMatrix()).reshape(3, 3)
    angle = np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))
    motion = np.linalg.norm(np.array(transform.TransformPoint(centre.tolist())) - centre)
    return Registration(transform, before, after, float(motion), float(np.rad2deg(angle)), overlap)


def _agreement(
    fixed: sitk.Image, moving: sitk.Image, heads: tuple[sitk.Image, sitk.Image], transform: sitk.Transform
) -> tuple[float, float]:
    """The heads' mutual information by the moving image's entropy, and the smaller head's share in the other."""
    grid = _coarser(fixed, _JUDGING_VOXEL)
    values = [
        sitk.GetArrayFromImage(image)
        for image in (grid, sitk.Resample(_coarser(moving, _JUDGING_VOXEL), grid, transform, sitk.sitkLinear, 0.0))
    ]
    first, second = (
        sitk.GetArrayFromImage(sitk.Resample(head, grid, own, sitk.sitkNearestNeighbor, 0)) > 0
        for head, own in zip(heads, (sitk.Transform(3, sitk.sitkIdentity), transform), strict=True)
    )
    both, smaller = first & second, int(min(first.sum(), second.sum()))
    overlap = int(both.sum()) / smaller if smaller else 0.0
    if both.sum() < _JUDGING_BINS**2:
        return 0.0, overlap
    # Bins of as many voxels each, so that a few bright ones do not leave the rest in one bin.
    shares = np.linspace(0, 1, _JUDGING_BINS + 1)[1:-1]
    bins = [np.digitize(image[both], np.quantile(image[both], shares)) for image in values]
    joint = np.zeros((_JUDGING_BINS, _JUDGING_BINS))
    np.add.at(joint, tuple(bins), 1 / both.sum())
    alone = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    information = float((joint[there] * np.log(joint[there] / alone[there])).sum())
    moving_share = joint.sum(axis=0)
    entropy = -float((moving_share[moving_share > 0] * np.log(moving_share[moving_share > 0])).sum())
    return (information / entropy if entropy > 0 else 0.0), overlap


def _doubt(found: Registration, least_information: float) -> str:
    """Why a registration is not to be trusted, "" if it is."""
    if found.overlap < _LEAST_OVERLAP:
        return f"their heads overlap by {found.overlap:.0%} only"
    if found.translation_mm > _FARTHEST_MM or found.rotation_deg > _FARTHEST_DEG:
        return f"they would have to move by {found.translation_mm:.0f} mm and {found.rotation_deg:.0f} degrees"
    if found.metric_after < least_information:
        return "they have nearly nothing in common even where they fit best"
    return ""
