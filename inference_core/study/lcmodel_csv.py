"""One slice's fits by LCModel, from its `.csv`: a line a voxel, without SNR and FWHM."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from inference_core.errors import InputError
from inference_core.study.lcmodel_table import LARGEST_INDEX, number, read_text

_BOUND = " %SD"
#: LCModel cuts names in a .csv to so many letters.
NAME_LENGTH = 13
_HEADER = re.compile(r"\s*Row\s*,\s*Col\s*,")


@dataclass(frozen=True)
class SliceFits:
    """What LCModel says of a slice's voxels.

    Attributes:
        values: by row and column, from 1, and LCModel's name (of `NAME_LENGTH` letters at most): the concentration in
            institutional units and its Cramer-Rao bound in % (999: the fit failed); NaN where it is not a number.
        damaged_lines: how many lines were passed over.
    """

    values: dict[tuple[int, int], dict[str, tuple[float, float]]]
    damaged_lines: int


def is_slice_csv(path: Path) -> bool:
    """Whether a file begins as LCModel's `.csv` do; False if it can't be read."""
    try:
        with path.open(encoding="latin-1") as file:
            return _HEADER.match(file.read(64)) is not None
    except OSError:
        return False


def read_slice_csv(path: Path) -> SliceFits:
    """Read a slice's `.csv`.

    Raises:
        InputError: if the file can't be read, or holds no complete line.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_text(path), newline=""), skipinitialspace=True))
    except csv.Error as error:
        raise InputError(f"'{path}' is no table that LCModel wrote ({error}): export it again.") from error
    header = [cell.strip() for cell in rows[0]] if rows else []
    columns = {name: index for index, name in enumerate(header)}
    pairs = {name: (index, columns[name + _BOUND]) for name, index in columns.items() if name + _BOUND in columns}
    if header[:2] != ["Row", "Col"] or len(columns) < len(header) or not pairs:
        raise InputError(f"'{path}' does not begin with Row, Col, and metabolites with their %SD: export it again.")
    values: dict[tuple[int, int], dict[str, tuple[float, float]]] = {}
    damaged = 0
    for cells in rows[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        index = tuple(int(cell) if re.fullmatch(r"\s*\d{1,5}\s*", cell, re.ASCII) else 0 for cell in cells[:2])
        possible = len(index) == 2 and all(1 <= one <= LARGEST_INDEX for one in index)
        if len(cells) != len(header) or not possible or index in values:
            damaged += 1
            continue
        values[index] = {name: (number(cells[i]), number(cells[j])) for name, (i, j) in pairs.items()}
    if not values:
        raise InputError(f"'{path}' holds no complete line: export it again.")
    return SliceFits(values, damaged)
