"""Where to compute, and why there."""

from inference_core.errors import InputError


def choose_device(name: str | None = None) -> tuple[str, str]:
    """The device's name for torch, and a sentence for the user on why it was chosen.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps", or None for the fastest there is.

    Raises:
        InputError: for a device that is unknown, or that this machine lacks.
    """
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name is None:
        if cuda:
            return "cuda", f"GPU: {torch.cuda.get_device_name()} was found"
        if mps:
            return "mps", "GPU: Apple's Metal was found"
        return "cpu", "CPU: no GPU that this PyTorch can use was found"
    kind, _, index = str(name).partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not index.isdigit()):
        raise InputError(f"Unknown device '{name}': choose cpu, cuda or mps.")
    missing = {"cpu": False, "cuda": not cuda or int(index or 0) >= torch.cuda.device_count(), "mps": not mps}[kind]
    if missing:
        raise InputError(f"Device '{name}' is not available to PyTorch on this machine: choose cpu, or none at all.")
    return str(name), f"{kind.upper()}: chosen by the user"
