"""Checks whether PyTorch is installed, and installs it after asking: Slicer does not bundle it."""

import importlib
import importlib.metadata
import importlib.util

import slicer
from slicer.i18n import tr as _

from inference_core.errors import InputError

#: The oldest PyTorch that is known to run the network.
TORCH_REQUIREMENT = ">=2.2"
_NEEDED = ("torch", "safetensors")
#: Packages that Slicer ships and other modules rely on; an installation must leave them as they are.
_SHIPPED = ("numpy", "SimpleITK", "requests")


def missing_packages() -> list[str]:
    """Which of the packages that super-resolution needs can't be found; without importing them."""
    return [name for name in _NEEDED if importlib.util.find_spec(name) is None]


def install_missing() -> None:
    """Install what is missing, after asking the user. Returns once it can be imported.

    PyTorch goes through the PyTorch extension, which chooses the build for this computer; safetensors, a small
    package without dependencies, through Slicer's pip.

    Raises:
        InputError: if the PyTorch extension is missing, the user declines, or the installation fails; one sentence
            on what to do.
    """
    missing = missing_packages()
    shipped = _versions()
    if "torch" in missing:
        _install_torch()
    if "safetensors" in missing:
        question = _("MRSISuperRes reads its weights with the small Python package safetensors. Install it now?")
        if "torch" not in missing and not slicer.util.confirmOkCancelDisplay(question):
            raise InputError(_("safetensors was not installed: press Install again when you want to super-resolve."))
        _install_safetensors()
    importlib.invalidate_caches()
    if left := missing_packages():
        raise InputError(
            _("{names} still can't be found after the installation: restart Slicer, then try again.").format(
                names=_(" and ").join(left)
            )
        )
    if changed := [name for name, version in _versions().items() if version != shipped[name]]:
        raise InputError(
            _(
                "The installation changed {names}, which Slicer ships: super-resolution may work, but if other modules "
                "misbehave, install Slicer again."
            ).format(names=", ".join(changed))
        )


def _versions() -> dict[str, str]:
    versions = {}
    for name in _SHIPPED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = ""
    return versions


def _install_torch() -> None:
    try:
        import PyTorchUtils
    except ImportError:
        raise InputError(
            _(
                "PyTorch is installed by Slicer's extension PyTorch, which is missing: install it from the Extensions "
                "Manager, restart Slicer, and press Install again."
            )
        ) from None
    try:
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=True, torchVersionRequirement=TORCH_REQUIREMENT
        )
    except Exception as error:
        raise InputError(
            _(
                "PyTorch could not be installed ({reason}): check the internet connection and the free space on disk, "
                "then press Install again, or install it in the PyTorch Utils module."
            ).format(reason=_first_line(error))
        ) from error
    if torch is None:
        raise InputError(
            _(
                "PyTorch was not installed: press Install again when you want to super-resolve; everything else works "
                "without it."
            )
        )


def _install_safetensors() -> None:
    try:
        slicer.util.pip_install("--no-deps safetensors")
    except Exception as error:
        raise InputError(
            _("safetensors could not be installed ({reason}): check the internet connection, then try again.").format(
                reason=_first_line(error)
            )
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def check_packages() -> None:
    """Refuse to go on without what super-resolution needs.

    Raises:
        InputError: if a package is missing.
    """
    if missing := missing_packages():
        raise InputError(
            f"Super-resolution needs {' and '.join(missing)}, which this Slicer lacks: press Install in the "
            "MRSISuperRes module, or call MRSISuperResLogic().installPackages()."
        )
