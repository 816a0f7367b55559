"""The architecture: which room may import from which, and which rooms load without PyTorch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "inference_core"
LIBRARY = ROOT / "MRSISuperRes" / "MRSISuperResLib"

#: A room imports only from rooms that stand before it.
ROOMS = (
    "errors",
    "files",
    "terms",
    "imaging",
    "networks",
    "engine",
    "inference",
    "regions",
    "report",
    "study",
    "preparation",
    "batch",
    "research",
    "commands",
)
#: The module's own rooms, likewise.
MODULE_ROOMS = ("core_location", "scene", "compute", "panels")
#: Rooms that nothing imports from but those named.
RESERVED = {"research": {"commands"}}
#: Slicer's panel needs these before PyTorch is installed.
WITHOUT_PYTORCH = ("errors", "files", "terms", "imaging", "regions", "report", "study", "preparation", "batch")
#: Not rooms: the package's face, its entry points and its data.
NO_ROOMS = {"__init__.py", "__main__.py", "py.typed", "train.py", "weights"}
#: What comes with PyTorch's extension, or never in Slicer.
MISSING = ("torch", "safetensors", "scipy", "skimage", "matplotlib", "tqdm", "nilearn", "tensorboard", "dask")


def imports_of(text: str) -> set[str]:
    """The dotted names that Python code imports, anywhere in it; `from a import b` gives "a.b"."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def files_of(folder: Path, room: str) -> list[Path]:
    """A room's files: itself, if it is a single one."""
    alone = folder / f"{room}.py"
    return [alone] if alone.is_file() else sorted((folder / room).rglob("*.py"))


def forbidden_arrows(folder: Path, rooms: tuple[str, ...], reserved: dict[str, set[str]]) -> list[str]:
    """A sentence for each import that breaks the rule, and what to do."""
    problems = []
    for position, room in enumerate(rooms):
        allowed = [other for other in rooms[:position] if room in reserved.get(other, {room})]
        for file in files_of(folder, room):
            for name in sorted(imports_of(file.read_text(encoding="utf-8"))):
                package, target, *_ = [*name.split("."), ""]
                if package == folder.name and target in rooms and target != room and target not in allowed:
                    problems.append(
                        f"{file.relative_to(folder.parent)} imports {name}. '{room}' may import from "
                        f"{', '.join(allowed)} alone: move what both need into one of these, or hand it over as an "
                        "argument."
                    )
    return problems


def test_the_core_imports_upwards_only():
    assert not (problems := forbidden_arrows(PACKAGE, ROOMS, RESERVED)), "\n".join(problems)


def test_the_modules_library_imports_upwards_only():
    assert not (problems := forbidden_arrows(LIBRARY, MODULE_ROOMS, {})), "\n".join(problems)


@pytest.mark.parametrize(("folder", "rooms"), [(PACKAGE, ROOMS), (LIBRARY, MODULE_ROOMS)], ids=["core", "library"])
def test_every_file_is_in_a_room(folder, rooms):
    there = {path.name for path in folder.iterdir() if path.name != "__pycache__" and not path.name.startswith(".")}
    outside = there - NO_ROOMS - {name for room in rooms for name in (room, f"{room}.py")}
    assert not outside, f"{', '.join(sorted(outside))}: put each into one of the rooms {', '.join(rooms)}"


def test_the_manual_lists_the_rooms_in_their_order():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\|( yes)? \|$", page, re.MULTILINE)
    assert [name for name, _ in rows] == list(ROOMS)
    assert {name for name, marked in rows if marked} == set(WITHOUT_PYTORCH)
    drawn = re.findall(r'font-size="12">(\w+)</text>', (ROOT / "docs/_static/architecture.svg").read_text("utf-8"))
    assert drawn == list(ROOMS)


def test_a_broken_rule_is_found_and_told(tmp_path):
    for name, text in {"a": "", "b": "def f():\n    from core.c.deep import x\n", "c": "import core.a.x\n"}.items():
        (tmp_path / "core" / name).mkdir(parents=True)
        (tmp_path / "core" / name / "file.py").write_text(text)
    (problem,) = forbidden_arrows(tmp_path / "core", ("a", "b", "c"), {})
    assert problem.startswith("core/b/file.py imports core.c.deep.x. 'b' may import from a alone")
    reserved = forbidden_arrows(tmp_path / "core", ("a", "b", "c"), {"a": {"b"}})
    assert len(reserved) == 2


def test_rooms_that_the_panel_needs_load_without_pytorch():
    modules = []
    for room in WITHOUT_PYTORCH:
        modules += [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files_of(PACKAGE, room)]
    code = (
        f"import sys, importlib\nsys.modules.update(dict.fromkeys({MISSING}))\nfailed = []\n"
        f"for name in {modules}:\n"
        "    try:\n        importlib.import_module(name.removesuffix('.__init__'))\n"
        "    except ImportError as error:\n        failed.append(f'{name}: {error}')\n"
        "sys.exit('\\n'.join(failed) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"These need what Slicer does not bundle; import it in the function that uses it:\n{done.stderr}"
    )
