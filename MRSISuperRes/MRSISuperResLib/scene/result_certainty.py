"""How far the result that is shown may be trusted: how certain its voxels are, what of it the network added, and what
the map's own measured k-space says of that.

It follows the result: when that gives way to another one, nothing known of it is shown any more; when the result
before is returned to, so is what was known of it.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from MRSISuperResLib.scene.result_volume import ResultVolume, UncertaintyVolume, uncertainty_of

#: Attribute of a map of uncertainties: see `ResultCertainty.factor_95`.
_FACTOR = "MRSISuperRes.HalfWidth95Factor"


@dataclass
class _Known:
    """Of one result."""

    request: object = None
    added: dict[int, np.ndarray] = field(default_factory=dict)
    measured_energy: float | None = None
    factor_95: float | None = None
    checked: object = None


class ResultCertainty:
    """See the module's docstring.

    Attributes:
        estimating: whether the uncertainty is being found.
        progress: slices whose uncertainty is known, and all of them.
        sentence: why there is none, "" if that has no reason.
    """

    def __init__(self):
        self.estimating = False
        self.progress = (0, 0)
        self.sentence = ""
        self._known = _Known()
        self._known_of_complete = _Known()
        self._volume: UncertaintyVolume | None = None
        self._slices = 0

    @property
    def volume(self) -> UncertaintyVolume | None:
        """The map of uncertainties, complete and of the result that is shown; else None."""
        own = self._volume
        return own if own is not None and own.exists and own.is_complete else None

    @property
    def factor_95(self) -> float | None:
        """Half-width of the 95 % interval in those of the 68 % interval, if known."""
        return self._known.factor_95

    @property
    def measured_energy(self) -> float | None:
        """The share of the result's energy in the measured k-space, 0 to 1, if known."""
        energy = self._known.measured_energy
        return None if energy is None or math.isnan(energy) else energy

    @property
    def checked(self):
        """What the maps' own measured k-space says (a `Checked`), or None.

        It may be of another lambda, which it names, until it is known for the one that is shown; never of another map,
        quantity or treatment.
        """
        return self._known.checked

    @property
    def added(self) -> np.ndarray | None:
        """What of the result came from the network, `(slice, 64, 64)` in its units.

        0 in slices that are not there yet; None of a ratio, and of a result that the scene brought along.
        """
        parts = self._known.added
        if not parts:
            return None
        nothing = np.zeros_like(next(iter(parts.values())))
        return np.stack([parts.get(index, nothing) for index in range(self._slices)])

    def new_result(self, request, label, grid) -> None:
        """Slices of a request are about to be shown; what is known of another one goes away."""
        if request is self._known.request:
            return
        last = self._known.checked
        kept = last if last is not None and last.request.checked == request.checked else None
        self._known, self._slices = _Known(request, checked=kept), grid.slices
        self.sentence, self.progress = "", (0, grid.slices)
        if self._volume is not None and self._volume.exists:
            self._volume.write(request, label, grid, [], np.zeros((0, *grid.size[1::-1]), np.float32))

    def add_slices(self, message) -> None:
        """Take up what the network added to some slices (a `SlicesDone`)."""
        if message.added is not None:
            self._known.added.update(zip(message.indices, message.added, strict=True))

    def begin(self, message) -> None:
        """The result is complete (a `Finished`); its uncertainty is looked for."""
        self._known.measured_energy = message.measured_energy
        self._known_of_complete = self._known
        self.estimating = True

    def add_checks(self, message) -> None:
        """Take up what the maps' own measured k-space says (a `Checked`)."""
        self._known.checked = message

    def write(self, message, map_node, label, grid) -> None:
        """Take up the uncertainty of some slices (a `CertaintyDone`)."""
        if self._volume is None or not self._volume.exists or self._volume.map_node is not map_node:
            existing = uncertainty_of(map_node)
            self._volume = (
                UncertaintyVolume.create(map_node) if existing is None else UncertaintyVolume(existing, map_node)
            )
        self._volume.write(message.request, label, grid, message.indices, message.widths)
        self._volume.node.SetAttribute(_FACTOR, f"{message.factor_95:g}")
        self._known.factor_95 = message.factor_95
        self.progress = (len(self._volume.slices_done), grid.slices)

    def finished(self, sentence: str) -> None:
        """All is known, or `sentence` says why not."""
        self.estimating, self.sentence = False, sentence

    def stopped(self) -> None:
        """It was given up."""
        self.estimating = False

    def abandon(self, result: ResultVolume | None) -> None:
        """Return to what is known of the last complete result, or forget if there is none."""
        self._known, self.estimating, self.sentence = self._known_of_complete, False, ""
        if self._volume is None:
            return
        kept = result is not None and self._volume.abandon()
        if not kept or self._volume.complete_request is not result.complete_request:
            self._drop_volume()

    def adopt(self, result: ResultVolume | None) -> None:
        """Go on with a result that the scene has, and its uncertainty, if that is there, too."""
        self.forget()
        node = uncertainty_of(result.map_node) if result is not None else None
        if node is not None:
            volume = UncertaintyVolume(node, result.map_node)
            if volume.is_complete and volume.label == result.label:
                self._volume = volume
                factor = node.GetAttribute(_FACTOR)
                self._known.factor_95 = float(factor) if factor else None

    def forget(self) -> None:
        """Drop all references, and leave all volumes as they are."""
        self.__init__()

    def _drop_volume(self) -> None:
        if self._volume.exists:
            self._volume.remove()
        self._volume = None
