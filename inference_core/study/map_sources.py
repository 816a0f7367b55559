"""A patient's metabolite maps with what is known of their quality, from LCModel's output or from images."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.reading import read_image
from inference_core.imaging.slice_axis import with_slices_last
from inference_core.study.geometry_sources import GeometryOptions, map_geometry
from inference_core.study.lcmodel import read_lcmodel
from inference_core.study.metabolite_names import chosen_names, named_signal, quality_role
from inference_core.study.spar import read_spar

#: A linewidth above this is in Hz: 1 ppm would be ten times a bad spectrum's.
_LARGEST_PPM = 1.0
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
    """

    concentration: sitk.Image
    crlb: sitk.Image | None
    snr: sitk.Image | None
    fwhm: sitk.Image | None
    name: str
    source: Path


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
        InputError: as these, or if none of the paper's metabolites was fitted.
    """
    read = read_lcmodel(folder)
    geometry = map_geometry(read.matrix, spar, options or GeometryOptions())
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
    `qc/NAA_snr` are understood; images of anything else are passed over.

    Args:
        paths: of the images, in any format that SimpleITK reads.
        frequency: of the transmitter, MHz, for linewidths in Hz.
        spar: what tells the frequency otherwise.

    Warns:
        InputWarning: for images that can't be read, linewidths in Hz without a frequency, and as `with_slices_last`.

    Raises:
        InputError: if two images show the same, or none shows a metabolite.
    """
    groups: list[dict[tuple[str, str | None], tuple[Path, sitk.Image]]] = []
    for path in paths:
        role = quality_role(path.name) or "concentration"
        named = named_signal(path.name)
        if named is None and role in ("concentration", "crlb"):
            continue
        try:
            image = sitk.Cast(with_slices_last(read_image(path, "map")), sitk.sitkFloat32)
        except InputError as error:
            warnings.warn(f"An image was skipped: {error}", InputWarning, stacklevel=2)
            continue
        group = next((one for one in groups if _same_grid(next(iter(one.values()))[1], image)), None)
        if group is None:
            groups.append(group := {})
        key = (role, named and named[1])
        if key in group:
            raise InputError(f"'{group[key][0]}' and '{path}' show the same by their names: leave one.")
        group[key] = path, image
    maps = [one for group in groups if (one := _of_group(group, frequency, spar)) is not None]
    if not maps:
        raise InputError(
            "No image is named for the amount of one of the paper's metabolites: name them such as NAA.nii.gz."
        )
    return maps


def _of_group(
    group: dict[tuple[str, str | None], tuple[Path, sitk.Image]], frequency: float | None, spar: Path | None
) -> PatientMaps | None:
    """The maps that images on one grid show; None if they only show qualities."""
    chosen = chosen_names(name for role, name in group if role == "concentration")
    if not chosen:
        return None

    def quality(role: str, name: str) -> sitk.Image | None:
        found = group.get((role, name)) or (role != "crlb" and group.get((role, None)))
        return found[1] if found else None

    metabolites = {}
    for metabolite, name in chosen.items():
        path, image = group["concentration", name]
        fwhm = quality("fwhm", name)
        metabolites[metabolite] = MetaboliteMap(
            image, quality("crlb", name), quality("snr", name), fwhm and _in_ppm(fwhm, frequency, spar), name, path
        )
    return PatientMaps(metabolites, {}, "the images' headers")


def _in_ppm(fwhm: sitk.Image, frequency: float | None, spar: Path | None) -> sitk.Image | None:
    """A linewidth in ppm, None if it is in Hz and nothing tells the frequency."""
    array = sitk.GetArrayFromImage(fwhm)
    positive = array[np.isfinite(array) & (array > 0)]
    if not positive.size or np.median(positive) <= _LARGEST_PPM:
        return fwhm
    if frequency is None and spar is not None:
        frequency = read_spar(spar).frequency
    if frequency is None:
        warnings.warn(
            f"The linewidths (median {np.median(positive):g}) are in Hz, and nothing tells the frequency to convert "
            "them by: they were left out; give --frequency.",
            InputWarning,
            stacklevel=4,
        )
        return None
    converted = sitk.GetImageFromArray(array / np.float32(frequency))
    converted.CopyInformation(fwhm)
    return converted


def _same_grid(one: sitk.Image, other: sitk.Image) -> bool:
    return one.GetSize() == other.GetSize() and all(
        np.allclose(getattr(one, what)(), getattr(other, what)(), rtol=0, atol=_SAME_PLACE)
        for what in ("GetOrigin", "GetSpacing", "GetDirection")
    )
