"""Super-resolution of MR spectroscopic imaging maps, without Slicer: what everything else builds on."""

from inference_core.errors import InputError, InputWarning
from inference_core.terms.conditions import METABOLITES

__version__ = "0.1.0"
__all__ = ["METABOLITES", "InputError", "InputWarning", "SuperResolver", "__version__", "read_image"]


def __getattr__(name):
    # These bring torch and SimpleITK with them, which `--help` must not wait for.
    if name == "SuperResolver":
        from inference_core.inference.super_resolver import SuperResolver

        return SuperResolver
    if name == "read_image":
        from inference_core.imaging.reading import read_image

        return read_image
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
