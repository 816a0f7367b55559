"""Weights on disk: safetensors with a header that says what they are. Never pickles, which can run code."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from inference_core.errors import InputError
from inference_core.files.atomic import write_file
from inference_core.networks import NETWORKS, create_network

#: The header's one entry, JSON with the network's name and what else is known of the weights. One entry, because
#: safetensors writes several in random order, and the same training must give the same file.
HEADER_ENTRY = "mrsi-superres"
#: The network that the default weights are for.
DEFAULT_ARCHITECTURE = "multi-conditional"
#: The weights that come with the package; their model card lies beside them, with the extension .json.
DEFAULT_WEIGHTS = Path(__file__).parents[1] / "weights" / f"{DEFAULT_ARCHITECTURE}.safetensors"


@dataclass(frozen=True)
class WeightsInfo:
    """Where weights came from.

    Attributes:
        path: the file.
        sha256: of the file, in hexadecimal digits.
        architecture: one of `inference_core.networks.NETWORKS`.
        metadata: the rest of the header, as it was saved.
    """

    path: Path
    sha256: str
    architecture: str
    metadata: Mapping[str, str]


def save_weights(path: str | Path, network: nn.Module, metadata: Mapping[str, str] | None = None) -> None:
    """Write a network's weights in half precision; `path` is replaced only once the new file is complete.

    Args:
        path: of the file to write.
        network: of `metadata["architecture"]`, by default a multi-conditional one.
        metadata: for the header; "architecture" is added if it is missing.

    Raises:
        InputError: if the file can't be written.
        ValueError: if a weight is not finite in half precision.
    """
    header = pack_header({"architecture": DEFAULT_ARCHITECTURE, **(metadata or {})})
    tensors = {}
    for name, tensor in network.state_dict().items():
        half = tensor.detach().cpu().to(torch.float16 if tensor.is_floating_point() else tensor.dtype).contiguous()
        if not torch.isfinite(half).all():
            raise ValueError(f"weight '{name}' is not finite in half precision")
        tensors[name] = half
    write_file(path, save(tensors, metadata=header))


def pack_header(metadata: Mapping[str, str]) -> dict[str, str]:
    """The header of a file of weights, as safetensors takes it."""
    return {HEADER_ENTRY: json.dumps(dict(metadata), sort_keys=True)}


def _refusal(path: Path, what: str) -> InputError:
    return InputError(
        f"The weights '{path}' {what}: choose a .safetensors file that MRSISuperRes's training wrote, or the default."
    )


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Header metadata and tensors of a safetensors file."""
    if not path.is_file():
        raise InputError(f"The weights '{path}' do not exist: check the path, or leave it out to use the default.")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = (file.metadata() or {}).get(HEADER_ENTRY)
            if header is None:
                # Before the tensors are read: a foreign file may be of any size.
                raise _refusal(path, "are of another program")
            return json.loads(header), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise _refusal(path, "are corrupt or no safetensors file") from error


def is_own_weights(path: Path) -> bool:
    """Whether a file's header says that this package wrote it."""
    try:
        with safe_open(str(path), framework="pt") as file:
            return HEADER_ENTRY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def load_weights(path: str | Path | None = None) -> tuple[nn.Module, WeightsInfo]:
    """Make the network that weights are for and load them, in single precision, on the CPU.

    Args:
        path: a file of `save_weights`, or None for the default weights.

    Returns:
        The network, in evaluation mode, and where its weights came from.

    Raises:
        InputError: if the file is missing, corrupt, of another program, or does not fit its network.
    """
    path = DEFAULT_WEIGHTS if path is None else Path(path)
    header, tensors = _read(path)
    architecture = header.get("architecture")
    if architecture not in NETWORKS:
        raise _refusal(path, f"are for an unknown network ({architecture})")
    network = create_network(architecture)
    expected = {name: (tensor.shape, tensor.is_floating_point()) for name, tensor in network.state_dict().items()}
    if {name: (tensor.shape, tensor.is_floating_point()) for name, tensor in tensors.items()} != expected:
        raise _refusal(path, f"do not fit the {architecture} network")
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise _refusal(path, "hold values that are not finite")
    network.load_state_dict(tensors)
    info = WeightsInfo(
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        architecture=architecture,
        metadata={key: value for key, value in header.items() if key != "architecture"},
    )
    return network.eval(), info
