"""What the computing thread keeps between requests: the network, its calibration, and the last patient's examination.

For the computing thread alone.
"""

from collections.abc import Callable

import numpy as np

from inference_core.errors import collected_warnings
from MRSISuperResLib.compute.other_side import OtherSide
from MRSISuperResLib.compute.requests import Model, Request
from MRSISuperResLib.scene.volumes import PatientImages

#: Prepared maps that are kept: as many as a patient has metabolites.
_MOST_PREPARED = 7


class PatientCache:
    """See the module's docstring.

    Attributes:
        other_side: where the brain's other side is.
    """

    def __init__(self):
        self.other_side = OtherSide()
        self.clear()

    def clear(self) -> None:
        """Free the network and the patient."""
        self._loaded: tuple | None = None
        self._resolver = None
        self._treatments: dict[tuple, tuple] = {}
        self._loading_notices: tuple[str, ...] = ()
        self._calibration = (None, None)
        self._examination = None
        self._mri_key: tuple | None = None
        self._keys: set = set()
        self._tissue = (None, None)

    def resolver(self, model: Model):
        """The `SuperResolver` for a model, kept until another is asked for.

        Raises:
            InputError: as `SuperResolver.load`.
        """
        from inference_core.inference.super_resolver import SuperResolver

        if self._loaded != (model.weights, model.device):
            # Freed first: two networks may not fit into a small GPU's memory.
            self._loaded = self._resolver = self._examination = None
            self._treatments = {}
            device = None if model.device == "automatic" else model.device
            with collected_warnings() as notices:
                self._resolver = SuperResolver.load(model.weights or None, device)
            self._loaded, self._loading_notices = (model.weights, model.device), tuple(notices)
        return self._treated(model)[0]

    def _treated(self, model: Model) -> tuple:
        """The resolver of a model's treatment of detail and data, and its examination, None without a patient.

        All treatments are kept, so that going back to one computes nothing again.
        """
        place = model.detail, model.consistency
        resolver, examination = self._treatments.get(place, (None, None))
        if resolver is None:
            resolver = self._resolver.with_detail(model.detail).with_consistency(model.consistency)
        if examination is None and self._examination is not None:
            examination = self._examination.treated_by(resolver)
        self._treatments[place] = resolver, examination
        return resolver, examination

    def calibration(self, resolver):
        """The calibration of a resolver's weights, kept until another is asked for.

        Raises:
            InputError: if there is none.
        """
        from inference_core.inference.uncertainty.calibration import load_calibration

        if self._calibration[0] is not resolver.weights:
            self._calibration = (resolver.weights, load_calibration(resolver.weights))
        return self._calibration[1]

    def examination(self, model: Model, images: dict[str, PatientImages]):
        """The examination that holds a patient's maps, prepared; and the keys that it has for them, by metabolite.

        Args:
            model: the network.
            images: of one patient, by metabolite.

        Raises:
            InputError: as `SuperResolver.load` and `SuperResolver.prepare`.
        """
        from inference_core.inference.examination import Examination

        self.resolver(model)
        keys = {name: own.key for name, own in images.items()}
        mri_key = next(iter(keys.values()))[1:]
        if self._examination is None or mri_key != self._mri_key or len(self._keys | {*keys.values()}) > _MOST_PREPARED:
            self._examination, self._mri_key, self._keys = Examination(self._resolver), mri_key, set()
            self._treatments = {place: (resolver, None) for place, (resolver, _) in self._treatments.items()}
        for own in images.values():
            self._examination.prepare(own.key, own.low_resolution, own.t1, own.flair)
            self._keys.add(own.key)
        return self._treated(model)[1], keys

    def notices(self, keys: dict[str, tuple]) -> tuple[str, ...]:
        """What the user should know of the network, and of an examination's maps: each sentence once.

        Args:
            keys: as `examination` gives them.
        """
        told = (sentence for key in keys.values() for sentence in self._examination.notices(key))
        return tuple(dict.fromkeys([*self._loading_notices, *told]))

    def source(self, request: Request):
        """What gives a request's slices, a `QuantitySource`, and what the user should know.

        Raises:
            InputError: as `examination`, or for maps that are not on one grid.
        """
        examination, keys = self.examination(request.model, request.images)
        first = examination.prepared(next(iter(keys.values())))
        tissue = None if request.tissue is None else self._tissue_mask(request, first)
        source = examination.quantity(request.quantity, keys, request.sharpness, tissue)
        return source, self.notices(keys)

    def match(self, request: Request, progress: Callable[[int, int], None]) -> None:
        """Find how a request's detail matches the data, where that is wanted and not known yet.

        Args:
            request: whose.
            progress: see `SuperResolver.match`; may raise to end it.
        """
        examination, keys = self.examination(request.model, request.images)
        for name, key in keys.items():
            examination.resolver.match(examination.prepared(key), name, progress=progress)

    def check(self, request: Request, check: Callable[[int, int], None]) -> tuple[tuple, dict]:
        """`Checked.checks` and `Checked.movements` of a request; each is computed once.

        Args:
            request: whose.
            check: called after each pass of the network; may raise to end it.
        """
        examination, keys = self.examination(request.model, request.images)
        checks = tuple(examination.self_check(key, name, request.sharpness, None, check) for name, key in keys.items())
        return checks, {name: examination.movement(key, name, request.sharpness, check) for name, key in keys.items()}

    def _tissue_mask(self, request: Request, prepared) -> np.ndarray:
        """Where a request's tissue is in its maps, kept for the next request.

        Raises:
            InputError: if the other side can't be found.
        """
        from inference_core.imaging.mirror import mirrored
        from inference_core.imaging.reference_region import reference_mask

        if self._tissue[0] != request.key:
            images, region = next(iter(request.images.values())), request.tissue.region
            if request.tissue.mirror:
                other_side = self.other_side.find(images.t1, images.key[1], lambda: None)
                region = mirrored(region, other_side, images.t1)
            self._tissue = (request.key, reference_mask(region, prepared.grid))
        return self._tissue[1]
