"""One patient's examination: maps, T1 and FLAIR, and any quantity of them at any sharpness.

All callers that need a metabolite or a ratio of a patient use this class: the panel's thread, which takes slices one at
a time, and `predict`, `batch`, `regions`, `report` and the console, which take all. Each map is prepared once, T1 and
FLAIR are brought onto its grid once, and each slice is super-resolved once at each sharpness.

    examination = Examination(resolver)
    examination.prepare("NAA", low_resolution, t1, flair)
    result = examination.quantity(Quantity.parse("NAA"), {"NAA": "NAA"}, sharpness=0.02).whole()
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping

import numpy as np
import SimpleITK as sitk

from inference_core.errors import collected_warnings
from inference_core.inference.held_back import held_back_problem, telling_slices
from inference_core.inference.map_noise import MapNoise
from inference_core.inference.noise_consistency import Movement
from inference_core.inference.quantity_source import QuantitySource
from inference_core.inference.self_check import SLICES, NoSelfCheck, SelfCheck, self_check
from inference_core.inference.super_resolved_map import Check, SuperResolvedMap
from inference_core.inference.super_resolver import PreparedInput, SuperResolver
from inference_core.terms.conditions import METABOLITES
from inference_core.terms.quantity import Quantity

#: Super-resolved maps that are kept: all of a patient's metabolites at one sharpness.
_MOST_MAPS = len(METABOLITES)


class Examination:
    """See the module's docstring.

    Args:
        resolver: what super-resolves.
        most_maps: how many super-resolved maps are kept at most, the latest ones; None for all.

    Attributes:
        resolver: as given.
    """

    def __init__(self, resolver: SuperResolver, most_maps: int | None = _MOST_MAPS):
        self.resolver = resolver
        self._most_maps = most_maps
        self._prepared: dict[Hashable, tuple[PreparedInput, tuple[str, ...]]] = {}
        self._maps: OrderedDict[tuple, SuperResolvedMap] = OrderedDict()
        self._checks: dict[tuple, SelfCheck] = {}
        self._movements: dict[tuple, Movement] = {}

    def treated_by(self, resolver: SuperResolver) -> "Examination":
        """Another examination of the maps that are, or will be, prepared here.

        Args:
            resolver: with the same network, which treats detail or measured k-space in another way.
        """
        other = Examination(resolver, self._most_maps)
        other._prepared = self._prepared
        return other

    def prepare(self, key: Hashable, low_resolution: sitk.Image, t1: sitk.Image, flair: sitk.Image) -> PreparedInput:
        """Bring a map, and the patient's T1 and FLAIR, onto the network's grids; once for each key.

        Args:
            key: what to call the map: equal for equal images.
            low_resolution, t1, flair: as `SuperResolver.prepare`; T1 and FLAIR are the same for all maps.

        Raises:
            InputError: as `SuperResolver.prepare`.
        """
        if key not in self._prepared:
            with collected_warnings() as notices:
                prepared = self.resolver.prepare(low_resolution, t1, flair)
            self._prepared[key] = prepared, tuple(notices)
        return self._prepared[key][0]

    def __contains__(self, key: Hashable) -> bool:
        """Whether a map was prepared."""
        return key in self._prepared

    def prepared(self, key: Hashable) -> PreparedInput:
        """A prepared map."""
        return self._prepared[key][0]

    def notices(self, key: Hashable) -> tuple[str, ...]:
        """What the user has to know of a prepared map."""
        return self._prepared[key][1]

    def quantity(
        self,
        quantity: Quantity,
        keys: Mapping[str, Hashable],
        sharpness: float,
        tissue: np.ndarray | None = None,
    ) -> QuantitySource:
        """A metabolite, or a ratio of some, at one sharpness; nothing is computed yet.

        Args:
            quantity: which.
            keys: of the prepared maps that it needs, by metabolite.
            sharpness: lambda, 0 to 0.1.
            tissue: see `QuantitySource`.

        Raises:
            InputError: for maps that are not on one grid.
        """
        maps = {name: self._map(keys[name], name, sharpness) for name in quantity.metabolites}
        return QuantitySource(quantity, maps, sharpness, tissue)

    def self_check(
        self,
        key: Hashable,
        metabolite: str,
        sharpness: float,
        noise: MapNoise | None = None,
        check: Check | None = None,
    ) -> SelfCheck | NoSelfCheck:
        """Whether the network's detail holds against a prepared map's own measurement; once for each sharpness.

        Args:
            key: of the prepared map.
            metabolite: its paper name.
            sharpness: lambda, 0 to 0.1.
            noise: of the map; None to estimate it from the map.
            check: see `Check`.

        Raises:
            InputError: as `SuperResolver.super_resolve`.
        """
        prepared, map_key = self.prepared(key), (key, metabolite, sharpness)
        problem = held_back_problem(prepared)
        if problem is not None:
            return NoSelfCheck(metabolite, problem)
        if map_key not in self._checks:
            self._checks[map_key] = self_check(self.resolver, prepared, metabolite, sharpness, None, noise, check)
        return self._checks[map_key]

    def movement(self, key: Hashable, metabolite: str, sharpness: float, check: Check | None = None) -> Movement:
        """How far a prepared map's measured k-space was moved, estimated from up to 8 slices; once for each sharpness.

        Args:
            key, metabolite, sharpness, check: as `self_check`.

        Raises:
            InputError: as `SuperResolver.super_resolve`.
        """
        map_key = key, metabolite, sharpness
        if map_key not in self._movements:
            prepared = self.prepared(key)
            # Where all is kept, there is nothing to be computed.
            slices = [] if self.resolver.consistency == "hard" else telling_slices(prepared, SLICES)
            values = self._map(*map_key).values(slices, check) if slices else prepared.brain[:0]
            self._movements[map_key] = self.resolver.movement(prepared, metabolite, sharpness, values, slices, check)
        return self._movements[map_key]

    def _map(self, key: Hashable, metabolite: str, sharpness: float) -> SuperResolvedMap:
        map_key = key, metabolite, sharpness
        if map_key not in self._maps:
            self._maps[map_key] = SuperResolvedMap(self.resolver, self._prepared[key][0], metabolite, sharpness)
            if self._most_maps is not None and len(self._maps) > self._most_maps:
                self._maps.popitem(last=False)
        self._maps.move_to_end(map_key)
        return self._maps[map_key]
