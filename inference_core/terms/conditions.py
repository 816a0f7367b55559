"""What the network is conditioned on: input resolution n, metabolite, and sharpness lambda, with their valid ranges."""

import math
import warnings

from inference_core.errors import InputError, InputWarning

#: Matrix size N of the super-resolved map (paper, Sec. 3.1).
SUPER_RESOLVED_MATRIX = 64
#: T1 and FLAIR voxels per super-resolved voxel, along each axis.
MRI_UPSAMPLING = 3
#: Matrix size of a T1 or FLAIR slab in the plane.
MRI_MATRIX = SUPER_RESOLVED_MATRIX * MRI_UPSAMPLING

#: Smallest and largest input resolution that the default weights were trained on; the paper's networks begin at 16.
TRAINED_RESOLUTION = (8, 32)
#: The input resolutions that training draws from by default: the paper's (Sec. 3.2).
TRAINED_RESOLUTIONS = tuple(range(16, 33, 2))

#: Range of the sharpness lambda, the weight of the adversarial loss (paper, Sec. 3.2).
SHARPNESS_RANGE = (0.0, 0.1)
#: Above this lambda the paper finds maps over-sharpened (paper, Sec. 3.3).
RECOMMENDED_SHARPNESS = 0.03

#: The metabolites by their names in the paper, in the order of the network's embedding.
METABOLITES = ("tCho", "tCr", "NAA", "Gly", "Gln", "Glu", "Ins")

#: LCModel's and other common names, for the names in `METABOLITES`.
METABOLITE_ALIASES = {
    "GPC+PCh": "tCho",
    "PCh+GPC": "tCho",
    "GPC+PCho": "tCho",
    "PCho+GPC": "tCho",
    "Cho": "tCho",
    "Cr+PCr": "tCr",
    "PCr+Cr": "tCr",
    "Cre": "tCr",
    "Cr": "tCr",
    "NAA+NAAG": "NAA",
    "tNAA": "NAA",
    "mI": "Ins",
    "mIns": "Ins",
    "myo-Ins": "Ins",
}

_BY_FOLDED_NAME = {name.casefold(): name for name in METABOLITES} | {
    alias.casefold(): name for alias, name in METABOLITE_ALIASES.items()
}


def resolve_metabolite(name: str) -> str:
    """The paper's name for `name`, which may be an alias in any case.

    Raises:
        InputError: for a metabolite that the networks don't know.
    """
    try:
        return _BY_FOLDED_NAME[str(name).strip().casefold()]
    except KeyError:
        raise InputError(
            f"Unknown metabolite '{name}': choose one of {', '.join(METABOLITES)}, or an alias of one such as GPC+PCh."
        ) from None


def metabolite_index(name: str) -> int:
    """Index of a metabolite (or alias) in the networks' embedding."""
    return METABOLITES.index(resolve_metabolite(name))


def check_sharpness(sharpness: float) -> float:
    """`sharpness` as a float.

    Raises:
        InputError: if it is not a number between 0 and 0.1.
    """
    low, high = SHARPNESS_RANGE
    try:
        value = float(sharpness)
    except (TypeError, ValueError):
        value = math.nan
    if not low <= value <= high:
        raise InputError(f"Sharpness {sharpness} is outside {low:g} to {high:g}: choose a value in that range.")
    return value


def check_resolution(rows: int, columns: int) -> int:
    """The input resolution n that stands for a map of `rows` x `columns` voxels: their geometric mean, rounded.

    Warns:
        InputWarning: if n lies outside the range that the networks are trained on.

    Raises:
        InputError: if the map is finer than the super-resolved grid, or has fewer than 4 voxels along an axis.
    """
    if max(rows, columns) > SUPER_RESOLVED_MATRIX:
        raise InputError(
            f"The map has {rows} x {columns} voxels a slice after padding to a square field of view, more than the "
            f"{SUPER_RESOLVED_MATRIX} x {SUPER_RESOLVED_MATRIX} of the super-resolved grid: there is nothing to gain."
        )
    if min(rows, columns) < 4:
        raise InputError(
            f"The map has only {rows} x {columns} voxels a slice: at least 4 x 4 are needed. "
            "Check that its slices lie along the third axis."
        )
    n = round(math.sqrt(rows * columns))
    low, high = TRAINED_RESOLUTION
    if not low <= n <= high:
        warnings.warn(
            f"Input resolution n = {n} is outside the trained range of {low} to {high}: judge the result with care.",
            InputWarning,
            stacklevel=2,
        )
    return n
