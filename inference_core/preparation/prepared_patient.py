"""One patient from parts to what is written: anatomy in the map's space, each map, and what became of its voxels."""

import contextlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning, collected_warnings
from inference_core.imaging.geometry import super_resolved_grid
from inference_core.imaging.reading import check_mri, read_image
from inference_core.imaging.roles import check_contents, check_names
from inference_core.imaging.slice_axis import with_slices_last
from inference_core.preparation.anatomy import Anatomy, place_anatomy
from inference_core.preparation.holes import fill_holes
from inference_core.preparation.quality_filter import BrainVoxels, Filtered, brain_voxels, filter_map
from inference_core.preparation.settings import PreparationSettings
from inference_core.preparation.slice_selection import select_slices
from inference_core.study.map_sources import MetaboliteMap, PatientMaps, maps_from_images, maps_from_lcmodel, same_grid
from inference_core.study.patient_files import UnusedFile
from inference_core.study.patient_parts import PatientParts
from inference_core.study.unused_maps import unused_images
from inference_core.terms.conditions import METABOLITES, check_resolution


@dataclass(frozen=True)
class PreparedMap:
    """A metabolite's map before and after the filter.

    Attributes:
        acquired: as it was read.
        filter: which voxels it rejects, and why.
        valid: bool `(slice, row, column)`, accepted voxels of selected slices.
        filtered: float32 `(slice, row, column)`, 0 where `valid` is not, but for filled holes.
        filled: how many holes were filled.
    """

    acquired: MetaboliteMap
    filter: Filtered
    valid: np.ndarray
    filtered: np.ndarray
    filled: int


@dataclass(frozen=True)
class PreparedMaps:
    """A patient's maps on one grid.

    Attributes:
        read: as they were read.
        maps: by the paper's names; a metabolite without any accepted voxel is not there.
        voxels: which are brain.
        slices: bool `(slice,)`, which are selected.
    """

    read: PatientMaps
    maps: dict[str, PreparedMap]
    voxels: BrainVoxels
    slices: np.ndarray


@dataclass(frozen=True)
class PreparedPatient:
    """All of one patient, in memory.

    Attributes:
        parts: what it was made from.
        sources: the file of each role: "T1", "FLAIR" and, where they were used, "mask", "mask of the maps",
            "map anatomy", "geometry".
        anatomy: T1, FLAIR and mask.
        maps: one for each grid.
        warnings: what was warned of.
        unused: files and folders that look like maps and were not used.
    """

    parts: PatientParts
    sources: dict[str, Path]
    anatomy: Anatomy
    maps: tuple[PreparedMaps, ...]
    warnings: tuple[str, ...]
    unused: tuple[UnusedFile, ...] = ()

    def unused_sentences(self) -> list[str]:
        """What was not used, and why, for the user."""
        folder = self.parts.folder
        return [one.sentence(folder if folder is not None else one.path.parent) for one in self.unused]


def prepare_patient(parts: PatientParts, settings: PreparationSettings) -> PreparedPatient:
    """Read a patient's parts, register, filter and select.

    Raises:
        InputError: if a part is missing or unusable, or nothing is left of the maps.
    """
    if parts.problem:
        raise InputError(parts.problem)
    with collected_warnings() as notices:
        sources, anatomy, maps, unused = _prepare(parts, settings)
    return PreparedPatient(parts, sources, anatomy, maps, tuple(notices), unused)


def _prepare(
    parts: PatientParts, settings: PreparationSettings
) -> tuple[dict[str, Path], Anatomy, tuple[PreparedMaps, ...], tuple[UnusedFile, ...]]:
    # What is missing is found before what takes long.
    sources = {role: parts.single(role) for role in ("T1", "FLAIR")}
    if parts.map_anatomy is not None:
        sources["map anatomy"] = parts.map_anatomy
    read = _read_maps(parts, settings, sources)
    own_masks = _sort_masks(parts, read, sources)
    images = {
        role: read_image(path, role) for role, path in sources.items() if role not in ("geometry", "mask of the maps")
    }
    t1, flair = (check_mri(images[role], role) for role in ("T1", "FLAIR"))
    check_names({role: sources[role].name for role in ("T1", "FLAIR")})
    check_contents({"T1": t1, "FLAIR": flair})
    anatomy = place_anatomy(t1, flair, images.get("mask"), images.get("map anatomy"), settings.register)
    maps = tuple(_prepared_maps(one, anatomy.mask, settings, mask) for one, mask in zip(read, own_masks, strict=True))
    if not any(one.maps for one in maps):
        raise InputError("The quality filter leaves nothing of any metabolite: loosen its thresholds.")
    unused = (*parts.unused, *_unused_maps(parts, read, settings))
    return sources, anatomy, maps, unused


def _sort_masks(parts: PatientParts, read: list[PatientMaps], sources: dict[str, Path]) -> list[sitk.Image | None]:
    """For each grid of maps the mask on it, None if there is none; adds the T1's mask to the sources.

    A mask on the grid of the maps, such as the one that a fit was limited to, tells which of their voxels count. It is
    too coarse to strip the T1 with.

    Raises:
        InputError: if several masks are left for the T1, or lie on one grid.
    """
    own: list[sitk.Image | None] = [None] * len(read)
    others = []
    for path in parts.mask:
        mask = read_image(path, "mask")
        found = [i for i, one in enumerate(read) if _on_grid(mask, one.image) is not None]
        for i in found:
            if own[i] is not None:
                raise InputError(f"There are several masks on the maps' grid, one of them '{path}': leave one.")
            own[i] = _on_grid(mask, read[i].image)
            sources["mask of the maps"] = path
        if not found:
            others.append(path)
    if len(others) > 1:
        names = ", ".join(f"'{path}'" for path in others)
        raise InputError(f"There are {len(others)} brain masks ({names}): leave one, or name it with --mask.")
    if others:
        sources["mask"] = others[0]
    return own


def _on_grid(mask: sitk.Image, image: sitk.Image) -> sitk.Image | None:
    """A mask that lies on a map's grid, with its slices along the same axis; None for other masks."""
    if sorted(mask.GetSize()) != sorted(image.GetSize()):
        return None
    # Said of the map already; with unclear axes they are compared as they are.
    with warnings.catch_warnings(), contextlib.suppress(InputError):
        warnings.simplefilter("ignore", InputWarning)
        mask = with_slices_last(mask)
    return mask if same_grid(mask, image) else None


def _unused_maps(parts: PatientParts, read: list[PatientMaps], settings: PreparationSettings) -> list[UnusedFile]:
    """Images of maps that were not used."""
    if parts.lcmodel:
        return [UnusedFile(path, "LCModel's output was taken") for path in parts.maps]
    return unused_images(parts.maps, read, settings.others)


def _read_maps(parts: PatientParts, settings: PreparationSettings, sources: dict[str, Path]) -> list[PatientMaps]:
    """The patient's maps; adds to the sources what told their geometry."""
    if parts.lcmodel:
        folder = parts.single("LCModel output")
        spar = parts.spar_of(folder)
        if parts.maps:
            warnings.warn(
                f"There are LCModel's output and {len(parts.maps)} images of maps: the former was taken.",
                InputWarning,
                stacklevel=2,
            )
        geometry = settings.geometry.reference or spar
        if geometry is not None:
            sources["geometry"] = geometry
        return [maps_from_lcmodel(folder, spar, settings.geometry)]
    if not parts.maps:
        raise InputError("There are no metabolite maps: add LCModel's output, or images such as NAA.nii.gz.")
    maps = maps_from_images(parts.maps, settings.frequency, parts.spar[0] if len(parts.spar) == 1 else None)
    resolutions = [one.resolution for one in maps]
    twice = next((one for one in resolutions if resolutions.count(one) > 1), None)
    if twice is not None:
        raise InputError(
            f"The maps lie on several grids of the same matrix (res-{twice}): leave those of one examination."
        )
    return maps


def _prepared_maps(
    read: PatientMaps, mask: sitk.Image, settings: PreparationSettings, own_mask: sitk.Image | None
) -> PreparedMaps:
    """Filter the maps of one grid and select their slices; `own_mask` is one on their grid."""
    first = next(iter(read.metabolites.values()))
    known = {role: getattr(first, role) is not None for role in ("snr", "fwhm")}
    for role, there in known.items():
        if not there and getattr(settings.thresholds, role) is not None:
            warnings.warn(
                f"The {role.upper()} of the maps of res-{read.resolution} is not known: no voxel is rejected by it.",
                InputWarning,
                stacklevel=3,
            )
    if read.resolution != "high":
        # Said here already, before anybody waits for the result.
        grid = super_resolved_grid(read.image)
        check_resolution(grid.rows, grid.columns)
    voxels = brain_voxels(mask, read.image, settings.thresholds.skull_mm)
    if own_mask is not None:
        voxels = voxels.within(sitk.GetArrayFromImage(own_mask) > 0)
    filtered = {name: filter_map(one, voxels, settings.thresholds) for name, one in read.metabolites.items()}
    slices = select_slices(np.stack([one.accepted for one in filtered.values()]), settings.slices)
    maps = {}
    for name in METABOLITES:
        if name not in filtered:
            continue
        valid = filtered[name].accepted & slices[:, None, None]
        if not valid.any():
            warnings.warn(f"No voxel of {name} is accepted: it is left out.", InputWarning, stacklevel=3)
            continue
        acquired = read.metabolites[name]
        values = np.where(valid, sitk.GetArrayFromImage(acquired.concentration), np.float32(0))
        filled = 0
        if settings.fill_holes and read.resolution != "high":
            image = sitk.GetImageFromArray(values)
            image.CopyInformation(acquired.concentration)
            values, filled = fill_holes(image, voxels.deep & slices[:, None, None] & ~valid, mask)
        maps[name] = PreparedMap(acquired, filtered[name], valid, values, filled)
    return PreparedMaps(read, maps, voxels, slices)
