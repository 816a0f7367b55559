"""A patient's metabolite maps with what is known of their quality, from LCModel's output or from images."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.reading import read_image
from inference_core.imaging.slice_axis import with_slices_last
from inference_core.study.fit_quality import ImagesByRole, in_ppm, quality_of
from inference_core.study.fsl_mrs import (
    LostScaleError,
    is_raw,
    on_one_scale,
    results_of,
    signal_norm,
    spectrometer_frequency,
    was_rescaled,
)
from inference_core.study.geometry_sources import GeometryOptions, map_geometry
from inference_core.study.lcmodel import read_lcmodel
from inference_core.study.metabolite_names import chosen_names, named_signal, quality_role
from inference_core.study.spar import read_spar
from inference_core.terms.naming import named_signals

#: Millimetres that grids may differ by and still be one: NIfTI's headers are single precision.
_SAME_PLACE = 1e-2


@dataclass(frozen=True)
class MetaboliteMap:
    """One metabolite's map as it was read; all images are float32 on one grid.

    Attributes:
        concentration: institutional units, or the source's; NaN where no fit is.
        crlb: Cramer-Rao bound, %, 999 where the fit failed; None if it is not known.
        snr: of the voxel's spectrum, or of the metabolite's peak; None likewise.
        fwhm: linewidth, ppm; None likewise.
        name: what the source calls the metabolite.
        source: the file, or the folder of LCModel's output.
        files: all images that the map and its qualities were read from; none for LCModel's output.
        quality_note: how SNR and linewidth were found, if not read; "" otherwise.
        amount_note: what was done to the amounts, "" if they are as they were read.
    """

    concentration: sitk.Image
    crlb: sitk.Image | None
    snr: sitk.Image | None
    fwhm: sitk.Image | None
    name: str
    source: Path
    files: tuple[Path, ...] = ()
    quality_note: str = ""
    amount_note: str = ""


@dataclass(frozen=True)
class PatientMaps:
    """A patient's maps on one grid.

    Attributes:
        metabolites: by the paper's names, in the order of `conditions.METABOLITES`.
        others: by the source's names, what else was fitted.
        geometry: what the grid was taken from, for the user.
    """

    metabolites: dict[str, MetaboliteMap]
    others: dict[str, MetaboliteMap]
    geometry: str

    @property
    def image(self) -> sitk.Image:
        """Any of the maps, for the grid."""
        return next(iter(self.metabolites.values())).concentration

    @property
    def resolution(self) -> str:
        """The entity `res` of the maps' files: "n14" by the larger side, "high" for 64 x 64."""
        columns, rows, _ = self.image.GetSize()
        return "high" if columns == rows == 64 else f"n{max(columns, rows)}"


def maps_from_lcmodel(folder: Path, spar: Path | None = None, options: GeometryOptions | None = None) -> PatientMaps:
    """The maps of one examination's LCModel output.

    Args:
        folder: see `lcmodel.read_lcmodel`.
        spar: what tells the geometry, see `geometry_sources.map_geometry`.
        options: likewise.

    Raises:
        InputError: as these, if none of the paper's metabolites was fitted, or if the voxels are one row.
    """
    read = read_lcmodel(folder)
    geometry = map_geometry(read.matrix, spar, options or GeometryOptions())
    if min(geometry.size[:2]) == 1 < max(geometry.size[:2]):
        raise InputError(
            f"LCModel's output in '{folder}' is one row of {max(geometry.size[:2])} voxels, which does not tell where "
            "they lie in a slice: fit with the matrix's ndrows and ndcols."
        )
    snr, fwhm = (None if array is None else geometry.image(array) for array in (read.snr, read.fwhm))
    chosen = chosen_names(read.concentrations)
    if not chosen:
        raise InputError(
            f"LCModel's output in '{folder}' has none of the paper's metabolites, only "
            f"{', '.join(read.concentrations)}: fit some of them."
        )

    def of(name: str) -> MetaboliteMap:
        concentration, crlb = geometry.image(read.concentrations[name]), geometry.image(read.crlb[name])
        return MetaboliteMap(concentration, crlb, snr, fwhm, name, folder)

    others = [name for name in read.concentrations if name not in chosen.values()]
    return PatientMaps(
        {metabolite: of(name) for metabolite, name in chosen.items()},
        {name: of(name) for name in others},
        geometry.source,
    )


def maps_from_images(
    paths: Sequence[Path], frequency: float | None = None, spar: Path | None = None
) -> list[PatientMaps]:
    """The maps that images show, by their names; images on different grids become different maps.

    Names such as "sub-01_desc-crlb_NAA", "K_01_sd_NAA" and FSL-MRS's `concs/raw/NAA`, `uncertainties/NAA_sd`,
    `qc/NAA_snr` are understood; images of anything else are passed over. Raw concentrations of FSL-MRS are brought to
    one scale, see `fsl_mrs.on_one_scale`.

    Args:
        paths: of the images, in any format that `read_image` knows.
        frequency: of the transmitter, MHz, for linewidths in Hz.
        spar: what tells the frequency otherwise.

    Warns:
        InputWarning: for images that can't be read, linewidths in Hz without a frequency, raw concentrations of
            FSL-MRS whose scale is not known, and as `with_slices_last`.

    Raises:
        InputError: if two images show the same, none shows a metabolite, or the scale of raw concentrations of
            FSL-MRS is lost.
    """
    groups: list[dict[tuple[str, str | None], tuple[Path, sitk.Image]]] = []
    skipped: list[InputError] = []
    raw_amounts, notes = _RawAmounts(), {}
    for path in paths:
        role = quality_role(path.name) or "concentration"
        named = named_signal(path.name)
        if named is None and (role in ("concentration", "crlb") or named_signals(path.name)):
            continue
        note = ""
        try:
            image = sitk.Cast(read_image(path, "map"), sitk.sitkFloat32)
            if role == "concentration":
                # While the axes are those of the file, as the signals' are.
                image, note = raw_amounts.scaled(image, path)
            image = with_slices_last(image)
        except LostScaleError:
            raise
        except InputError as error:
            warnings.warn(f"An image was skipped: {error}", InputWarning, stacklevel=2)
            skipped.append(error)
            continue
        group = next((one for one in groups if same_grid(next(iter(one.values()))[1], image)), None)
        if group is None:
            groups.append(group := {})
        key = (role, named and named.name)
        if key in group:
            raise InputError(f"'{group[key][0]}' and '{path}' show the same by their names: leave one.")
        group[key] = path, image
        notes[path] = note
    maps = [one for group in groups if (one := _of_group(group, notes, frequency, spar)) is not None]
    if not maps and skipped:
        raise InputError(f"No map of the paper's metabolites could be read. The first: {skipped[0]}")
    if not maps:
        raise InputError(
            "No image is named for the amount of one of the paper's metabolites: name them such as NAA.nii.gz."
        )
    return maps


def _of_group(
    images: ImagesByRole, notes: Mapping[Path, str], frequency: float | None, spar: Path | None
) -> PatientMaps | None:
    """The maps that images on one grid show, with what was done to them; None if they only show qualities."""
    names = [name for role, name in images if role == "concentration"]
    chosen = chosen_names(names)
    if not chosen:
        return None
    results = next((found for path, _ in images.values() if (found := results_of(path))), None)
    if frequency is None:
        frequency = (spar and read_spar(spar).frequency) or (results and spectrometer_frequency(results))

    def of(name: str) -> MetaboliteMap:
        path, image = images["concentration", name]
        quality = quality_of(name, images)
        fwhm = quality.fwhm and in_ppm(quality.fwhm, frequency)
        files = (path, *quality.files)
        return MetaboliteMap(image, quality.crlb, quality.snr, fwhm, name, path, files, quality.note, notes[path])

    others = [name for name in names if name not in chosen.values()]
    return PatientMaps(
        {metabolite: of(name) for metabolite, name in chosen.items()},
        {name: of(name) for name in others},
        "the images' headers",
    )


class _RawAmounts:
    """Raw concentrations of FSL-MRS on a scale that all voxels share; a folder's signals are read once."""

    def __init__(self):
        self._norms: dict[Path, np.ndarray] = {}

    def scaled(self, image: sitk.Image, path: Path) -> tuple[sitk.Image, str]:
        """An amount on one scale, and what was done to it; "" for nothing.

        Raises:
            InputError: if its scale is lost.
        """
        results = results_of(path)
        if results is None or not is_raw(path) or (rescaled := was_rescaled(results)) is False:
            return image, ""
        if rescaled is None and not (results / "fit").is_dir():
            warnings.warn(
                f"The raw concentrations in '{results}' may be scaled voxel by voxel, as fsl_mrsi does by default, and "
                "then do not compare between voxels: keep its options.txt and folder fit beside them.",
                InputWarning,
                stacklevel=3,
            )
            return image, ""
        if results not in self._norms:
            self._norms[results] = signal_norm(results)
        note = "fsl_mrsi scaled each voxel's signal by its norm; the amounts were scaled back to the measured signal's"
        return on_one_scale(image, path, self._norms[results]), f"{note} units."


def same_grid(one: sitk.Image, other: sitk.Image) -> bool:
    """Whether two images have the same voxels in the same places."""
    return one.GetSize() == other.GetSize() and all(
        np.allclose(getattr(one, what)(), getattr(other, what)(), rtol=0, atol=_SAME_PLACE)
        for what in ("GetOrigin", "GetSpacing", "GetDirection")
    )
