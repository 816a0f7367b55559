"""A results folder like that of FSL-MRS's `fsl_mrsi` (2.4), for tests.

Written as that command writes it: float64 maps, signals as NIfTI-MRS (NIfTI-2, complex64, header extension 44),
concentrations of signals that were scaled to a norm of 100 voxel by voxel, a bound for sums, SNR and linewidth for
their parts only. Compared with the real command's output, file by file.
"""

import json
from pathlib import Path

import nibabel
import numpy as np

#: What is fitted, and how much of it there is; what is combined.
BASIS = {"NAA": 10.0, "NAAG": 1.0, "Cr": 4.0, "PCr": 4.5, "GPC": 1.0, "PCho": 0.8, "Ins": 6.0, "Glu": 9.0, "Lac": 0.4}
COMBINED = ("PCho+GPC", "Cr+PCr", "Glu+Lac")
#: MHz.
FREQUENCY = 123.25
_POINTS = 32
#: The affine of every image, RAS mm.
AFFINE = np.array([[-14.0, 0, 0, 105], [0, -14, 0, 105], [0, 0, 15, -8], [0, 0, 0, 1]])


def true_map(shape=(16, 16, 2)) -> np.ndarray:
    """How much of everything there is, as a multiple of `BASIS`, `(column, row, slice)`; 0 outside a disc."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, count) for count in shape), indexing="ij")
    return np.where(x**2 + y**2 < 0.9, 1 + 0.3 * np.sin(3 * x + z) + 0.2 * y, 0)


def write_results(
    folder: Path,
    *,
    rescaled: bool = True,
    water: bool = False,
    combine=COMBINED,
    groups: int = 2,
    amounts=None,
    affine=AFFINE,
) -> np.ndarray:
    """Write a results folder.

    Args:
        folder: made.
        rescaled: whether each voxel's signal is scaled before the fit, as it is without `--no_rescale`.
        water: whether there are concentrations scaled by water.
        combine: sums, the names of their parts joined by "+".
        groups: of metabolites with a line shape of their own.
        amounts: `true_map` if None.
        affine: of every image, RAS mm.

    Returns:
        The true map.
    """
    amounts = true_map() if amounts is None else amounts
    there = amounts > 0
    rng = np.random.default_rng(0)
    decay = np.exp(-np.arange(_POINTS) / 8) * np.exp(0.3j * np.arange(_POINTS))
    residual = 0.05 * (rng.normal(size=(*amounts.shape, _POINTS)) + 1j * rng.normal(size=(*amounts.shape, _POINTS)))
    residual *= there[..., None]
    fit = 30 * amounts[..., None] * decay
    scale = np.full(amounts.shape, 1.0)
    if rescaled:
        norm = np.linalg.norm(fit + residual, axis=-1)
        scale = np.divide(100, norm, out=np.zeros_like(norm), where=norm > 0)
    concentrations = {name: share * amounts for name, share in BASIS.items()}
    for total in combine:
        concentrations[total] = sum(concentrations[part] for part in total.split("+"))
    reference = concentrations["Cr"] + concentrations["PCr"]
    scalings = {
        "raw": lambda one: one * scale,
        "internal": lambda one: np.divide(one, reference, out=np.zeros_like(one), where=there),
    }
    if water:
        scalings |= {"molarity": lambda one: 2 * one, "molality": lambda one: 2.5 * one}
    for scaling, scaled in scalings.items():
        for name, one in concentrations.items():
            _save(scaled(one), folder / "concs" / scaling / f"{name}.nii.gz", affine)
    for name in concentrations:
        _save(np.where(there, 8.0, 0), folder / "uncertainties" / f"{name}_sd.nii.gz", affine)
    for name, share in BASIS.items():
        _save(5 * share * there, folder / "qc" / f"{name}_snr.nii.gz", affine)
        _save((6 + share / 10) * there, folder / "qc" / f"{name}_fwhm.nii.gz", affine)
    for name in (
        "p0",
        "p1",
        *(f"{what}_group{i}" for what in ("combined_lw", "gamma", "sigma", "shift") for i in range(groups)),
    ):
        _save(4.0 * there, folder / "nuisance" / f"{name}.nii.gz", affine)
    for name, signal in (("fit", fit), ("residual", residual), ("baseline", 0 * fit)):
        _save_signal(signal, folder / "fit" / f"{name}.nii.gz", affine)
    (folder / "misc").mkdir()
    for name in ("metabolite_groups", "mrs_fit_parameters"):
        (folder / "misc" / f"{name}.json").write_text("{}")
    (folder / "fit_avg.png").write_bytes(b"\x89PNG")
    (folder / "options.txt").write_text(
        f"Namespace(data='mrsi.nii.gz', combine=None, no_conj_basis=False, no_rescale={not rescaled}, config=None)\n"
        "--------\nCommand Line Args:   --data mrsi.nii.gz --output fit\n"
    )
    return amounts


def _save(array: np.ndarray, path: Path, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array.astype(float), affine), path)


def _save_signal(signal: np.ndarray, path: Path, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti2Image(signal.astype(np.complex64), affine)
    about = json.dumps({"SpectrometerFrequency": [FREQUENCY], "ResonantNucleus": ["1H"]}).encode()
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(44, about))
    nibabel.save(image, path)
