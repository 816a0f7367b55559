"""Where a map without a header lies in the patient: from a `.spar`, from an image on its grid, or as the user says."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from inference_core.errors import InputError
from inference_core.imaging.reading import read_image
from inference_core.study.spar import read_spar

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
#: How far three axes may be from perpendicular unit vectors.
_SKEW = 1e-3


@dataclass(frozen=True)
class GeometryOptions:
    """What the user gives of the geometry; each may be missing.

    Attributes:
        reference: an image on the map's grid, whose header counts.
        voxel: mm along columns, rows and slices.
        origin: centre of the first voxel, LPS mm.
        direction: cosines of the axes, LPS, row-major as SimpleITK's.
    """

    reference: Path | None = None
    voxel: tuple[float, float, float] | None = None
    origin: tuple[float, float, float] | None = None
    direction: tuple[float, ...] | None = None

    def check(self) -> None:
        """Check what needs no data.

        Raises:
            InputError: for voxels without extent, numbers that are none, or axes that are not perpendicular.
        """
        if self.voxel is not None and not all(np.isfinite(self.voxel) & (np.array(self.voxel) > 0)):
            raise InputError(f"Voxels of {_by(self.voxel)} mm can't be: give three lengths above 0 with --voxel.")
        if self.origin is not None and not np.isfinite(self.origin).all():
            raise InputError(f"The origin {_by(self.origin)} mm is no place: give three numbers with --origin.")
        if self.direction is not None:
            axes = np.array(self.direction).reshape(3, 3)
            if not np.isfinite(axes).all() or np.abs(axes.T @ axes - np.eye(3)).max() > _SKEW:
                raise InputError("The axes given with --direction are not perpendicular unit vectors: check them.")


@dataclass(frozen=True)
class MapGeometry:
    """A map's grid.

    Attributes:
        size: number of columns, rows and slices.
        spacing: mm along them.
        origin: centre of the first voxel, LPS mm.
        direction: cosines of the axes, row-major as SimpleITK's.
        source: what it was taken from, for the user.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]
    source: str

    def image(self, array: np.ndarray) -> sitk.Image:
        """`array` `(slice, row, column)` as a float32 image; NaN where the grid has more voxels at the end."""
        missing = [count - there for count, there in zip(self.size[::-1], array.shape, strict=True)]
        # Values beyond float32's range are no concentrations.
        with np.errstate(over="ignore"):
            values = array.astype(np.float32)
        image = sitk.GetImageFromArray(np.pad(values, [(0, count) for count in missing], constant_values=np.nan))
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image


def map_geometry(matrix: tuple[int, int, int], spar: Path | None, options: GeometryOptions) -> MapGeometry:
    """The grid of a map that was read without one.

    Arrays run as Philips writes them: columns from right to left, rows from anterior to posterior, slices from
    inferior to superior; `options.direction` says otherwise. The centre that a `.spar` gives is the grid's.

    Args:
        matrix: slices, rows and columns that the map has at least.
        spar: the `.spar`, if there is one.
        options: what the user says, which goes first.

    Raises:
        InputError: if nothing tells the geometry, or it has fewer voxels than the map.
    """
    options.check()
    size = matrix[::-1]
    if options.reference is not None:
        image = read_image(options.reference, "reference")
        geometry = MapGeometry(
            image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection(), options.reference.name
        )
    elif spar is not None:
        about = read_spar(spar)
        spacing, direction = options.voxel or about.spacing, options.direction or _IDENTITY
        middle = (np.array(about.size) - 1) / 2 * spacing
        centred = tuple((np.array(about.centre) - np.array(direction).reshape(3, 3) @ middle).tolist())
        geometry = MapGeometry(about.size, spacing, options.origin or centred, direction, spar.name)
    elif options.voxel is not None and options.origin is not None:
        geometry = MapGeometry(size, options.voxel, options.origin, options.direction or _IDENTITY, "options")
    else:
        raise InputError(
            "The position of the map in the patient is not known: give the scanner's .spar, an image on the map's grid "
            "with --reference, or --voxel and --origin."
        )
    if any(count > there for count, there in zip(size, geometry.size, strict=True)):
        raise InputError(
            f"The map has {_by(size)} voxels, more than the {_by(geometry.size)} of its geometry ({geometry.source}): "
            "check that both belong together."
        )
    return geometry


def _by(numbers) -> str:
    return " x ".join(f"{number:g}" for number in numbers)
