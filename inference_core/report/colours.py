"""Colours of maps and anatomy.

Slicer's Python brings no matplotlib, so that its maps are here by a few colours, with straight lines between.
"""

import numpy as np

#: Every 17th of matplotlib's 256 colours.
_ANCHORS = {
    "inferno": "000004 0c0826 240c4f 420a68 5d126e 781c6d 932667 ae305c "
    "c73e4c dd513a ed6925 f8850f fca50a fac62d f2e661 fcffa4",
    "viridis": "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e "
    "1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725",
}
#: Share of an overlay's colour; the rest is the anatomy's.
_OPACITY = 0.7


def coloured(values: np.ndarray, window: float, name: str) -> np.ndarray:
    """A map in colours.

    Args:
        values: of any shape, in any units.
        window: what has the last colour; 0 has the first.
        name: "inferno" or "viridis".

    Returns:
        `(..., 3)` float64, 0 to 255.
    """
    codes = _ANCHORS[name].split()
    anchors = np.array([list(bytes.fromhex(code)) for code in codes], dtype=np.float64)
    places = np.clip(values / window, 0, 1) * (len(anchors) - 1) if window > 0 else np.zeros(np.shape(values))
    return np.stack([np.interp(places, np.arange(len(anchors)), channel) for channel in anchors.T], axis=-1)


def bar(name: str) -> np.ndarray:
    """All colours from the first to the last, `(1, 256, 3)` uint8."""
    return _pixels(coloured(np.arange(256)[None], 255, name))


def on_black(values: np.ndarray, mask: np.ndarray, window: float, name: str) -> np.ndarray:
    """A map `(row, column)` in colours, black outside a mask, `(row, column, 3)` uint8."""
    return _pixels(coloured(values, window, name) * mask[..., None])


def on_anatomy(values: np.ndarray, mask: np.ndarray, window: float, name: str, mri: np.ndarray) -> np.ndarray:
    """A map in colours over anatomy in grey, which shows through it.

    Args:
        values: `(row, column)`.
        mask: where the map is drawn, bool, of the same shape.
        window, name: as `coloured`.
        mri: of the same shape, 0 (black) to 1 (white).

    Returns:
        `(row, column, 3)` uint8.
    """
    grey = np.repeat(255.0 * np.clip(mri, 0, 1)[..., None], 3, axis=-1)
    share = _OPACITY * mask[..., None]
    return _pixels((1 - share) * grey + share * coloured(values, window, name))


def _pixels(colours: np.ndarray) -> np.ndarray:
    return np.round(colours).astype(np.uint8)
