"""What images tell of a fit's quality: of a signal, of the parts of a sum, or of a voxel's whole spectrum."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputWarning
from inference_core.terms.naming import PARTS_OF_SUMS

#: A linewidth above this is in Hz: 1 ppm would be ten times a bad spectrum's.
_LARGEST_PPM = 1.0

#: Images on one grid: the role ("concentration", "crlb", "snr" or "fwhm") and the signal's name, None for all signals.
ImagesByRole = Mapping[tuple[str, str | None], tuple[Path, sitk.Image]]


@dataclass(frozen=True)
class FitQuality:
    """The quality of one signal's fit; all images are on the map's grid, None where it is not known.

    Attributes:
        crlb: Cramer-Rao bound, %.
        snr: signal-to-noise ratio.
        fwhm: linewidth, in the source's unit.
        files: of the images that these were taken from.
        note: how SNR and linewidth were found where they are no image's; "" where they are.
    """

    crlb: sitk.Image | None
    snr: sitk.Image | None
    fwhm: sitk.Image | None
    files: tuple[Path, ...]
    note: str


def quality_of(name: str, images: ImagesByRole) -> FitQuality:
    """The quality of a signal's fit.

    FSL-MRS gives sums a Cramer-Rao bound, but SNR and linewidth to their parts alone. The lines of the parts lie at
    nearly one frequency, so that the sum's SNR is the sum of theirs; its linewidth is that of the part with the
    higher SNR, voxel by voxel.

    Args:
        name: of the signal, as `naming.named_signals` has it.
        images: on one grid.
    """
    found = {role: images.get((role, name)) for role in ("crlb", "snr", "fwhm")}
    parts = PARTS_OF_SUMS.get(name, ())
    own = {role: [images[role, part] for part in parts if (role, part) in images] for role in ("snr", "fwhm")}
    note = ""
    if parts and not (found["snr"] or found["fwhm"]) and len(own["snr"]) == len(own["fwhm"]) == len(parts):
        snr, fwhm = ([image for _, image in own[role]] for role in ("snr", "fwhm"))
        files = tuple(path for role in own.values() for path, _ in role)
        crlb = found["crlb"]
        listed = " and ".join(parts)
        note = f"SNR is the sum of that of {listed}, which were fitted; the linewidth is the stronger one's."
        of_crlb = (crlb[0],) if crlb else ()
        return FitQuality(crlb and crlb[1], _sum(snr), _of_strongest(fwhm, snr), of_crlb + files, note)
    for role in ("snr", "fwhm"):
        found[role] = found[role] or images.get((role, None))
    files = tuple(one[0] for one in found.values() if one)
    return FitQuality(*(one and one[1] for one in found.values()), files, note)


def in_ppm(fwhm: sitk.Image, frequency: float | None) -> sitk.Image | None:
    """A linewidth in ppm, None if it is in Hz and the frequency is not known.

    Args:
        fwhm: in ppm or Hz, told apart by its median.
        frequency: of the transmitter, MHz; None if it is not known.

    Warns:
        InputWarning: if the frequency is needed and missing.
    """
    array = sitk.GetArrayFromImage(fwhm)
    positive = array[np.isfinite(array) & (array > 0)]
    if not positive.size or np.median(positive) <= _LARGEST_PPM:
        return fwhm
    if frequency is None:
        warnings.warn(
            "The linewidths are in Hz, and the frequency to convert them by is not known: they were left out; give "
            "--frequency.",
            InputWarning,
            stacklevel=4,
        )
        return None
    return _like(fwhm, array / np.float32(frequency))


def _sum(images: list[sitk.Image]) -> sitk.Image:
    return _like(images[0], np.sum([sitk.GetArrayFromImage(image) for image in images], axis=0))


def _of_strongest(images: list[sitk.Image], strengths: list[sitk.Image]) -> sitk.Image:
    """Each voxel from the image whose strength is highest there."""
    strongest = np.argmax([np.nan_to_num(sitk.GetArrayFromImage(one)) for one in strengths], axis=0)
    arrays = np.stack([sitk.GetArrayFromImage(image) for image in images])
    return _like(images[0], np.take_along_axis(arrays, strongest[None], axis=0)[0])


def _like(image: sitk.Image, array: np.ndarray) -> sitk.Image:
    made = sitk.GetImageFromArray(array.astype(np.float32))
    made.CopyInformation(image)
    return made
