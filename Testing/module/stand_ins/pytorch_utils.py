"""The PyTorch extension's `PyTorchUtils` module, in each state a user may meet it in. It never installs anything."""

# ruff: noqa: N802, N803

import enum
import types
from dataclasses import dataclass, field


class TorchState(enum.Enum):
    """What a test wants a user to meet."""

    INSTALLED = "installed"
    #: Not there; the user agrees to install it.
    ABSENT = "absent"
    #: Not there, and the user won't have it.
    DECLINED = "declined"
    #: Not there, and it can't be fetched.
    OFFLINE = "offline"
    #: Not there, and neither is the PyTorch extension.
    NO_EXTENSION = "extension absent"


class InstallError(RuntimeError):
    """The install failed, as it does without a network."""


@dataclass
class PyTorchWorld:
    """The state, and what the module asked to install. After an agreed install, `state` is INSTALLED."""

    state: TorchState = TorchState.INSTALLED
    installs: list[dict] = field(default_factory=list)

    @property
    def torch_can_be_imported(self) -> bool:
        return self.state is TorchState.INSTALLED

    def reset(self) -> None:
        self.state = TorchState.INSTALLED
        self.installs.clear()


world = PyTorchWorld()


class PyTorchUtilsLogic:
    """The part of the extension's logic that modules use."""

    def torchInstalled(self) -> bool:
        return world.torch_can_be_imported

    @property
    def torch(self):
        if not world.torch_can_be_imported:
            self.installTorch(askConfirmation=True)
        return self._torch()

    @staticmethod
    def _torch():
        if not world.torch_can_be_imported:
            return None
        import torch

        return torch

    def installTorch(
        self,
        askConfirmation=False,
        forceComputationBackend=None,
        torchVersionRequirement=None,
        torchvisionVersionRequirement=None,
    ):
        """Pretend to install. Returns torch, or None where the user declined. Raises InstallError offline."""
        world.installs.append(
            {
                "askConfirmation": askConfirmation,
                "forceComputationBackend": forceComputationBackend,
                "torchVersionRequirement": torchVersionRequirement,
                "torchvisionVersionRequirement": torchvisionVersionRequirement,
            }
        )
        if world.state is TorchState.DECLINED and askConfirmation:
            return None
        if world.state is TorchState.OFFLINE:
            raise InstallError("No matching distribution found for torch")
        world.state = TorchState.INSTALLED
        return self._torch()

    def getDevice(self):
        """The device that torch would choose, or None without torch."""
        torch = self._torch()
        return None if torch is None else torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @staticmethod
    def getPyTorchHubModel(*_):
        raise OSError("The tests have no network.")


def make_pytorch_utils() -> types.ModuleType:
    module = types.ModuleType("PyTorchUtils", "A stand-in for the PyTorch extension's module.")
    module.PyTorchUtilsLogic, module.InstallError = PyTorchUtilsLogic, InstallError
    return module
