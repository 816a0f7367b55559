"""A patient's maps while a batch is at them: what several outputs share is read, prepared and computed once."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_core.batch.outputs import fingerprint
from inference_core.errors import InputWarning
from inference_core.imaging.reading import read_image

if TYPE_CHECKING:
    import SimpleITK as sitk

    from inference_core.inference.patient_result import MetaboliteResult
    from inference_core.inference.super_resolver import PreparedInput, SuperResolver
    from inference_core.inference.uncertainty.calibration import Calibration


class BatchCancelled(Exception):  # noqa: N818 - not an error
    """The user wants no more."""


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
        self._cancelled = cancelled
        self._images: dict[Path, Any] = {}
        self._hashes: dict[Path, str] = {}
        self._prepared: dict[Path, tuple[PreparedInput, list[str]]] = {}
        self._references: dict[tuple[Path, bool], sitk.Image] = {}
        self._failures: dict[Any, Exception] = {}
        self._results: dict[tuple, MetaboliteResult] = {}

    def hash(self, path: Path) -> str:
        """A file's fingerprint."""
        if path not in self._hashes:
            self._hashes[path] = fingerprint(path)
        return self._hashes[path]

    def warnings(self, path: Path) -> list[str]:
        """What the user was warned of when a map was prepared."""
        return self._prepared[path][1]

    def result(
        self, path: Path, metabolite: str, sharpness: float, certainty: "Calibration | None"
    ) -> "MetaboliteResult":
        """A map super-resolved, with its uncertainty if there is a calibration to tell it.

        Raises:
            BatchCancelled: as soon as `cancelled` answers True.
            Exception: what is wrong with the map, each time that it is asked for.
        """
        from inference_core.inference.patient_result import MetaboliteResult
        from inference_core.inference.uncertainty.estimate import super_resolve_with_uncertainty

        key = path, metabolite, sharpness, certainty is not None
        if key not in self._results:
            prepared = self._prepare(path)
            arguments = self.resolver, prepared, metabolite, sharpness, certainty, self._check
            self._results[key] = MetaboliteResult(prepared, *super_resolve_with_uncertainty(*arguments))
        return self._results[key]

    def reference(self, labels: Path, mirror: bool) -> "sitk.Image":
        """The normal tissue that ratios are compared with, see `reference_region`.

        Raises:
            InputError: as there, each time that it is asked for.
        """
        from inference_core.imaging.reference_region import reference_region

        return self._once(self._references, (labels, mirror), lambda: reference_region(labels, mirror, self._mri("T1")))

    def _check(self, _done: int, _total: int) -> None:
        if self._cancelled():
            raise BatchCancelled

    def _prepare(self, path: Path) -> "PreparedInput":
        return self._once(self._prepared, path, lambda: self._prepared_now(path))[0]

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

    def _prepared_now(self, path: Path) -> "tuple[PreparedInput, list[str]]":
        """A map prepared, and what was warned of."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            images = read_image(path, "map"), *(self._mri(role) for role in ("T1", "FLAIR"))
            like = next((prepared for prepared, _ in self._prepared.values()), None)
            prepared = self.resolver.prepare(*images, like=like)
        ours = [str(warning.message) for warning in caught if issubclass(warning.category, InputWarning)]
        for warning in caught:
            if not issubclass(warning.category, InputWarning):
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return prepared, list(dict.fromkeys(ours))

    def _mri(self, role: str) -> Any:
        path = self.mri[role]
        if path not in self._images:
            self._images[path] = read_image(path, role)
        return self._images[path]
