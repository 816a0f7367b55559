"""Regions' counterparts on the other side of the brain, found without keeping the computing thread from its work."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait

import SimpleITK as sitk

from MRSISuperResLib.scene.segments import unused_name

#: Seconds between two checks for other requests to the thread.
_POLL_TIMEOUT_S = 0.02


class OtherSide:
    """Finds the other side. This takes seconds, so that the last patient's is kept."""

    def __init__(self):
        self._found: tuple = (None, None)

    def regions(
        self, regions: Mapping[str, sitk.Image], t1: sitk.Image, t1_key: tuple, meanwhile: Callable[[], None]
    ) -> dict[str, sitk.Image]:
        """The regions' counterparts, uint8 on the T1's grid, by new names.

        Args:
            regions: images of 1 inside, by name.
            t1, t1_key, meanwhile: as of `find`.

        Raises:
            InputError: as `find`.
        """
        from inference_core.imaging.mirror import mirrored

        transform, found = self.find(t1, t1_key, meanwhile), {}
        for name, image in regions.items():
            # The user may have drawn, and named, a counterpart of their own.
            own = unused_name(f"{name}, mirrored", {*regions, *found})
            found[own] = mirrored(image, transform, t1)
        return found

    def find(self, t1: sitk.Image, t1_key: tuple, meanwhile: Callable[[], None]) -> sitk.Transform:
        """What leads to the other side. To be called on the computing thread, as is `regions`.

        Args:
            t1: the patient's.
            t1_key: equal for equal voxels and geometry of the T1.
            meanwhile: called every now and then while the other side is looked for; may raise to end it, once
                that is found.

        Raises:
            InputError: as `inference_core.imaging.mirror.mirror_transform`.
        """
        from inference_core.imaging.mirror import mirror_transform

        if self._found[0] != t1_key:
            # SimpleITK lets go of Python's lock: a thread of its own leaves this one to the slider.
            with ThreadPoolExecutor(1, thread_name_prefix="MRSISuperRes other side") as aside:
                looking = aside.submit(mirror_transform, t1)
                while not wait([looking], timeout=_POLL_TIMEOUT_S).done:
                    meanwhile()
                self._found = (t1_key, looking.result())
        return self._found[1]
