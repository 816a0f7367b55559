"""One voxel's fit by LCModel, from its `.table`; its `.coord` begins with the same lines."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from inference_core.errors import InputError

#: Rows, columns or slices of a matrix are no more than this: a larger number is a damaged file's.
LARGEST_INDEX = 512

# In a .table sections begin with $$CONC and the like, in a .coord without. The header counts as a line.
_TABLE = re.compile(r"^(?:\$\$CONC)?\s*(\d{1,4}) lines in following concentration table[^\n]*\n[^\n]*\n", re.MULTILINE)
# "1.41E+03  26%   1.577 Glu"; between the ratio and the name may stand a plus or minus sign instead of the space.
_RATIO = r"(?:[-+]?[\d.]+(?:E[-+]?\d+)?|\*+|NaN)"
_LINE = re.compile(rf"\s*(\S+)\s+(\S+?)%\s*{_RATIO}(?:\s+|[-+])(\S+)\s*", re.IGNORECASE)
_QUALITY = re.compile(r"FWHM\s*=\s*(\S+)\s*ppm\s+S/N\s*=\s*(\S+)")
_TITLE = re.compile(r"Slice\s*#\s*(\d{1,5})\s+Row\s*#\s*(\d{1,5})\s+Col\s*#\s*(\d{1,5})")
_MATRIX = tuple(
    re.compile(rf"^\s*{name}\s*=\s*(\d{{1,5}})\s*$", re.MULTILINE) for name in ("ndslic", "ndrows", "ndcols")
)


@dataclass(frozen=True)
class VoxelFit:
    """What LCModel says of one voxel.

    Attributes:
        values: by LCModel's name, the concentration in institutional units and its Cramer-Rao bound in % (999: the fit
            failed); NaN where it is not a number.
        snr: S/N of the spectrum; NaN where it is not a number.
        fwhm: linewidth in ppm; NaN likewise.
        index: slice, row and column from 1, if the title has them.
        matrix: number of slices, rows and columns, if LCModel's control file gives it.
        surplus: how many more lines the table has than it says.
    """

    values: dict[str, tuple[float, float]]
    snr: float
    fwhm: float
    index: tuple[int, int, int] | None
    matrix: tuple[int, int, int] | None
    surplus: int = 0


def number(text: str) -> float:
    """A finite number, or NaN for anything else, such as Fortran's asterisks."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def read_text(path: Path) -> str:
    """A text file of any encoding; letters beyond ASCII may come out as others.

    Raises:
        InputError: if it can't be read.
    """
    try:
        return path.read_text(encoding="latin-1")
    except OSError as error:
        raise InputError(f"'{path}' can't be read ({error.strerror}): check its permissions.") from error


def read_fit(path: Path) -> VoxelFit:
    """Read a `.table` or `.coord`.

    Raises:
        InputError: if the file can't be read, is none of them, or is cut short.
    """
    text = read_text(path)
    table = _TABLE.search(text)
    if table is None:
        raise InputError(f"'{path}' holds no concentration table: check that LCModel finished this voxel.")
    # Split at newlines alone: form feeds and the like don't end lines.
    rest = text[table.end() :].split("\n")
    stated = int(table.group(1)) - 1
    # The sums come last: a table that says less than it holds is read to its end.
    surplus = next((n for n, line in enumerate(rest[stated:]) if not _LINE.fullmatch(line)), 0)
    lines = rest[: stated + surplus]
    values: dict[str, tuple[float, float]] = {}
    for line in lines:
        entry = _LINE.fullmatch(line)
        if entry is None or entry.group(3) in values:
            raise InputError(f"'{path}' is damaged or cut short in its concentration table: export it again.")
        values[entry.group(3)] = number(entry.group(1)), number(entry.group(2))
    quality = _QUALITY.search(text, table.end())
    if quality is None or not values or len(lines) < stated:
        raise InputError(f"'{path}' is cut short before FWHM and S/N: export it again.")
    title = _TITLE.search(text, 0, table.start())
    matrix = [pattern.search(text, quality.end()) for pattern in _MATRIX]
    return VoxelFit(
        values,
        snr=number(quality.group(2)),
        fwhm=number(quality.group(1)),
        index=_indices(title.groups()) if title else None,
        matrix=_indices([found.group(1) for found in matrix]) if all(matrix) else None,
        surplus=surplus,
    )


def _indices(texts) -> tuple[int, int, int] | None:
    """Three numbers from 1, or None if one is impossible."""
    numbers = tuple(int(text) for text in texts)
    return numbers if all(1 <= one <= LARGEST_INDEX for one in numbers) else None
