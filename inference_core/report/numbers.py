"""Numbers as the page writes them."""

import math


def number(value: float | None) -> str:
    """Three significant digits without an exponent where that is readable; a dash for what is not known."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def with_half_width(value: float | None, half_width: float | None) -> tuple[str, str]:
    """A value and its half-width, two digits of it, both to the same place; the second is empty if not known."""
    if value is None or not half_width or not math.isfinite(value) or not math.isfinite(half_width):
        return number(value), ""
    places = max(0, 1 - math.floor(math.log10(half_width)))
    return f"{value:.{places}f}", f"{half_width:.{places}f}"


def length(value: float) -> str:
    """A length in mm to a tenth, which whole ones leave out."""
    return f"{round(value, 1):g}"


def times(*values: object) -> str:
    """A matrix or the edges of a voxel, on one line."""
    return "\u00a0×\u00a0".join(map(str, values))
