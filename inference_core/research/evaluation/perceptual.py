"""LPIPS, how different two images look (Zhang et al., CVPR 2018): the paper's measure of sharpness."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from inference_core.errors import InputError

#: Modules of AlexNet's features that each part of lpips's trunk holds, by their first one.
_PARTS = {
    "slice1": range(2),
    "slice2": range(2, 5),
    "slice3": range(5, 8),
    "slice4": range(8, 10),
    "slice5": range(10, 12),
}
#: Side that images are enlarged to: AlexNet's first layers leave next to nothing of 64 voxels.
_SIDE = 192

#: Gives the LPIPS of a map and the truth, `(64, 64)` each in the same units.
Lpips = Callable[[np.ndarray, np.ndarray], float]


def load_lpips(trunk: Path | None = None) -> Lpips:
    """LPIPS with AlexNet as its trunk.

    Args:
        trunk: torchvision's weights of AlexNet (`alexnet-owt-7be5be79.pth`, a state dict); downloaded by torchvision if
            None.

    Raises:
        InputError: if a package is missing, does not go with this PyTorch, or the weights can't be had.
    """
    try:
        import lpips
    except ImportError as error:
        raise InputError(
            f"LPIPS needs the packages lpips and torchvision ({error}): install them with `pip install lpips`."
        ) from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        raise InputError(
            "LPIPS needs a torchvision that was built for this PyTorch: the one installed is for another build, such "
            "as CUDA beside a CPU PyTorch. Install torch and torchvision from the same index."
        ) from error
    if trunk is None:
        try:
            network = lpips.LPIPS(net="alex", verbose=False)
        except OSError as error:
            raise InputError(
                f"LPIPS's pretrained AlexNet can't be downloaded ({error}): name a file with --lpips-trunk."
            ) from error
    else:
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
        _load_trunk(network.net, trunk)
    network.eval().requires_grad_(False)

    @torch.inference_mode()
    def measure(output: np.ndarray, truth: np.ndarray) -> float:
        # From the truth's range to [-1, 1], three channels alike.
        low, high = float(truth.min()), float(truth.max())
        images = torch.from_numpy(np.stack([output, truth]).astype(np.float32))[:, None]
        images = 2 * ((images - low) / max(high - low, 1e-12)).clamp(0, 1) - 1
        images = torch.nn.functional.interpolate(images, size=(_SIDE, _SIDE), mode="bicubic", align_corners=False)
        first, second = images.expand(-1, 3, -1, -1).split(1)
        return float(network(first, second))

    return measure


def _load_trunk(network: torch.nn.Module, path: Path) -> None:
    """Load AlexNet's weights under the names that lpips has for them."""
    if not path.is_file():
        raise InputError(f"There is no file '{path}' with AlexNet's weights: check the path.")
    names = {f"features.{index}.": f"{part}.{index}." for part, indices in _PARTS.items() for index in indices}
    try:
        # Only tensors: a pickle could run code.
        weights = torch.load(path, map_location="cpu", weights_only=True)
        own = {}
        for name, value in weights.items():
            place, dot, kind = name.rpartition(".")
            if place.startswith("features."):
                own[names[place + dot] + kind] = value
        network.load_state_dict(own)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"'{path}' does not hold AlexNet's weights as torchvision has them ({reason}): name such a file."
        ) from error
