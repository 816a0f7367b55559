"""What is done to training examples beside augmentation."""

from dataclasses import dataclass

from inference_core.errors import InputError


@dataclass(frozen=True)
class BatchOptions:
    """Options of training batches.

    Attributes:
        redrawn: share of examples, 0 to 1, whose maps are drawn anew on their MRI.
        point_spread: range of the full width at half maximum, in voxels of the 64 x 64 grid, of the Gaussian that both
            maps of an example are seen through; drawn evenly. 0 for none.
        noise: range of the standard deviation of noise in a low-resolution voxel, whatever n, as a share of the map's
            mean; drawn evenly on a logarithmic scale. 0 for none.
    """

    redrawn: float = 0.0
    point_spread: tuple[float, float] = (0.0, 0.0)
    noise: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self):
        """Refuse what can't be drawn from."""
        if not 0 <= self.redrawn <= 1:
            raise InputError(f"Setting redrawn is {self.redrawn}: it is a share, from 0 to 1.")
        for name in ("point_spread", "noise"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise InputError(f"Setting {name} is {low:g} to {high:g}: it is a range, from at least 0 upwards.")
        if self.noise[1] > 0 and not self.noise[0] > 0:
            raise InputError(
                f"Setting noise is {self.noise[0]:g} to {self.noise[1]:g}: it starts above 0, or ends at it."
            )
