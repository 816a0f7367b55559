"""The commands' arguments that name a subject to make simulated patients from."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference_core.research.phantom.subject import Subject

_TISSUES = ("grey", "white", "csf")


def add_subject_arguments(parser: argparse.ArgumentParser) -> None:
    """`--anatomy` and the tissue maps that go with it."""
    group = parser.add_argument_group(
        "anatomy", "make simulated patients from a subject's brain instead of the MNI152 templates"
    )
    group.add_argument(
        "--anatomy",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="the subject's T1, skull-stripped; or folders of subjects, or one that holds such folders, each with a T1 "
        "and tissue fractions, or a label map of FreeSurfer's, or a T1 alone, and a FLAIR or T2 named so",
    )
    for tissue in _TISSUES:
        name = tissue.upper() if tissue == "csf" else f"{tissue} matter"
        group.add_argument(f"--{tissue}", type=Path, metavar="FILE", help=f"fractions of {name}, in the T1's space")
    group.add_argument("--flair", type=Path, metavar="FILE", help="FLAIR, or T2 in its place, in the T1's space")


def chosen_subjects(arguments: argparse.Namespace) -> "list[Subject]":
    """The subjects that the arguments name; none if there are none.

    They are looked for once, since a T1 alone is read to see whether it is stripped, and kept with the arguments.

    Raises:
        InputError: if some of the files are not named, or are not there.
    """
    if not hasattr(arguments, "subjects"):
        arguments.subjects = _find_subjects(arguments)
    return arguments.subjects


def _find_subjects(arguments: argparse.Namespace) -> "list[Subject]":
    from inference_core.errors import InputError
    from inference_core.research.phantom.subject import Subject
    from inference_core.research.phantom.subject_folder import subjects_in

    named = {name: getattr(arguments, name) for name in (*_TISSUES, "flair")}
    paths = arguments.anatomy or []
    if not paths and not any(named.values()):
        return []
    if any(path.is_dir() for path in paths) or len(paths) > 1:
        given = [f"--{name}" for name, path in named.items() if path]
        if given:
            raise InputError(f"Folders of subjects hold all of their files: leave {' and '.join(given)} out.")
        return [subject for path in paths for subject in subjects_in(path)]
    missing = [] if paths else ["--anatomy"]
    missing += [f"--{name}" for name in _TISSUES if not named[name]]
    if missing:
        raise InputError(f"A subject's anatomy needs {' and '.join(missing)}, too: name its T1 and all tissue maps.")
    for name, path in {"anatomy": paths[0], **named}.items():
        if path and not path.is_file():
            raise InputError(f"There is no file '{path}' for --{name}: check the path.")
    return [Subject(paths[0], *(named[tissue] for tissue in _TISSUES), named["flair"])]
