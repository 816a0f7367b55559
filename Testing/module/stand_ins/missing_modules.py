"""Imports that fail for the module under test as they would in Slicer, while the tests themselves keep them.

Only code under the given folders is affected, so pytest and the stand-ins import what they like.
"""

import builtins
import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

#: Not bundled with Slicer, by their import names.
NOT_IN_SLICER = {
    "hypothesis",
    "lightning",
    "lpips",
    "matplotlib",
    "nibabel",
    "nilearn",
    "pandas",
    "PySide6",
    "pytest",
    "pytorch_msssim",
    "shiboken6",
    "skimage",
    "sklearn",
    "tensorboard",
    "torchvision",
    "tqdm",
}


@contextlib.contextmanager
def blocked(folders: list[Path], is_blocked: Callable[[str], bool]) -> Iterator[None]:
    """Within it, code under `folders` can't import a top-level name for which `is_blocked` is true.

    Holds for `import`, `importlib.import_module` and `importlib.util.find_spec`.
    """
    roots = tuple(str(Path(folder).resolve()) + os.sep for folder in folders)
    plain_import, plain_import_module = builtins.__import__, importlib.import_module
    plain_find_spec = importlib.util.find_spec

    def refuse(name: str, file: str | None) -> bool:
        top = name.partition(".")[0]
        return file is not None and str(file).startswith(roots) and is_blocked(top)

    def error(name: str) -> ModuleNotFoundError:
        return ModuleNotFoundError(f"No module named {name!r}", name=name)

    def guarded_import(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 and refuse(name, (globals or {}).get("__file__")):
            raise error(name)
        return plain_import(name, globals, locals, fromlist, level)

    def caller() -> str | None:
        return sys._getframe(2).f_globals.get("__file__")

    def guarded_import_module(name, package=None):
        if refuse(name, caller()):
            raise error(name)
        return plain_import_module(name, package)

    def guarded_find_spec(name, package=None):
        return None if refuse(name, caller()) else plain_find_spec(name, package)

    builtins.__import__, importlib.import_module = guarded_import, guarded_import_module
    importlib.util.find_spec = guarded_find_spec
    try:
        yield
    finally:
        builtins.__import__, importlib.import_module = plain_import, plain_import_module
        importlib.util.find_spec = plain_find_spec
