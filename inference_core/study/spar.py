"""Where a Philips scanner measured, from the text file `.spar` beside the spectra."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from inference_core.errors import InputError
from inference_core.study.lcmodel_table import LARGEST_INDEX, read_text

_ENTRY = re.compile(r"^[ \t]*([\w.]+)[ \t]*:[ \t]*(.*?)[ \t\r]*$", re.MULTILINE | re.ASCII)
#: Degrees below which an angle is none.
_STRAIGHT = 0.01
#: Millimetres beyond which a number is damaged.
_FARTHEST = 10_000.0


@dataclass(frozen=True)
class Spar:
    """What a `.spar` says of an MRSI scan.

    Attributes:
        size: number of columns, rows and slices.
        spacing: mm along them.
        centre: of the volume, LPS mm.
        frequency: of the transmitter, MHz; None if it is not told.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    centre: tuple[float, float, float]
    frequency: float | None


def read_spar(path: str | Path) -> Spar:
    """Read the geometry of a transverse MRSI scan.

    Raises:
        InputError: if the file can't be read or lacks what is needed; also for slices that are tilted or not
            transverse, or a matrix that is not square, since the file does not tell enough about those.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"The file of the geometry '{path}' does not exist: check the path.")
    entries = {key.casefold(): value.strip().strip('"') for key, value in _ENTRY.findall(read_text(path))}
    for axis in ("ap", "lr", "cc"):
        angle = _value(path, entries, f"si_{axis}_off_angulation", 0.0)
        if abs(angle) > _STRAIGHT:
            raise InputError(
                f"'{path}' describes tilted slices (si_{axis}_off_angulation is {angle:g} degrees), which it does not "
                "place clearly: give an image on the map's grid with --reference, or --voxel, --origin and --direction."
            )
    plane = entries.get("phase_encoding_direction", "trans").casefold()
    if not plane.startswith("tra"):
        raise InputError(
            f"'{path}' describes slices that are not transverse ('{plane}'): give an image on the map's grid with "
            "--reference, or --voxel, --origin and --direction."
        )
    columns = _count(path, entries, "dim2_pnts", "nr_phase_encoding_profiles")
    rows = _count(path, entries, "dim3_pnts", "nr_of_phase_encoding_profiles_ky")
    slices = _count(path, entries, "dim4_pnts", "nr_of_slices_for_multislice")
    if columns != rows:
        raise InputError(
            f"'{path}' describes {rows} x {columns} voxels a slice but the field of view along one axis only: give an "
            "image on the map's grid with --reference, or --voxel, --origin and --direction."
        )
    step = _value(path, entries, "phase_encoding_fov") / columns
    thickness = _value(path, entries, "slice_distance", 0.0)
    if thickness == 0:
        # A lone slice has no distance to the next.
        thickness = _value(path, entries, "slice_thickness") / slices
    if not (step > 0 and thickness > 0):
        raise InputError(f"'{path}' gives voxels of {step:g} x {step:g} x {thickness:g} mm: export it again.")
    centre = tuple(_value(path, entries, f"si_{axis}_off_center") for axis in ("lr", "ap", "cc"))
    frequency = _value(path, entries, "synthesizer_frequency", 0.0, most=math.inf) / 1e6
    return Spar((columns, rows, slices), (step, step, thickness), centre, frequency if frequency > 0 else None)


def _value(
    path: Path, entries: dict[str, str], key: str, default: float | None = None, most: float = _FARTHEST
) -> float:
    if not entries.get(key) and default is not None:
        return default
    try:
        value = float(entries[key])
    except (KeyError, ValueError):
        value = math.nan
    if not math.isfinite(value) or abs(value) > most:
        raise InputError(f"'{path}' has no usable number for {key}: export it again, or give the geometry by options.")
    return value


def _count(path: Path, entries: dict[str, str], *keys: str) -> int:
    """The first of these entries that is there, a number of voxels."""
    key = next((one for one in keys if entries.get(one)), keys[-1])
    value = _value(path, entries, key)
    if value != int(value) or not 1 <= value <= LARGEST_INDEX:
        raise InputError(f"'{path}' has no usable number for {key}: export it again, or give the geometry by options.")
    return int(value)
