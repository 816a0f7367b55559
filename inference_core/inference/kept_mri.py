"""A patient's T1 and FLAIR on the network's grids, kept from one map to the next.

A patient has several maps on one grid, and bringing T1 and FLAIR there takes longer than the network does. Images are
told apart by what they hold, since programs hand the same one over as a new object each time.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from inference_core.imaging.brain_mask import BrainOnGrid, brain_mask_of_t1
from inference_core.imaging.geometry import SuperResolvedGrid, mri_slabs
from inference_core.imaging.reading import check_mri


@dataclass(frozen=True)
class MriOnGrid:
    """T1 and FLAIR on the grids of a map.

    Attributes:
        t1, flair: from `mri_slabs`, `(slice, 192, 192, 3)` float32.
        brain: of a skull-stripped T1, or None.
    """

    t1: np.ndarray
    flair: np.ndarray
    brain: BrainOnGrid | None


def _header(image: sitk.Image) -> tuple:
    """What an image's voxels are and where they lie."""
    return image.GetPixelID(), image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection()


def _same(one: sitk.Image, other: sitk.Image) -> bool:
    """Whether two images hold the same, in the same place."""
    if _header(one) != _header(other):
        return False
    values = [sitk.GetArrayViewFromImage(image) for image in (one, other)]
    places = [array.__array_interface__["data"][0] for array in values]
    return places[0] == places[1] or np.array_equal(*values)


def _in_background(function: Callable, *arguments) -> Future:
    """What a function gives, computed in a thread of its own that ends with it."""
    thread = ThreadPoolExecutor(1)
    try:
        return thread.submit(function, *arguments)
    finally:
        thread.shutdown(wait=False)


class Mri:
    """A patient's T1 and FLAIR, checked.

    Args:
        t1: 3-D, scalar.
        flair: like `t1`, on a grid of its own.

    Attributes:
        t1, flair: as `check_mri` gives them.

    Raises:
        InputError: as `check_mri`.
    """

    def __init__(self, t1: sitk.Image, flair: sitk.Image):
        # Copies share the voxels until one of them is changed.
        self._given = sitk.Image(t1), sitk.Image(flair)
        # SimpleITK may copy an image when its voxels are looked at, which two threads must not do to one object.
        flair = sitk.Image(flair) if flair is t1 else flair
        with ThreadPoolExecutor() as threads:
            self.t1, self.flair = threads.map(check_mri, (t1, flair), ("T1", "FLAIR"))
        # Done while the map is looked at.
        self._brain = _in_background(brain_mask_of_t1, self.t1)
        #: The last grid and what was brought onto it, as one: another thread may ask meanwhile.
        self._on_grid: tuple[SuperResolvedGrid, MriOnGrid] | None = None

    def wait(self) -> None:
        """Wait for what is computed in the background; only then may the images be changed."""
        self._brain.exception()

    def holds(self, t1: sitk.Image, flair: sitk.Image) -> bool:
        """Whether these are the images that it was made from."""
        return all(_same(*pair) for pair in zip(self._given, (t1, flair), strict=True))

    def on(self, grid: SuperResolvedGrid) -> MriOnGrid:
        """Both on a map's grids, side by side; those of the last grid are kept.

        Raises:
            InputError: as `mri_slabs`.
        """
        kept = self._on_grid
        if kept is None or kept[0] != grid:
            with ThreadPoolExecutor() as threads:
                slabs = threads.map(mri_slabs, (self.t1, self.flair), (grid, grid), ("T1", "FLAIR"))
                mask = self._brain.result()
                brain = None if mask is None else BrainOnGrid.of(mask, grid)
                self._on_grid = kept = grid, MriOnGrid(*slabs, brain)
        return kept[1]


class KeptMri:
    """Keeps the last patient's `Mri`."""

    def __init__(self):
        self._last: Mri | None = None

    def get(self, t1: sitk.Image, flair: sitk.Image) -> Mri:
        """The images' `Mri`, kept or made now.

        Raises:
            InputError: as `Mri`.
        """
        kept = self._last
        if kept is None or not kept.holds(t1, flair):
            self._last = kept = Mri(t1, flair)
        return kept

    def clear(self) -> None:
        """Keep nothing."""
        self._last = None
