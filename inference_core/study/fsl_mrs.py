"""The results folder of FSL-MRS's command `fsl_mrsi`, and the common scale of its raw concentrations.

::

    options.txt                                  the command's arguments
    concs/raw/NAA.nii.gz, PCho+GPC.nii.gz, ...   a folder a scaling: raw, internal, molarity, molality
    uncertainties/NAA_sd.nii.gz                  Cramer-Rao bounds in %, of sums, too
    qc/NAA_snr.nii.gz, NAA_fwhm.nii.gz           of each basis spectrum, not of sums; the linewidth in Hz
    fit/fit.nii.gz, residual.nii.gz              NIfTI-MRS, the time signal of each voxel
    nuisance/, misc/                             other parameters of the model

Unless it was told `--no_rescale`, fsl_mrsi scales the signal of each voxel to a norm of 100 before it fits, and its raw
concentrations are those of the scaled signals: they do not compare between voxels, and their map is nearly flat. The
measured signal is the sum of fit and residual, so that its norm gives the scale back.
`concs/internal` is a ratio to the internal reference. Source: FSL-MRS 2.4.11, `fsl_mrsi.py`, `MRSI._process_mrs`,
`misc.rescale_FID`.
"""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.absent import absent_content

#: The folder of all scalings, and those that hold amounts; the first that is there is taken.
CONCENTRATIONS = "concs"
_AMOUNTS = ("molality", "molarity", "raw")
_RAW = "raw"
#: The other folders that hold maps of the fit, by what they show.
QUALITIES = ("uncertainties", "qc")
NO_MAPS = {
    "nuisance": "parameters of the fitted model",
    "fit": "the fitted signals",
    "misc": "correlations of the fitted parameters",
}
#: The norm that each voxel's signal is scaled to.
_NORM = 100.0
_NO_RESCALE = re.compile(r"\bno_rescale=(True|False)\b")
#: Code of NIfTI-MRS's header extension, which is JSON.
_NIFTI_MRS = 44


class LostScaleError(InputError):
    """Raw concentrations can't be brought to one scale: none of them can be taken."""


def is_results(folder: Path) -> bool:
    """Whether a folder holds fsl_mrsi's results: concentrations in one of its scalings.

    Raises:
        OSError: if the folder can't be read.
    """
    return any((folder / CONCENTRATIONS / scaling).is_dir() for scaling in _AMOUNTS)


def amounts_folder(results: Path) -> Path:
    """The folder of the concentrations that are taken: scaled by water where they were, otherwise raw."""
    return next(folder for scaling in _AMOUNTS if (folder := results / CONCENTRATIONS / scaling).is_dir())


def results_of(path: Path) -> Path | None:
    """The results folder that a concentration of fsl_mrsi lies in, in any scaling; None for other files."""
    folder = path.parent.parent
    return folder.parent if folder.name == CONCENTRATIONS and path.parent.name in _AMOUNTS else None


def is_raw(path: Path) -> bool:
    """Whether a file of `results_of` is a raw concentration, not scaled by water."""
    return path.parent.name == _RAW


def was_rescaled(results: Path) -> bool | None:
    """Whether fsl_mrsi scaled each voxel's signal by its own norm; None if `options.txt` does not tell."""
    try:
        found = _NO_RESCALE.search((results / "options.txt").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return found.group(1) == "False" if found else None


def check_comparable(path: Path) -> None:
    """Refuse a file of raw concentrations that do not compare between voxels, as they lie in the results folder.

    Raises:
        InputError: if it is one.

    Warns:
        InputWarning: if it may be one.
    """
    sentence, certain = _incomparable(path)
    if certain:
        raise InputError(sentence)
    if sentence:
        warnings.warn(sentence, InputWarning, stacklevel=2)


def comparability_doubt(path: Path) -> str:
    """What `check_comparable` refuses a file for or warns of; "" for nothing."""
    return _incomparable(path)[0]


def _incomparable(path: Path) -> tuple[str, bool]:
    """Why a file's values do not compare between voxels, or "", and whether that is certain."""
    path = path.absolute()
    results = results_of(path)
    rescaled = was_rescaled(results) if results is not None and is_raw(path) else False
    if rescaled is False:
        return "", False
    if rescaled is None:
        return (
            f"The map '{path}' may hold raw concentrations of signals that fsl_mrsi scaled voxel by voxel, as it does "
            "by default, which do not compare between voxels: no options.txt beside 'concs' tells. Let `mrsi-superres "
            "prepare` scale them back, or fit with --h2o or --no_rescale."
        ), False
    return (
        f"The map '{path}' holds raw concentrations of signals that fsl_mrsi scaled voxel by voxel: they do not "
        "compare between voxels. Let `mrsi-superres prepare` scale them back, or fit with --h2o or --no_rescale."
    ), True


def on_one_scale(image: sitk.Image, path: Path, norm: np.ndarray) -> sitk.Image:
    """A raw concentration in the units of the measured signal, the same in all voxels.

    Args:
        image: of concentrations of signals that were scaled to one norm, 3-D float32, with the file's axes.
        path: of the image, for errors.
        norm: from `signal_norm`.

    Raises:
        LostScaleError: if the signals are on another grid.
    """
    if norm.shape != image.GetSize()[::-1]:
        raise LostScaleError(f"'{path}' is on another grid than the fitted signals: keep each fit's results together.")
    scaled = sitk.GetImageFromArray(sitk.GetArrayFromImage(image) * (norm / _NORM).astype(np.float32))
    scaled.CopyInformation(image)
    return scaled


def spectrometer_frequency(results: Path) -> float | None:
    """The transmitter's frequency, MHz, from the header of the fitted signal; None if nothing tells it."""
    try:
        header = _load(results / "fit" / "fit.nii.gz").header
        content = next(one.content for one in header.extensions if one.get_code() == _NIFTI_MRS)
        frequency = float(json.loads(bytes(content).rstrip(b"\0"))["SpectrometerFrequency"][0])
    except (InputError, StopIteration, ValueError, KeyError, IndexError, TypeError):
        return None
    return frequency if np.isfinite(frequency) and frequency > 0 else None


def signal_norm(results: Path) -> np.ndarray:
    """The norm of each voxel's measured signal, `(slice, row, column)`, the sum of fit and residual.

    Raises:
        LostScaleError: if the signals are missing or damaged.
    """
    parts = [results / "fit" / f"{part}.nii.gz" for part in ("fit", "residual")]
    for path in parts:
        if absent := absent_content(path):
            raise LostScaleError(f"The signal '{path}', which gives the scale of raw concentrations, is {absent}.")
    if not all(path.is_file() for path in parts):
        raise LostScaleError(
            f"The raw concentrations in '{results}' were scaled voxel by voxel (fsl_mrsi's default) and do not compare "
            "between voxels. Keep fit/fit.nii.gz and fit/residual.nii.gz beside them, which give the scale, or fit "
            "with --h2o or --no_rescale."
        )
    try:
        # Summed in place: each is the largest file of the results.
        signal = np.asanyarray(_load(parts[0]).dataobj).copy()
        signal += np.asarray(_load(parts[1]).dataobj)
    except (OSError, EOFError, ValueError) as error:
        raise LostScaleError(
            f"The signals in '{results / 'fit'}' can't be read ({error}): check that the files are complete."
        ) from error
    return np.linalg.norm(signal, axis=-1).T


def _load(path: Path):
    """A NIfTI-MRS file, which is NIfTI-2 of complex numbers: ITK reads neither.

    Raises:
        LostScaleError: if nibabel is missing, or the file is no NIfTI.
    """
    try:
        import nibabel
    except ImportError as error:
        raise LostScaleError("FSL-MRS's signals are read by nibabel: install mrsi-superres[prepare].") from error
    try:
        return nibabel.load(path)
    except (OSError, nibabel.filebasedimages.ImageFileError) as error:
        raise LostScaleError(
            f"'{path}' can't be read as an image ({error}): check that the file is complete."
        ) from error
