"""The modules that a Slicer module imports, put where it will find them; once per process."""

import atexit
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
import types
from pathlib import Path

#: What Qt needs of the system.
DEBIAN_PACKAGES = (
    "libgl1 libegl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libfreetype6 libxkbcommon0 libx11-6 fonts-dejavu-core"
)
#: Names a folder with Slicer's own `slicer/ScriptedLoadableModule.py`, `parameterNodeWrapper` and `i18n.py`.
SLICER_PYTHON = "SLICER_PYTHON"
#: Removed when the process ends.
_TEMPORARY = tempfile.TemporaryDirectory(prefix="slicer-stand-in-")
_FROM_SLICER = ("i18n", "parameterNodeWrapper", "ScriptedLoadableModule")


class Modules:
    """`slicer.modules`."""


def check_system_libraries() -> None:
    """RuntimeError that names the packages to install, if Qt can't be loaded here."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    try:
        importlib.import_module("PySide6.QtWidgets")
        importlib.import_module("PySide6.QtTest")
        importlib.import_module("PySide6.QtUiTools")
    except ImportError as error:
        if "PySide6" in str(error) and "No module named" in str(error):
            raise
        raise RuntimeError(
            f"Qt can't be loaded: {error}. On Debian: apt-get install --no-install-recommends {DEBIAN_PACKAGES}"
        ) from error


def install_environment():
    """Make `qt`, `ctk`, and the rest of `slicer` importable. Returns the application object."""
    check_system_libraries()
    import slicer
    import slicer.util

    from . import modules, qmrml_widgets
    from .application import qSlicerApplication
    from .ctk_module import make_ctk
    from .qt_module import make_qt

    sys.modules["qt"], sys.modules["ctk"] = make_qt(), make_ctk()
    _undo_wheel_shortcuts(slicer)
    slicer.modules = Modules()
    for name, cls in (qmrml_widgets.USABLE | qmrml_widgets.NAMED_ONLY).items():
        setattr(slicer, name, cls)
    slicer.qSlicerScriptedLoadableModule = modules.qSlicerScriptedLoadableModule
    slicer.qSlicerScriptedLoadableModuleWidget = modules.qSlicerScriptedLoadableModuleWidget
    work_folder = Path(tempfile.mkdtemp(prefix="slicer-stand-in-"))
    atexit.register(shutil.rmtree, work_folder, ignore_errors=True)
    slicer.app = qSlicerApplication(work_folder)
    _install_slicer_python(slicer)
    return slicer.app


def _undo_wheel_shortcuts(slicer) -> None:
    """slicer-core copies `slicer.util`'s names into `slicer`; in Slicer, `slicer.getNode` fails."""
    for name, value in vars(slicer.util).items():
        if not name.startswith("_") and vars(slicer).get(name) is value and name != "util":
            delattr(slicer, name)


def uses_slicers_own() -> bool:
    """Whether Slicer's own Python files are used in place of their stand-ins."""
    return bool(os.environ.get(SLICER_PYTHON))


def _install_slicer_python(slicer) -> None:
    for name in _FROM_SLICER:
        full_name = f"slicer.{name}"
        if uses_slicers_own():
            module = _load_file(full_name, Path(os.environ[SLICER_PYTHON]) / "slicer" / name)
        else:
            stand_in = {"parameterNodeWrapper": "parameter_node_wrapper", "ScriptedLoadableModule": "scripted_module"}
            module = importlib.import_module(f".{stand_in.get(name, name)}", __package__)
            sys.modules[full_name] = module
        setattr(slicer, name, module)


def _load_file(full_name: str, path: Path) -> types.ModuleType:
    folders = None
    if path.is_dir():
        folders = [str(path)]
        path = path / "__init__"
    file = path.with_suffix(".py")
    if not file.is_file():
        raise FileNotFoundError(f"{SLICER_PYTHON} names a folder without {file}.")
    spec = importlib.util.spec_from_file_location(full_name, file, submodule_search_locations=folders)
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module
    spec.loader.exec_module(module)
    return module
