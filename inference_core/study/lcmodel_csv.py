"""One slice's fits by LCModel, from its `.csv`: a line a voxel, without SNR and FWHM."""

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from inference_core.errors import InputError
from inference_core.study.lcmodel_table import LARGEST_INDEX, number

_BOUND = " %SD"
#: LCModel cuts names in a .csv to so many letters.
NAME_LENGTH = 13
#: The separator is LCModel's comma, or what a spreadsheet put in its place.
_HEADER = re.compile(r"\s*\"?Row\"?\s*([,;\t])\s*\"?Col\"?\s*\1")
_ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


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
        with path.open("rb") as file:
            return _HEADER.match(_decoded(file.read(64))) is not None
    except OSError:
        return False


def read_slice_csv(path: Path) -> SliceFits:
    """Read a slice's `.csv`.

    Raises:
        InputError: if the file can't be read, or holds no complete line.
    """
    text = _read(path)
    found = _HEADER.match(text)
    separator = found.group(1) if found else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise InputError(f"'{path}' is no table that LCModel wrote ({error}): export it again.") from error
    header = [cell.strip() for cell in rows[0]] if rows else []
    columns = {name: index for index, name in enumerate(header)}
    pairs = {name: (index, columns[name + _BOUND]) for name, index in columns.items() if name + _BOUND in columns}
    if header[:2] != ["Row", "Col"] or len(columns) < len(header) or not pairs:
        raise InputError(f"'{path}' does not begin with Row, Col, and metabolites with their %SD: export it again.")

    def of(cell: str) -> float:
        # A spreadsheet that separates by semicolons or tabs may write decimal commas.
        return number(cell if separator == "," else cell.replace(",", "."))

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
        values[index] = {name: (of(cells[i]), of(cells[j])) for name, (i, j) in pairs.items()}
    if not values:
        raise InputError(f"'{path}' holds no complete line: export it again.")
    return SliceFits(values, damaged)


def _read(path: Path) -> str:
    """The text of a file.

    Raises:
        InputError: if it can't be read.
    """
    try:
        return _decoded(path.read_bytes())
    except OSError as error:
        raise InputError(f"'{path}' can't be read ({error.strerror}): check its permissions.") from error


def _decoded(content: bytes) -> str:
    """Text by its byte order mark; letters beyond ASCII may come out as others without one."""
    encoding = next((name for mark, name in _ENCODINGS.items() if content.startswith(mark)), "latin-1")
    return content.decode(encoding, errors="replace")
