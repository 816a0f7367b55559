"""The precision to compute in where the user does not say: half of single where that changes next to nothing."""

from collections.abc import Callable

import torch
from torch import Tensor

#: The largest difference to single precision, as a share of a map's range, that half precision may make.
TOLERANCE = 1e-3
#: n, metabolite and lambda that are looked at.
_CONDITIONS = ((12, 3, 0.0), (20, 0, 0.03), (32, 6, 0.1))


def _images(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """A map, T1 and FLAIR of structures of all sizes, always the same."""
    generator = torch.Generator().manual_seed(n)
    low = torch.rand((1, 1, n, n), generator=generator) / 2
    return low, *(torch.rand((1, 1, 192, 192, 3), generator=generator) for _ in range(2))


@torch.inference_mode()
def largest_difference(one: Callable[..., Tensor], other: Callable[..., Tensor], device: str) -> float:
    """How far apart two engines' maps are, at most, as a share of the second's range; not finite if one's are not."""
    shares = []
    for n, metabolite, sharpness in _CONDITIONS:
        images = [image.to(device) for image in _images(n)]
        maps = [engine(*images, n, metabolite, sharpness).float() for engine in (one, other)]
        shares.append((maps[0] - maps[1]).abs().max() / (maps[1].max() - maps[1].min()))
    # Unlike Python's, this maximum does not lose what is not a number.
    return torch.stack(shares).max().item()


def choose_precision(make_engine: Callable[[str], Callable[..., Tensor]], device: str) -> str:
    """The name "float16" on a CUDA GPU if its maps differ by less than `TOLERANCE` from single precision's.

    Everywhere else, and otherwise, it is "float32".

    Args:
        make_engine: from a precision to an engine for the network in question.
        device: as torch names it.
    """
    if not device.startswith("cuda"):
        return "float32"
    difference = largest_difference(make_engine("float16"), make_engine("float32"), device)
    return "float16" if difference < TOLERANCE else "float32"
