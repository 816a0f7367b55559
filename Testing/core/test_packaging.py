"""The Slicer extension's packaging: what CMake installs is what is on disk, and what the catalogue asks for is there.

CMake itself runs here on the real CMakeLists.txt files, with Slicer replaced by macros that write down what they are
given. What this can't show: Slicer's own macros, the build against them, and the upload.
"""

import ast
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "MRSISuperRes"
NAME = "MRSISuperRes"
#: Each list: the file that holds it, the folder that its entries are relative to, and which files belong into it.
LISTS = {
    "CORE_SCRIPTS": (ROOT, "inference_core", lambda path: path.suffix == ".py"),
    "CORE_RESOURCES": (ROOT, "inference_core", lambda path: path.suffix != ".py"),
    "SAMPLE_RESOURCES": (ROOT, "Resources/SamplePatient", lambda path: True),
    "MODULE_PYTHON_SCRIPTS": (MODULE, ".", lambda path: path.suffix == ".py"),
    "MODULE_PYTHON_RESOURCES": (MODULE, ".", lambda path: path.suffix != ".py" and path.name != "CMakeLists.txt"),
}
#: What Slicer bundles and a module may import at file scope.
BUNDLED = {*sys.stdlib_module_names, "slicer", "vtk", "SimpleITK", "numpy", "qt", "ctk", "MRSISuperResLib"}
#: The keys of the catalogue's schema 1.0.1, and the type of each; the first three are required.
CATALOGUE_KEYS = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}


def on_disk(folder: Path, within: str, belongs) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in (folder / within).rglob("*")
        if path.is_file() and belongs(path) and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def listed(name: str) -> list[str]:
    """A list's entries, from the text alone."""
    file = LISTS[name][0] / "CMakeLists.txt"
    found = re.findall(rf"^set\({name}\s([^)]*)\)", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) == 1, f"{file} sets {name} {len(found)} times instead of once"
    return re.sub(r"#.*", "", found[0]).split()


@pytest.mark.parametrize("name", LISTS)
def test_each_list_is_what_is_on_disk(name):
    entries, disk, file = listed(name), on_disk(*LISTS[name]), LISTS[name][0].relative_to(ROOT) / "CMakeLists.txt"
    problems = [f"{entry} is on disk, but missing in {name} of {file}" for entry in sorted(disk - {*entries})]
    problems += [f"{entry} is in {name} of {file}, but not on disk" for entry in sorted({*entries} - disk)]
    problems += [f"{entry} is twice in {name} of {file}" for entry in sorted({*entries}) if entries.count(entry) > 1]
    assert not problems, "\n".join(problems)
    in_order = sorted(entries, key=lambda entry: (entry.count("/") if name.startswith("MODULE") else 0, entry))
    assert entries == in_order, f"{name} of {file} is not in alphabetical order"


def test_files_are_not_globbed():
    for file in (ROOT / "CMakeLists.txt", MODULE / "CMakeLists.txt"):
        assert not re.search(r"\bGLOB", file.read_text(encoding="utf-8"), re.IGNORECASE)


# What CMake really sees


#: Macros with the interface of Slicer's and CTK's, which write "what|..." lines into the file MANIFEST.
_MACROS = r"""
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/qt-scripted-modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR install/qt-scripted-modules)

function(note)
  list(JOIN ARGN "|" line)
  file(APPEND "${MANIFEST}" "${line}\n")
endfunction()

function(ctkMacroCompilePythonScript)
  set(single TARGET_NAME SOURCE_DIR DESTINATION_DIR INSTALL_DIR)
  cmake_parse_arguments(MY "NO_INSTALL_SUBDIR;GLOBAL_TARGET" "${single}" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(argument TARGET_NAME SCRIPTS DESTINATION_DIR INSTALL_DIR NO_INSTALL_SUBDIR)
    if(NOT MY_${argument})
      message(FATAL_ERROR "${argument} is missing")
    endif()
  endforeach()
  if(MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "Unknown arguments: ${MY_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT MY_SOURCE_DIR)
    set(MY_SOURCE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
  add_custom_target(Copy${MY_TARGET_NAME}PythonFiles)
  note(INSTALL_DIR "${MY_INSTALL_DIR}")
  foreach(file IN LISTS MY_SCRIPTS MY_RESOURCES)
    file(RELATIVE_PATH target "${CMAKE_BINARY_DIR}" "${MY_DESTINATION_DIR}/${file}")
    note(FILE "${MY_SOURCE_DIR}/${file}" "${target}")
  endforeach()
endfunction()

function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS;WITH_SUBDIR" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "Unknown arguments: ${MY_UNPARSED_ARGUMENTS}")
  endif()
  note(MODULE "${MY_NAME}" "${MY_WITH_GENERIC_TESTS}")
  ctkMacroCompilePythonScript(
    TARGET_NAME ${MY_NAME} SCRIPTS ${MY_SCRIPTS} RESOURCES ${MY_RESOURCES}
    DESTINATION_DIR ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
    INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR} NO_INSTALL_SUBDIR)
endfunction()

function(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "SCRIPT" "" ${ARGN})
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${MY_SCRIPT}")
    message(FATAL_ERROR "The test script ${MY_SCRIPT} is not there")
  endif()
  note(TEST "${MY_SCRIPT}")
endfunction()
"""
_CONFIG = """
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/Macros.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/Generate.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/Pack.cmake")
"""
_GENERATE = """
note(META PROJECT "${PROJECT_NAME}")
foreach(name HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  note(META ${name} "${EXTENSION_${name}}")
endforeach()
"""
#: Nothing is compiled, so no compiler need be there.
_NO_COMPILER = """
foreach(language C CXX)
  set(CMAKE_${language}_COMPILER "${CMAKE_COMMAND}")
  set(CMAKE_${language}_COMPILER_ID_RUN TRUE)
  set(CMAKE_${language}_COMPILER_FORCED TRUE)
endforeach()
"""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> list[list[str]]:
    """What CMake hands to Slicer's macros, one call or file a line."""
    # That of the tests' environment first.
    cmake = shutil.which("cmake", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if cmake is None:
        pytest.skip("cmake is not there (`pip install cmake`): the lists were held against the disk as text only")
    folder = tmp_path_factory.mktemp("slicer")
    contents = {"SlicerConfig": _CONFIG, "Macros": _MACROS, "Generate": _GENERATE, "NoCompiler": _NO_COMPILER}
    for name, text in (contents | {"Pack": "note(PACK)"}).items():
        (folder / f"{name}.cmake").write_text(text, encoding="utf-8")
    options = {
        "Slicer_DIR": folder,
        "MANIFEST": folder / "manifest.txt",
        "BUILD_TESTING": "ON",
        "CMAKE_TOOLCHAIN_FILE": folder / "NoCompiler.cmake",
        # Nothing is built either.
        "CMAKE_MAKE_PROGRAM": cmake,
    }
    command = [cmake, "-S", str(ROOT), "-B", str(folder / "build"), "-G", "Unix Makefiles", "-Werror=dev"]
    command += [f"-D{name}={value}" for name, value in options.items()]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = (folder / "manifest.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("|") for line in lines]


def test_cmake_packages_each_file_once(manifest):
    packaged = [(Path(line[1]).resolve(), line[2]) for line in manifest if line[0] == "FILE"]
    expected = {
        (folder / entry).resolve(): f"lib/qt-scripted-modules/{entry}"
        for folder, within, belongs in LISTS.values()
        for entry in on_disk(folder, within, belongs)
    }
    assert dict(packaged) == expected
    targets = [target for _, target in packaged]
    # Two rules for one file stop the build.
    assert sorted(targets) == sorted(set(targets))
    assert {line[1] for line in manifest if line[0] == "INSTALL_DIR"} == {"install/qt-scripted-modules"}


def test_cmake_registers_the_module_and_its_self_test(manifest):
    assert [line for line in manifest if line[0] == "MODULE"] == [["MODULE", NAME, "TRUE"]]
    assert [line for line in manifest if line[0] == "TEST"] == [["TEST", f"{NAME}.py"]]
    assert manifest[-1] == ["PACK"]


def test_the_packaged_core_works_where_it_is_installed(manifest, tmp_path):
    for line in manifest:
        if line[0] == "FILE":
            (tmp_path / line[2]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(line[1], tmp_path / line[2])
    installed = tmp_path / "lib" / "qt-scripted-modules"
    code = (
        "import inference_core, inference_core.commands.demo as demo\n"
        "from inference_core.batch import find_patients\n"
        "print(inference_core.__file__)\n"
        "inference_core.SuperResolver.load(device='cpu')\n"
        "print(len(find_patients(demo._SAMPLE)[0].maps))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-c", code]
    result = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(installed / "inference_core" / "__init__.py"), "21"]


def test_metadata_is_what_the_catalogue_wants(manifest):
    meta = {line[1]: line[2] for line in manifest if line[0] == "META"}
    entry = json.loads((ROOT / f"{NAME}.json").read_text(encoding="utf-8"))
    assert meta["PROJECT"] == NAME
    assert not NAME.startswith("Slicer")
    assert meta["CATEGORY"] == entry["category"] == "Spectral Imaging"
    assert meta["DEPENDS"].split() == entry["build_dependencies"] == ["PyTorch"]
    assert meta["HOMEPAGE"] == entry["scm_url"].removesuffix(".git")
    assert meta["CONTRIBUTORS"]
    assert meta["DESCRIPTION"]
    # A list that is not quoted arrives with semicolons.
    assert not [name for name, value in meta.items() if ";" in value]
    raw = f"{meta['HOMEPAGE'].replace('github.com', 'raw.githubusercontent.com')}/{entry['scm_revision']}/"
    pictures = [meta["ICONURL"], *meta["SCREENSHOTURLS"].split()]
    assert len(pictures) > 1
    for url in pictures:
        assert url.startswith(raw)
        assert (ROOT / url.removeprefix(raw)).is_file(), f"{url.removeprefix(raw)} is in CMakeLists.txt, not on disk"


# What the catalogue's gate looks at


def test_the_catalogue_entry_follows_its_schema():
    entry = json.loads((ROOT / f"{NAME}.json").read_text(encoding="utf-8"))
    assert {*list(CATALOGUE_KEYS)[:3]} <= entry.keys() <= CATALOGUE_KEYS.keys()
    assert {key: type(value) for key, value in entry.items()} == {key: CATALOGUE_KEYS[key] for key in entry}
    assert re.fullmatch(r"https://.*/slicer-extension-catalog-entry-schema-v1\.0\.1\.json#", entry["$schema"])
    assert entry["tier"] in (1, 3, 5)
    assert all(type(name) is str for name in entry["build_dependencies"])


def test_the_icon_is_a_png_of_the_right_size():
    icon = (ROOT / "Resources" / "Icons" / f"{NAME}.png").read_bytes()
    assert icon[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", icon[16:24]) == (128, 128)
    assert (MODULE / "Resources" / "Icons" / f"{NAME}.png").read_bytes() == icon
    assert (ROOT / "Resources" / "Icons" / f"{NAME}.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_license_is_at_the_root():
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_clone_stays_under_100_mb():
    def git(*words):
        result = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return result.stdout if result.returncode == 0 else None

    names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if names is None:
        pytest.skip("this is no git checkout")
    # What HEAD reaches, each object once: a checkout that was fetched into often keeps copies that no clone carries.
    objects = int(git("rev-list", "--disk-usage", "--objects", "HEAD"))
    files = (ROOT / name for name in names.split("\0") if name)
    assert objects + sum(file.stat().st_size for file in files if file.is_file()) < 100e6


# What the module imports before PyTorch is there


class _FileScope(ast.NodeVisitor):
    """Collects what runs when a file is imported: (module, names) of each import."""

    def __init__(self):
        self.imports: list[tuple[str, tuple[str, ...]]] = []

    def visit_FunctionDef(self, node):
        pass

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef  # noqa: N815

    def visit_If(self, node):
        if "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Import(self, node):
        self.imports += [(alias.name, ()) for alias in node.names]

    def visit_ImportFrom(self, node):
        if node.level == 0:
            self.imports.append((node.module, tuple(alias.name for alias in node.names)))


def file_scope_imports(text: str) -> list[tuple[str, tuple[str, ...]]]:
    scope = _FileScope()
    scope.visit(ast.parse(text))
    return scope.imports


def test_file_scope_is_told_from_function_scope():
    text = """
import os, a.b
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import torch
try:
    from c import d
except ImportError:
    import e
class Widget:
    import f
    def setup(self):
        import torch
"""
    assert [name for name, _ in file_scope_imports(text)] == ["os", "a.b", "typing", "c", "e", "f"]


def test_the_module_imports_only_what_slicer_bundles_at_file_scope():
    problems, core = [], set()
    for name in sorted(on_disk(*LISTS["MODULE_PYTHON_SCRIPTS"])):
        for module, names in file_scope_imports((MODULE / name).read_text(encoding="utf-8")):
            top = module.split(".")[0]
            if top == "inference_core":
                core.add(f"from {module} import {', '.join(names)}" if names else f"import {module}")
            elif top not in BUNDLED:
                problems.append(f"{name} imports {module} at file scope, which Slicer does not bundle")
    # The core's own modules may be imported there if they do without what comes later or never.
    late = "('torch', 'safetensors', 'scipy', 'skimage', 'matplotlib', 'tqdm', 'nilearn', 'tensorboard')"
    code = "\n".join(["import sys", f"sys.modules.update(dict.fromkeys({late}))", *sorted(core)])
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        problems.append(f"what the module imports of the core needs more than Slicer bundles: {result.stderr}")
    assert not problems, "\n".join(problems)
