"""What is done to training examples beside augmentation."""

from dataclasses import dataclass, field, fields

from inference_core.errors import InputError

#: Kinds of point spreads; see `inference_core.research.data.point_spread`.
POINT_SPREADS = ("gaussian", "hamming", "elliptical", "regularised", "interpolated")


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise InputError(f"Setting {name} is {share}: it is a share, from 0 to 1.")


def _check_range(name: str, bounds: tuple[float, float], lowest: str = "at least 0") -> None:
    low, high = bounds
    if not 0 <= low <= high or (lowest == "above 0" and high > 0 and not low > 0):
        raise InputError(f"Setting {name} is {low:g} to {high:g}: it is a range, from {lowest} upwards.")


@dataclass(frozen=True)
class PointSpreadOptions:
    """The point spreads that both maps of an example, as acquired and true, are seen through.

    Attributes:
        share: of examples that have one, 0 to 1.
        width: range of the full width at half maximum, in voxels of the 64 x 64 grid; drawn evenly on a logarithmic
            scale, so that half of 0.4 to 6 voxels are below 1.55. Of an anisotropic one, the geometric mean of its two
            widths.
        kinds: any of `POINT_SPREADS`, all alike often.
    """

    share: float = 0.0
    width: tuple[float, float] = (0.4, 6.0)
    kinds: tuple[str, ...] = POINT_SPREADS

    def __post_init__(self):
        """Refuse what can't be drawn from."""
        _check_share("point_spread.share", self.share)
        if not 0 < self.width[0] <= self.width[1]:
            raise InputError(
                f"Setting point_spread.width is {self.width[0]:g} to {self.width[1]:g}: it is a range, from above 0 "
                "upwards."
            )
        for kind in self.kinds or ("",):
            if kind not in POINT_SPREADS:
                raise InputError(
                    f"Setting point_spread.kinds holds '{kind}': it lists one or more of {', '.join(POINT_SPREADS)}."
                )


@dataclass(frozen=True)
class MriOptions:
    """How far T1 and FLAIR are from ideal; see `inference_core.research.data.mri_appearance`.

    Attributes:
        changed: share of examples, 0 to 1, that are changed at all. The other shares are of T1, or FLAIR, of these.
        intensity: a random increasing intensity curve.
        fluid: bright fluid in FLAIR, as in T2-weighted images.
        bias: a bias field.
        blur: a wide point spread along one axis in the plane.
        thick: thick slices.
        ghost: a ghost of motion.
        noise: noise.
        strip: a skull strip that is too tight or too loose.
        displaced: a displacement against the map.
        cut: a field of view that cuts into the brain.
    """

    changed: float = 0.0
    intensity: float = 0.4
    fluid: float = 0.1
    bias: float = 0.5
    blur: float = 0.3
    thick: float = 0.4
    ghost: float = 0.15
    noise: float = 0.4
    strip: float = 0.3
    displaced: float = 0.4
    cut: float = 0.08

    def __post_init__(self):
        """Refuse what can't be drawn from."""
        for own in fields(self):
            _check_share(f"mri.{own.name}", getattr(self, own.name))


@dataclass(frozen=True)
class BatchOptions:
    """Options of training batches; the defaults do nothing.

    Attributes:
        redrawn: share of examples, 0 to 1, whose maps are drawn anew on their MRI (domain randomisation).
        noise: range of the standard deviation of noise in a low-resolution voxel, whatever n, as a share of the map's
            mean; drawn evenly on a logarithmic scale. 0 for none.
        baseline: range of the mean of a smooth pedestal below both maps of an example, as a share of the map's mean;
            drawn evenly. 0 for none.
        varied_masks: whether acquired maps are also masked more widely or narrowly than the brain; see
            `inference_core.research.data.acquired_masks`.
        point_spread: of the maps.
        mri: how T1 and FLAIR look.
    """

    redrawn: float = 0.0
    noise: tuple[float, float] = (0.0, 0.0)
    baseline: tuple[float, float] = (0.0, 0.0)
    varied_masks: bool = False
    point_spread: PointSpreadOptions = field(default_factory=PointSpreadOptions)
    mri: MriOptions = field(default_factory=MriOptions)

    def __post_init__(self):
        """Refuse what can't be drawn from."""
        _check_share("redrawn", self.redrawn)
        _check_range("noise", self.noise, "above 0")
        _check_range("baseline", self.baseline)
