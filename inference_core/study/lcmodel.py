"""An examination's maps from LCModel's output: `.table`, `.coord` and `.csv` in one folder."""

import itertools
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.absent import absent_content
from inference_core.study.lcmodel_csv import NAME_LENGTH, SliceFits, is_slice_csv, read_slice_csv
from inference_core.study.lcmodel_table import LARGEST_INDEX, VoxelFit, read_fit
from inference_core.study.tree import files_of

_VOXEL = re.compile(r"(?:^|[^A-Za-z])sl(\d{1,5})_(\d{1,5})-(\d{1,5})$", re.IGNORECASE)
_SLICE = re.compile(r"sl(?:ice)?[_-]?(\d{1,5})$", re.IGNORECASE)
#: More voxels than any examination has; a file is misnamed or damaged then.
_MOST_VOXELS = 2**21
#: Files that a warning names, at most.
_NAMED = 5
#: Relative difference that the three to six digits of LCModel's numbers explain.
_ROUNDING = 5e-3

Index = tuple[int, int, int]


@dataclass(frozen=True)
class LCModelMaps:
    """All that LCModel found, on its own matrix.

    Attributes:
        concentrations: by LCModel's name, `(slice, row, column)` float64 in institutional units; NaN where no fit is.
        crlb: the same of the Cramer-Rao bounds, %; 999 where the fit failed.
        snr: `(slice, row, column)` float64, NaN where no fit is; None if no file says.
        fwhm: the same of the linewidth, ppm.
        files: how many were read.
    """

    concentrations: dict[str, np.ndarray]
    crlb: dict[str, np.ndarray]
    snr: np.ndarray | None
    fwhm: np.ndarray | None
    files: int

    @property
    def matrix(self) -> Index:
        """Number of slices, rows and columns."""
        return next(iter(self.concentrations.values())).shape


def lcmodel_files(folder: Path) -> list[Path]:
    """The files of a folder that LCModel wrote, by their endings and, for `.csv`, their beginning.

    Raises:
        OSError: if the folder can't be read.
    """
    files = files_of(folder)
    return [path for path in files if _ending(path) in (".table", ".coord") or _is_csv(path)]


def read_lcmodel(folder: str | Path) -> LCModelMaps:
    """Read an examination.

    A voxel's place is in its file's name, `..._sl<slice>_<row>-<column>`, else in its title; a slice's number in the
    name of its `.csv`, which gives rows and columns itself. Tables go before coordinates, and both before `.csv`.

    Args:
        folder: with the files of one examination.

    Warns:
        InputWarning: naming files that are damaged and were skipped, if a `.csv` and tables disagree, if tables hold
            more lines than they say, and if voxels between others have no fit.

    Raises:
        InputError: if the folder can't be read or holds no fit, files are links to content that is not on this
            computer, or two files are about the same voxel and disagree.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"The folder of LCModel's output '{folder}' does not exist or is no folder: check its path.")
    try:
        files = lcmodel_files(folder)
    except OSError as error:
        raise InputError(f"The folder '{folder}' can't be read ({error.strerror}): check its permissions.") from error
    _check_there(folder)
    skipped: dict[Path, str] = {}
    voxels = _Collected()
    slices = _Collected()
    fitted: dict[Index, Path] = {}
    surplus = 0
    for path, index, fit in _fits([p for p in files if not _is_csv(p)], skipped):
        if voxels.disagrees(index, fit.values):
            raise InputError(
                f"'{path}' and '{fitted[index].name}' are about the same voxel and disagree: keep one examination a "
                "folder."
            )
        if index not in fitted:
            fitted[index] = path
            voxels.add(index, fit)
            surplus += fit.surplus > 0
    for path, number, fits in _slices([p for p in files if _is_csv(p)], skipped):
        for (row, column), values in fits.values.items():
            index = (number, row, column)
            if slices.disagrees(index, values):
                raise InputError(f"'{path}' and another .csv are about the same slice and disagree: remove one.")
            slices.add(index, VoxelFit(values, np.nan, np.nan, None, None))
    if not voxels.indices and not slices.indices:
        first = next(iter(skipped.values()), "it holds no .table, .coord or .csv of LCModel")
        raise InputError(f"'{folder}' has no fit that can be read ({first}): choose the folder of LCModel's output.")
    _warn_skipped(folder, skipped)
    if surplus:
        warnings.warn(
            f"{surplus} of LCModel's tables in '{folder}' hold more lines than they say: all were read.",
            InputWarning,
            stacklevel=2,
        )
    matrix = tuple(map(max, voxels.matrix, slices.matrix))
    if math.prod(matrix) > _MOST_VOXELS:
        raise InputError(
            f"LCModel's files in '{folder}' speak of {' x '.join(map(str, matrix))} voxels, which can't be: look for "
            "one that is misnamed or damaged."
        )
    _warn_of_gaps(folder, {*voxels.indices, *slices.indices})
    maps, conflicts = _merged(matrix, voxels, slices, len(files) - len(skipped))
    if conflicts:
        warnings.warn(
            f"{conflicts} voxels have other values in the .csv than in the .table files of '{folder}': the latter were "
            "taken.",
            InputWarning,
            stacklevel=2,
        )
    return maps


def _warn_of_gaps(folder: Path, fitted: set[Index]) -> None:
    """Warn of voxels without a fit in the box that all fits span: outside of it, LCModel is told to fit none."""
    ranges = [range(min(along), max(along) + 1) for along in zip(*fitted, strict=True)]
    gaps = [index for index in itertools.product(*ranges) if index not in fitted]
    if gaps:
        first = "slice {}, row {}, column {}".format(*gaps[0])
        warnings.warn(
            f"{len(gaps)} of {math.prod(map(len, ranges))} voxels have no fit in '{folder}' (the first: {first}): they "
            "are left empty. Check that no file is missing.",
            InputWarning,
            stacklevel=3,
        )


class _Collected:
    """Fits of one kind of files, by voxel."""

    def __init__(self):
        self.indices: dict[Index, int] = {}
        self.matrix: Index = (0, 0, 0)
        self.names: dict[str, int] = {}
        self._values: list[np.ndarray] = []
        self._quality: list[tuple[float, float]] = []

    def add(self, index: Index, fit: VoxelFit) -> None:
        """Add a voxel's fit."""
        for name in fit.values:
            self.names.setdefault(name, len(self.names))
        values = np.full((len(self.names), 2), np.nan)
        values[[self.names[name] for name in fit.values]] = list(fit.values.values())
        self.indices[index] = len(self._values)
        self._values.append(values)
        self._quality.append((fit.snr, fit.fwhm))
        self.matrix = tuple(map(max, self.matrix, index, fit.matrix or index))

    def disagrees(self, index: Index, values: dict[str, tuple[float, float]]) -> bool:
        """Whether the voxel is there already with other values."""
        if index not in self.indices:
            return False
        known = self._values[self.indices[index]]
        return any(
            name not in self.names
            or self.names[name] >= len(known)
            or not np.array_equal(known[self.names[name]], pair, equal_nan=True)
            for name, pair in values.items()
        )

    def arrays(self, matrix: Index) -> tuple[np.ndarray, np.ndarray]:
        """`(name, 2, slice, row, column)` of concentration and bound, `(2, slice, row, column)` of SNR and FWHM."""
        values, quality = np.full((len(self.names), 2, *matrix), np.nan), np.full((2, *matrix), np.nan)
        for index, position in self.indices.items():
            where = (..., *(one - 1 for one in index))
            known = self._values[position]
            values[: len(known)][where] = known
            quality[where] = self._quality[position]
        return values, quality


def _merged(matrix: Index, voxels: _Collected, slices: _Collected, files: int) -> tuple[LCModelMaps, int]:
    """The maps of both kinds of files, and in how many voxels they disagree."""
    values, (snr, fwhm) = voxels.arrays(matrix)
    names = list(voxels.names)
    others, _ = slices.arrays(matrix)
    conflict, missing = np.zeros(matrix, dtype=bool), np.ones(matrix, dtype=bool)
    for index in voxels.indices:
        missing[tuple(one - 1 for one in index)] = False
    for name, other in zip(slices.names, others, strict=True):
        full = [known for known in names if known[:NAME_LENGTH] == name]
        if len(full) == 1:
            mine = values[names.index(full[0])]
            both = ~missing & np.isfinite(mine).all(axis=0) & np.isfinite(other).all(axis=0)
            with np.errstate(invalid="ignore"):
                conflict |= both & (np.abs(mine - other) > _ROUNDING * np.abs(mine) + 1e-3).any(axis=0)
            mine[:, missing] = other[:, missing]
        elif not full:
            names.append(name)
            values = np.concatenate([values, other[None]])
    by_name = dict(sorted(zip(names, values, strict=True)))
    known = bool(voxels.indices)
    maps = LCModelMaps(
        {name: pair[0] for name, pair in by_name.items()},
        {name: pair[1] for name, pair in by_name.items()},
        snr if known else None,
        fwhm if known else None,
        files,
    )
    return maps, int(conflict.sum())


def _fits(files: list[Path], skipped: dict[Path, str]) -> Iterator[tuple[Path, Index, VoxelFit]]:
    """Each voxel's fit, tables first; coordinates only where a voxel has no table."""
    done = set()
    for path in sorted(files, key=lambda path: (_ending(path) != ".table", path)):
        named = _VOXEL.search(path.stem)
        index = tuple(map(int, named.groups())) if named else None
        if _ending(path) == ".coord" and index in done:
            continue
        try:
            fit = read_fit(path)
            index = _index(path, index, fit)
        except InputError as error:
            skipped[path] = str(error)
            continue
        done.add(index)
        yield path, index, fit


def _index(path: Path, named: Index | None, fit: VoxelFit) -> Index:
    """The voxel's slice, row and column, from 1."""
    index = named or fit.index
    if index is None:
        raise InputError(f"'{path}' does not name its voxel: name it ..._sl<slice>_<row>-<column>{path.suffix}.")
    if not all(1 <= one <= LARGEST_INDEX for one in index):
        raise InputError(f"'{path}' is named for a voxel that can't be: rename it.")
    if fit.index not in (None, index):
        raise InputError(f"'{path}' is named for another voxel than its title (slice, row, column {fit.index}) says.")
    return index


def _slices(files: list[Path], skipped: dict[Path, str]) -> Iterator[tuple[Path, int, SliceFits]]:
    """Each slice's fits, with its number from 1."""
    for path in files:
        named = _SLICE.search(path.stem)
        try:
            if named is None and len(files) > 1:
                raise InputError(f"'{path}' does not name its slice: name it ...slice<number>.csv.")
            number = int(named.group(1)) if named else 1
            if not 1 <= number <= LARGEST_INDEX:
                raise InputError(f"'{path}' is named for a slice that can't be: rename it.")
            fits = read_slice_csv(path)
        except InputError as error:
            skipped[path] = str(error)
            continue
        if fits.damaged_lines:
            warnings.warn(
                f"{fits.damaged_lines} lines of '{path}' are damaged or cut short and were skipped: their voxels count "
                "as failed unless a .table has them.",
                InputWarning,
                stacklevel=4,
            )
        yield path, number, fits


def _check_there(folder: Path) -> None:
    """Check that no file of LCModel's is a link to content that is not there: its voxels would look like failed fits.

    Raises:
        InputError: naming such files.
    """
    files = files_of(folder)
    voxels = [path for path in files if _ending(path) in (".table", ".coord")]
    # What a .csv holds can't be told without its content.
    slices = [path for path in files if _ending(path) == ".csv" and (not voxels or _SLICE.search(path.stem))]
    absent = {path: reason for path in (*voxels, *slices) if (reason := absent_content(path))}
    if absent:
        names = ", ".join(f"'{path.name}'" for path in list(absent)[:_NAMED])
        more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
        raise InputError(
            f"{len(absent)} of LCModel's files in '{folder}' are not there ({names}{more}). The first is "
            f"{next(iter(absent.values()))}."
        )


def _warn_skipped(folder: Path, skipped: dict[Path, str]) -> None:
    if not skipped:
        return
    names = ", ".join(f"'{path.name}'" for path in list(skipped)[:_NAMED])
    more = f" and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    first = next(iter(skipped.values()))
    warnings.warn(
        f"{len(skipped)} of LCModel's files in '{folder}' were skipped, and their voxels count as failed: "
        f"{names}{more}. The first: {first}",
        InputWarning,
        stacklevel=3,
    )


def _ending(path: Path) -> str:
    return path.suffix.casefold()


def _is_csv(path: Path) -> bool:
    return _ending(path) == ".csv" and is_slice_csv(path)
