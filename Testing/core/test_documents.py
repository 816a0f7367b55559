"""README and manual: commands are those of the program and run as written, examples run, links and versions agree."""

import ast
import importlib
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "Resources" / "SamplePatient"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]

#: Commands that are parsed here, not run, by their first words; and why.
NOT_RUN = {
    "mrsi-superres prepare --lcmodel": "needs LCModel's output: Testing/core/preparation and Testing/real_data run it",
    "mrsi-superres prepare STUDY": "Testing/core/preparation runs it",
    "mrsi-superres batch STUDY": "Testing/core/batch runs it",
    "mrsi-superres calibrate": "takes hours",
    "mrsi-superres phantom": "takes minutes: Testing/core/research runs it",
    "mrsi-superres train": "takes hours: Testing/core/research runs it with less",
    "mrsi-superres reproduce": "takes hours: Testing/core/research runs it with less",
    "mrsi-superres --version": "ends the process",
}


def shell_commands(page: Path) -> list[list[str]]:
    """The words of each command in a page's shell blocks, without what is behind `#`."""
    blocks = re.findall(r"```shell\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines]
    return [[words[0].removeprefix(".venv/bin/"), *words[1:]] for words in commands if words]


def inline_commands(page: Path) -> list[list[str]]:
    """The words of each `mrsi-superres` command with arguments that a page's text names."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = re.findall(r"`(?:\.venv/bin/)?(mrsi-superres [a-z]+ [^`]+)`", text)
    return [shlex.split(command.replace("\n", " ")) for command in found]


COMMANDS = [(page.name, words) for page in PAGES for words in [*shell_commands(page), *inline_commands(page)]]
OURS = [(page, words) for page, words in COMMANDS if words[0] == "mrsi-superres"]


@pytest.fixture(scope="module")
def project() -> dict:
    """The table `project` of pyproject.toml."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def identifier(case: tuple[str, list[str]]) -> str:
    return f"{case[0]}: {' '.join(case[1])[:60]}"


def test_there_are_commands():
    assert len(OURS) > 15
    assert {"predict", "batch", "regions", "report", "prepare", "train", "phantom"} <= {words[1] for _, words in OURS}


@pytest.mark.parametrize("case", OURS, ids=identifier)
def test_each_command_has_these_arguments(case, monkeypatch):
    from inference_core.commands import cli

    words = case[1][1:]
    if words == ["--version"]:
        pytest.skip("it ends the process")
    module = importlib.import_module(cli._COMMANDS[words[0]][0])
    monkeypatch.setattr(module, "run", lambda arguments: 0)
    assert cli.main(words) == 0


def test_other_commands_name_what_is_there(project):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    extras = project["optional-dependencies"]
    for page, (program, *words) in COMMANDS:
        match program:
            case "mrsi-superres":
                continue
            case "make":
                assert re.search(rf"^{words[0]}:", makefile, re.MULTILINE), f"{page}: make has no target {words[0]}"
            case "python":
                assert (ROOT / words[0]).is_file(), f"{page}: {words[0]} is not there"
            case "torchrun":
                start = words.index("inference_core.train") + 1
                assert words[start - 1 : start] == ["inference_core.train"]
                _parse_training(words[start:])
            case "pip":
                named = {extra for word in words for extra in re.findall(r"\[(.*)\]", word)}
                assert {extra for group in named for extra in group.split(",")} <= extras.keys()
            case _:
                pytest.fail(f"{page}: {program} {' '.join(words)} is checked nowhere")


def _parse_training(words: list[str]) -> None:
    import argparse

    from inference_core.commands import train

    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    parser.parse_args(words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A user's folder: the files that the pages' commands name, one slice of the sample patient."""
    folder = tmp_path_factory.mktemp("user")
    for name in ("T1w", "FLAIR"):
        shutil.copy(SAMPLE / "anat" / f"sub-5014_{name}.nii.gz", folder / f"{name.removesuffix('w')}.nii.gz")

    def middle(name: str) -> sitk.Image:
        return sitk.ReadImage(str(SAMPLE / "mrsi" / f"sub-5014_{name}.nii.gz"))[:, :, 2:3]

    for metabolite, files in {
        "NAA": ("NAA.nii.gz", "fit_3.nii.gz", "sub-01_NAA.nii.gz"),
        "tCho": ("tCho.nii.gz", "GPC+PCh.nrrd", "sub-01_GPC+PCh.nii.gz"),
    }.items():
        for file in files:
            sitk.WriteImage(middle(f"res-n16_desc-acquired_{metabolite}"), str(folder / file))
    sitk.WriteImage(middle("res-high_desc-tumour_mask"), str(folder / "tumour.nii.gz"))
    return folder


RUN = [case for case in OURS if not any(" ".join(case[1]).startswith(words) for words in NOT_RUN)]
RUN = [(page, words) for page, words in RUN if words[1] in ("predict", "regions", "report")]


@pytest.mark.parametrize("case", RUN, ids=identifier)
def test_each_command_runs_as_written(case, folder, monkeypatch, capsys):
    from inference_core.commands import cli

    page, words = case
    monkeypatch.chdir(folder)
    if "--pdf" in words:
        # Printing needs a browser: Testing/core/report does that where there is one.
        at = words.index("--pdf")
        words = words[:at] + words[at + 2 :]
    assert cli.main(words[1:]) == 0, f"{page}: {capsys.readouterr().err}"
    for option in ("--output", "--uncertainty"):
        if option in words:
            assert (folder / words[words.index(option) + 1]).stat().st_size > 0


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "command_line.md"], ids=lambda page: page.name)
def test_python_runs_as_written(page, folder, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(compile(blocks[0], page.name, "exec"), names)
    assert names["result"].GetSize() == (64, 64, 1)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(example, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MPLBACKEND", "agg")
    picture = tmp_path / "picture.png"
    runpy.run_path(str(example))["main"](str(picture))
    import matplotlib.pyplot as plt

    plt.close("all")
    # A picture is not of one colour.
    assert np.std(plt.imread(picture)[..., :3]) > 0.01
    printed = capsys.readouterr().out
    assert printed
    shown = ROOT / "docs" / "_static" / "examples" / f"{example.stem}.txt"
    if shown.is_file():
        number = r"\d+\.\d+"
        expected, found = (re.findall(number, text) for text in (shown.read_text(encoding="utf-8"), printed))
        np.testing.assert_allclose(np.array(found, float), np.array(expected, float), rtol=0.03)


def test_each_example_is_in_the_gallery_with_its_picture():
    assert len(EXAMPLES) == 5
    gallery = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    for example in EXAMPLES:
        assert f"../examples/{example.name}" in gallery
        assert (ROOT / "docs" / "_static" / "examples" / f"{example.stem}.png").is_file()
        assert ast.get_docstring(ast.parse(example.read_text(encoding="utf-8")))
        assert len(example.read_text(encoding="utf-8").splitlines()) < 50


def test_the_manual_builds_without_warnings(tmp_path):
    pytest.importorskip("sphinx", reason="the extra docs is not installed; make docs checks it")
    pytest.importorskip("furo", reason="the extra docs is not installed; make docs checks it")
    # The pages alone; `make docs` and a job of continuous integration build the API reference, too.
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "dummy", "-t", "pages", "-d"]
    command += [str(tmp_path / "doctrees"), str(ROOT / "docs"), str(tmp_path / "html")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_readme_is_short_and_its_links_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        text = page.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 150
        links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
        assert links
        for link in links:
            assert (ROOT / link.split("#")[0]).exists(), f"{page.name} links {link}, which is not there"


def test_fast_tests_are_there():
    listed = runpy.run_path(str(ROOT / "Testing" / "conftest.py"))["FAST"]
    missing = [name for name in listed if not (ROOT / "Testing" / name).exists()]
    assert not missing, f"FAST in Testing/conftest.py names what is not there: {missing}"


def test_python_versions_agree(project):
    assert project["requires-python"] == f">={PYTHONS[0]}"
    stated = [name.split(" :: ")[-1] for name in project["classifiers"] if "Python :: 3." in name]
    assert stated == PYTHONS
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert re.findall(r'os: ubuntu-latest, python: "([\d.]+)"', workflow) == PYTHONS
    for page in ("README.md", "docs/installation.md"):
        assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in (ROOT / page).read_text(encoding="utf-8")
