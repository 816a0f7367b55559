"""The folded pass in kernels of our own for CPUs, compiled on the user's machine."""

from inference_core.engine.native.compiler import NativeUnavailableError
from inference_core.engine.native.runner import NativePass

__all__ = ["NativePass", "NativeUnavailableError"]
