"""Files like LCModel's and a Philips scanner's, for tests."""

from pathlib import Path

import numpy as np

#: LCModel's names, in the order of its tables.
NAMES = ("Cr", "PCr", "Gln", "Glu", "GPC", "PCh", "Gly", "Ins", "NAA", "NAAG", "GPC+PCh", "NAA+NAAG", "Cr+PCr")


def conc(value: float) -> str:
    """A concentration as LCModel writes it."""
    return f"{value:9.2E}" if value >= 1000 else f"{value:9.3f}"


def table_text(values: dict[str, tuple[float, float]], snr=12, fwhm=0.046, index=None, coord=False) -> str:
    """A `.table`, or the beginning of a `.coord`, by name concentration and %SD."""
    title = "Slice#{} Row#{} Col#{}  scan".format(*index) if index else "scan"
    lines = [" LCModel (Version 6.3-1L)", f" {title}", ""]
    lines += [f"{'' if coord else '$$CONC'} {len(values) + 1} lines in following concentration table = NCONC+1"]
    lines += ["    Conc.  %SD /Cr+PCr  Metabolite"]
    lines += [f"{conc(c)} {int(sd):3d}%   1.577 {name:60s}" for name, (c, sd) in values.items()]
    lines += ["", f"{'' if coord else '$$MISC'}  2 lines in following misc. output table"]
    lines += [f"  FWHM = {fwhm:.3f} ppm    S/N = {int(snr):3d}", "  Data shift = 0.000 ppm", ""]
    if coord:
        lines += ["  3 points on ppm-axis = NY", "  4.0 3.9 3.8", " NY phased data points follow", "  1.0 2.0 3.0"]
    return "\n".join(lines) + "\n"


def csv_text(values: dict[tuple[int, int], dict[str, tuple[float, float]]]) -> str:
    """A slice's `.csv`, by row and column from 1, and name."""
    names = list(next(iter(values.values())))
    header = ["Row", "Col"] + [f"{name[:13]}{what}" for name in names for what in ("", " %SD", "/Cr+PCr")]
    lines = [", ".join(header)]
    for (row, column), of in values.items():
        cells = [f"{row:3d}", f"{column:4d}"]
        cells += [cell for name in names for cell in (conc(of[name][0]), f"{int(of[name][1]):5d}", "    1.000")]
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def spar_text(n=4, slices=2, fov=240.0, thickness=10.0, centre=(0.0, 0.0, 0.0), **more) -> str:
    """A `.spar`; `centre` is lr, ap, cc in mm, `more` replaces entries."""
    entries = {"scan_id": '"press"', "synthesizer_frequency": 127767273, "phase_encoding_direction": '"trans"'}
    entries |= {f"si_{axis}_off_center": value for axis, value in zip(("lr", "ap", "cc"), centre, strict=True)}
    entries |= {f"si_{axis}_off_angulation": 0 for axis in ("ap", "lr", "cc")}
    entries |= {"phase_encoding_fov": fov, "slice_thickness": slices * thickness, "slice_distance": thickness}
    entries |= {"dim2_pnts": n, "dim3_pnts": n, "dim4_pnts": slices, "dim4_t0_point": "-"}
    return "!-----\n! parameters\n" + "".join(f"{key} : {value}\n" for key, value in (entries | more).items())


def write_examination(folder: Path, concentrations: dict[str, np.ndarray], bounds=None, snr=None, fwhm=None) -> None:
    """An examination's `.table` files, by name `(slice, row, column)`; the bounds are 8 % where none are given."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = next(iter(concentrations.values())).shape
    for index in np.ndindex(shape):
        one = tuple(i + 1 for i in index)
        values = {
            name: (float(array[index]), float(bounds[name][index]) if bounds else 8.0 if array[index] > 0 else 999.0)
            for name, array in concentrations.items()
        }
        quality = {"snr": 12 if snr is None else snr[index], "fwhm": 0.046 if fwhm is None else fwhm[index]}
        name = "scan_sl{}_{}-{}.table".format(*one)
        (folder / name).write_text(table_text(values, index=one, **quality), encoding="latin-1")
