"""A patient's maps while a batch is at them: what several outputs share is read, prepared and computed once."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_core.batch.outputs import fingerprint
from inference_core.errors import collected_warnings
from inference_core.imaging.reading import read_image
from inference_core.terms.quantity import Quantity

if TYPE_CHECKING:
    import SimpleITK as sitk

    from inference_core.inference.quantity_source import QuantityResult
    from inference_core.inference.self_check import NoSelfCheck, SelfCheck
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.inference.uncertainty.calibration import Calibration


class BatchCancelled(Exception):  # noqa: N818 - not an error
    """The user cancelled."""


class PatientMaps:
    """One patient's.

    Args:
        resolver: what super-resolves.
        mri: files of "T1" and "FLAIR".
        mri_hashes: their fingerprints.
        cancelled: asked between slices.

    Attributes:
        resolver, mri, mri_hashes: as given.
    """

    def __init__(
        self,
        resolver: "SuperResolver",
        mri: Mapping[str, Path],
        mri_hashes: Mapping[str, str],
        cancelled: Callable[[], bool],
    ):
        self.resolver, self.mri, self.mri_hashes = resolver, dict(mri), dict(mri_hashes)
        from inference_core.inference.examination import Examination

        self._cancelled = cancelled
        self._images: dict[Path, Any] = {}
        self._hashes: dict[Path, str] = {}
        self._notices: dict[Path, list[str]] = {}
        self._ready: dict[Path, None] = {}
        self._references: dict[tuple[Path, bool], sitk.Image] = {}
        self._failures: dict[Any, Exception] = {}
        # The maps of a task are those of others, ratios among them.
        self._examination = Examination(resolver, most_maps=None)

    def hash(self, path: Path) -> str:
        """A file's fingerprint."""
        if path not in self._hashes:
            self._hashes[path] = fingerprint(path)
        return self._hashes[path]

    def notices(self, paths: Iterable[Path]) -> list[str]:
        """What the user has to know of the maps and labels that a result was made of, each sentence once."""
        paths = list(paths)
        read = [sentence for path in (*paths, *self.mri.values()) for sentence in self._notices.get(path, ())]
        prepared = [one for path in paths if path in self._examination for one in self._examination.notices(path)]
        return list(dict.fromkeys([*read, *prepared]))

    def result(
        self,
        quantity: Quantity,
        paths: Mapping[str, Path],
        sharpness: float,
        calibration: "Calibration | None",
        region: "sitk.Image | None" = None,
    ) -> "QuantityResult":
        """A metabolite or ratio, super-resolved.

        Args:
            quantity: which.
            paths: of the maps that it needs, by metabolite.
            sharpness: lambda.
            calibration: of the weights, to have the uncertainty; or None.
            region: normal tissue that a ratio is compared with, if that is not the whole brain.

        Raises:
            BatchCancelled: as soon as `cancelled` answers True.
            Exception: what is wrong with a map, each time that it is asked for.
        """
        from inference_core.imaging.reference_region import reference_mask
        from inference_core.inference.map_noise import noise_beside

        for path in paths.values():
            self._once(self._ready, path, lambda path=path: self._prepare(path))
        if self.resolver.consistency != "hard":
            for name, path in paths.items():
                prepared = self._examination.prepared(path)
                self.resolver.match(prepared, name, noise_beside(prepared, path))
        grid = self._examination.prepared(paths[quantity.metabolites[0]]).grid
        tissue = None if region is None else reference_mask(region, grid)
        return self._examination.quantity(quantity, paths, sharpness, tissue).whole(calibration, self._check)

    def self_check(self, path: Path, metabolite: str, sharpness: float) -> "SelfCheck | NoSelfCheck":
        """Whether the network's detail holds against a map's own measurement; its `result` comes first.

        Its noise is estimated from Cramér-Rao bounds beside the map, where there are some on its grid.

        Raises:
            BatchCancelled: as soon as `cancelled` answers True.
        """
        from inference_core.inference.map_noise import noise_beside

        noise = noise_beside(self._examination.prepared(path), path)
        return self._examination.self_check(path, metabolite, sharpness, noise, self._check)

    def reference(self, labels: Path, mirror: bool) -> "sitk.Image":
        """The normal tissue that ratios are compared with, see `reference_region`.

        Raises:
            InputError: as there, each time that it is asked for.
        """
        from inference_core.imaging.reference_region import reference_region

        def region() -> "sitk.Image":
            t1 = self._mri("T1")
            with collected_warnings() as self._notices[labels]:
                return reference_region(labels, mirror, t1)

        return self._once(self._references, (labels, mirror), region)

    def _check(self, _done: int, _total: int) -> None:
        if self._cancelled():
            raise BatchCancelled

    def _prepare(self, path: Path) -> None:
        images = self._read(path, "map"), *(self._mri(role) for role in ("T1", "FLAIR"))
        self._examination.prepare(path, *images)

    def _once(self, found: dict, key: Any, make: Callable[[], Any]) -> Any:
        """What is made of a key, made once only; what failed fails again."""
        if key in self._failures:
            raise self._failures[key]
        if key not in found:
            try:
                found[key] = make()
            except Exception as error:
                self._failures[key] = error
                raise
        return found[key]

    def _mri(self, role: str) -> Any:
        path = self.mri[role]
        if path not in self._images:
            self._images[path] = self._read(path, role)
        return self._images[path]

    def _read(self, path: Path, role: str) -> "sitk.Image":
        """An image; its place is checked when it is prepared."""
        with collected_warnings() as notices:
            image = read_image(path, role, place_needed=False)
        self._notices[path] = notices
        return image
