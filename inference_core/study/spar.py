"""Where a Philips scanner measured, from the text file `.spar` beside the spectra."""

import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.absent import absent_content
from inference_core.study.lcmodel_table import LARGEST_INDEX, read_text

_ENTRY = re.compile(r"^[ \t]*([\w.]+)[ \t]*:[ \t]*(.*?)[ \t\r]*$", re.MULTILINE | re.ASCII)
#: Degrees below which an angle is none.
_STRAIGHT = 0.01
#: Entries of the angles of the slices, and of the selected volume.
_SLICES_ANGLE, _VOLUME_ANGLE = "si_{}_off_angulation", "{}_angulation"
#: What the user can do where a `.spar` is not enough.
_INSTEAD = "give an image on the map's grid with --reference, or --voxel, --origin and --direction"
#: Millimetres beyond which a number is damaged.
_FARTHEST = 10_000.0


@dataclass(frozen=True)
class Spar:
    """What a `.spar` says of an MRSI scan.

    Attributes:
        size: number of columns, rows and slices.
        spacing: mm along them.
        centre: of the volume, LPS mm.
        frequency: of the transmitter, MHz; None if it is not known.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    centre: tuple[float, float, float]
    frequency: float | None


def read_spar(path: str | Path) -> Spar:
    """Read the geometry of a transverse MRSI scan.

    Warns:
        InputWarning: if the file tells the angles of the selected volume, but not those of the slices.

    Raises:
        InputError: if the file can't be read or lacks what is needed; also for slices that are tilted or not
            transverse, a patient who did not lie on the back with the head first, or a matrix that is not square,
            since the file does not tell enough about those.
    """
    path = Path(path)
    if absent := absent_content(path):
        raise InputError(f"The file of the geometry '{path}' is {absent}.")
    if not path.is_file():
        raise InputError(f"The file of the geometry '{path}' does not exist: check the path.")
    entries = {key.casefold(): value.strip().strip('"') for key, value in _ENTRY.findall(read_text(path))}
    _check_straight(path, entries)
    _check_position(path, entries)
    plane = entries.get("phase_encoding_direction", "trans").casefold()
    if not plane.startswith("tra"):
        raise InputError(f"'{path}' describes slices that are not transverse ('{plane}'): {_INSTEAD}.")
    columns = _count(path, entries, "dim2_pnts", "nr_phase_encoding_profiles")
    rows = _count(path, entries, "dim3_pnts", "nr_of_phase_encoding_profiles_ky")
    slices = _count(path, entries, "dim4_pnts", "nr_of_slices_for_multislice")
    if columns != rows:
        raise InputError(
            f"'{path}' describes {rows} x {columns} voxels a slice but the field of view along one axis only: "
            f"{_INSTEAD}."
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


def _check_straight(path: Path, entries: dict[str, str]) -> None:
    """Refuse tilted slices; the selected volume, which has angles of its own, tells of them, too."""
    keys = {kind: [kind.format(axis) for axis in ("ap", "lr", "cc")] for kind in (_SLICES_ANGLE, _VOLUME_ANGLE)}
    for key in (*keys[_SLICES_ANGLE], *keys[_VOLUME_ANGLE]):
        angle = _value(path, entries, key, 0.0)
        if abs(angle) > _STRAIGHT:
            raise InputError(
                f"'{path}' describes tilted slices ({key} is {angle:g} degrees), which it does not place clearly: "
                f"{_INSTEAD}."
            )
    missing = [key for key in keys[_SLICES_ANGLE] if not entries.get(key)]
    if not missing:
        return
    if not all(entries.get(key) for key in keys[_VOLUME_ANGLE]):
        raise InputError(f"'{path}' does not say whether the slices are tilted ({missing[0]} is missing): {_INSTEAD}.")
    warnings.warn(
        f"'{path}' does not give the slices' angles ({missing[0]} is missing): they were taken to be straight, as the "
        "selected volume is.",
        InputWarning,
        stacklevel=3,
    )


def _check_position(path: Path, entries: dict[str, str]) -> None:
    """Refuse a patient who lay in another way than the order of the array's rows, columns and slices is known for."""
    for key, usual in (("patient_position", "head"), ("patient_orientation", "supine")):
        found = entries.get(key, "")
        letters = re.sub(r"[^a-z]", "", found.casefold())
        # A file without names may have dashes here.
        if letters and not letters.startswith(usual):
            raise InputError(
                f"'{path}' describes a patient who lay {found.replace('_', ' ')}, for whom the order of the voxels is "
                f"not known: {_INSTEAD}."
            )


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
