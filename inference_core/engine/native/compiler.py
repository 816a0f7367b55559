"""Compiles the kernels once for this machine's CPU, and loads them.

A C++ compiler is needed: the one of the extra `native` (`pip install ziglang`), or GCC or Clang.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from inference_core.errors import InputError
from inference_core.files.atomic import atomic_path

_FOLDER = Path(__file__).parent
_SOURCE = _FOLDER / "kernels.cpp"
_FLAGS = ("-O3", "-std=c++17", "-shared", "-fno-math-errno", "-ffp-contract=fast")
#: Seconds after which a compiler is given up.
_COMPILER_TIMEOUT_S = 300


class NativeUnavailableError(InputError):
    """The native kernels can't be used here; the message says why, and what to do about it."""


def compiler_command() -> list[str] | None:
    """What compiles C++ for this CPU: the user's own choice, the one from `ziglang`, or what the system has."""
    if chosen := os.environ.get("CXX"):
        return [*chosen.split(), "-march=native"]
    if package := find_spec("ziglang"):
        # Not by way of the interpreter, which is Slicer itself within Slicer.
        zig = Path(package.submodule_search_locations[0]) / ("zig.exe" if sys.platform == "win32" else "zig")
        return [str(zig), "c++", "-mcpu=native"]
    for name in ("c++", "g++", "clang++"):
        if found := shutil.which(name):
            return [found, "-march=native"]
    return None


def cache_folder() -> Path:
    """Where compiled kernels are kept: MRSI_SUPERRES_CACHE, or the system's place for what can be made again."""
    if chosen := os.environ.get("MRSI_SUPERRES_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mrsi-superres"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "mrsi-superres"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mrsi-superres"


def _processor() -> str:
    """What tells CPUs apart for which other instructions would be compiled."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def _library_path(command: list[str], compiler: Path) -> Path:
    # Another version of the compiler is another file.
    version = compiler.resolve().stat()
    parts = [_processor(), platform.platform(), *command, *_FLAGS, str(version.st_size), str(version.st_mtime_ns)]
    digest = hashlib.sha256("\n".join(parts).encode())
    for source in sorted(_FOLDER.glob("*.cpp")) + sorted(_FOLDER.glob("*.h")):
        digest.update(source.read_bytes())
    return cache_folder() / f"kernels-{digest.hexdigest()[:16]}.{'dll' if sys.platform == 'win32' else 'so'}"


def _compile(command: list[str], path: Path) -> None:
    position = [] if sys.platform == "win32" else ["-fPIC", "-pthread"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            # The compiler's own words for a folder that it can't write to would be blamed on the source.
            temporary.touch()
            arguments = [*command, *_FLAGS, *position, str(_SOURCE), "-o", str(temporary)]
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=_COMPILER_TIMEOUT_S, check=False)
            if done.returncode:
                first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip()[:200])
                raise NativeUnavailableError(
                    f"The compiler {command[0]} failed ({first}): install ziglang, or use pytorch."
                )
    except NativeUnavailableError:
        raise
    except (OSError, InputError) as error:
        raise NativeUnavailableError(
            f"The kernels can't be compiled into '{path.parent}' ({error}): set MRSI_SUPERRES_CACHE to a folder that "
            "can be written, or use pytorch."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise NativeUnavailableError(f"The compiler {command[0]} took too long: use pytorch.") from error


@cache
def load_kernels() -> ctypes.CDLL:
    """The compiled kernels; compiles them where they are not in the cache yet, which takes some seconds.

    Raises:
        NativeUnavailableError: if there is no compiler, or it fails, or its result can't be kept or loaded.
    """
    command = compiler_command()
    if command is None:
        raise NativeUnavailableError("There is no C++ compiler: install one (pip install ziglang), or use pytorch.")
    compiler = shutil.which(command[0])
    if compiler is None:
        raise NativeUnavailableError(
            f"The C++ compiler '{command[0]}', named by CXX, is not there: name another one, or use pytorch."
        )
    path = _library_path(command, Path(compiler))
    if not path.exists():
        _compile(command, path)
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeUnavailableError(
            f"The kernels '{path}' can't be loaded ({error}): delete the file to compile them anew."
        ) from error
    for name in ("engine_create", "filters_create"):
        getattr(library, name).restype = ctypes.c_void_p
    return library
