"""What the computing thread is asked for, and what it answers."""

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from inference_core.imaging.geometry import SuperResolvedGrid
from inference_core.terms.detail import DEFAULT_CONSISTENCY, DEFAULT_DETAIL
from inference_core.terms.quantity import Quantity
from MRSISuperResLib.scene.normal_tissue import NormalTissue
from MRSISuperResLib.scene.parameters import CONSISTENCY_NAMES, DETAIL_NAMES
from MRSISuperResLib.scene.volumes import PatientImages


@dataclass(frozen=True)
class Model:
    """Which network, where it computes, and what becomes of its detail and of the measured data.

    Attributes:
        weights: a file, "" for the default.
        device: or "automatic".
        detail, consistency: as of `inference_core.terms.detail`.
    """

    weights: str = ""
    device: str = "automatic"
    detail: str = DEFAULT_DETAIL
    consistency: str = DEFAULT_CONSISTENCY

    @classmethod
    def of(cls, parameters) -> "Model":
        """The one that an `MRSISuperResParameterNode` says."""
        detail, consistency = (
            next(name for name, shown in names.items() if shown == chosen)
            for names, chosen in (
                (DETAIL_NAMES, parameters.detail),
                (CONSISTENCY_NAMES, parameters.consistency),
            )
        )
        return cls(parameters.weights, parameters.device, detail, consistency)


@dataclass(eq=False)
class Request:
    """One super-resolution: of what, how, and what to begin with.

    Attributes:
        images: the patient's images, by metabolite: as many as the quantity has.
        quantity: a metabolite, or a ratio of some.
        sharpness: lambda.
        model: the network.
        shown: index of the slice that the user looks at; may be changed while the request is worked on.
        certainty: whether to find out how certain the result is, once it is there.
        tissue: what a ratio is compared with, if that is in segments.
        number: greater than those of earlier requests.
        cancelled: set to give up.
    """

    images: Mapping[str, PatientImages]
    quantity: Quantity
    sharpness: float
    model: Model
    shown: int = 0
    certainty: bool = False
    tissue: NormalTissue | None = None
    number: int = field(default_factory=itertools.count(1).__next__)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def key(self) -> tuple:
        """Equal for equal images and tissue."""
        own = tuple(images.key for images in self.images.values())
        return own if self.tissue is None else (*own, self.tissue.key)

    @property
    def checked(self) -> tuple:
        """Equal for requests that differ in lambda at most."""
        return self.key, self.quantity.name, self.model

    @property
    def matched(self) -> tuple:
        """Equal for requests whose detail is matched to the same maps."""
        return tuple(images.key for images in self.images.values()), self.quantity.metabolites, self.model


@dataclass(frozen=True)
class Prepared:
    """The images are on the network's grids."""

    request: Request
    grid: SuperResolvedGrid
    n: int
    notices: tuple[str, ...]
    device: str
    weights: str


@dataclass(frozen=True)
class Matching:
    """The detail is being matched to the data, which comes before the first slice: passes done, and of all."""

    request: Request
    done: int
    total: int


@dataclass(frozen=True)
class Checked:
    """What a result's own measured k-space says of it.

    Attributes:
        checks: an `inference_core.inference.self_check.SelfCheck`, or `NoSelfCheck`, of each map that it was made of.
        movements: how far each of these maps' measured k-space was moved, an
            `inference_core.inference.noise_consistency.Movement` by metabolite; empty if that failed.
        details: a traceback, if it failed and was not foreseen.
    """

    request: Request
    checks: tuple
    movements: Mapping[str, object]
    details: str = ""


@dataclass(frozen=True)
class SlicesDone:
    """Some slices are super-resolved: `values[i]`, `(64, 64)`, is slice `indices[i]`.

    Attributes:
        added: what of `values` came from the network and not from the measurement; None for a ratio.
        taken: to be set by the main thread once it has drawn the slices.
    """

    request: Request
    indices: tuple[int, ...]
    values: np.ndarray
    added: np.ndarray | None = None
    taken: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Finished:
    """All slices are done, or (`complete` false) a newer request or the user ended this one early.

    Attributes:
        measured_energy: the share of the result's energy that lies in the measured k-space, 0 to 1; None for a ratio.
    """

    request: Request
    complete: bool
    measured_energy: float | None = None


@dataclass(frozen=True)
class CertaintyDone:
    """How certain some slices are: `widths[i]`, `(64, 64)`, are half-widths of 68 % intervals in slice `indices[i]`.

    Attributes:
        values: the slices again: of a ratio, only now is known where its denominator may as well be zero.
        factor_95: half-width of the 95 % interval in those of the 68 % interval.
    """

    request: Request
    indices: tuple[int, ...]
    widths: np.ndarray
    values: np.ndarray
    factor_95: float


@dataclass(frozen=True)
class CertaintyFinished:
    """How certain all slices are is known, or (`complete` false) will not be: why, unless it is the user's doing."""

    request: Request
    complete: bool
    sentence: str = ""
    details: str = ""


@dataclass(frozen=True)
class Failed:
    """The request can't be fulfilled: one sentence for the user, and a traceback if it was not foreseen."""

    request: Request
    sentence: str
    details: str = ""


@dataclass(frozen=True)
class Whole:
    """A result of all slices.

    Attributes:
        result: an `inference_core.inference.quantity_source.QuantityResult`.
        notices: what the user should know.
        resolver: what made it.
    """

    result: object
    notices: tuple[str, ...]
    resolver: object
