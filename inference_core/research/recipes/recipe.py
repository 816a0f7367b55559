"""A recipe: the stages of a training, each with its patients and settings."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from inference_core.errors import InputError
from inference_core.research.data.patient_options import PatientOptions
from inference_core.research.recipes.table_reading import read_table
from inference_core.research.training.settings import TrainingSettings

#: Of the files that this reader understands.
_VERSION = 2
_FOLDER = Path(__file__).parent
_SHARED = ("patients", "validation", "training")


@dataclass(frozen=True)
class ValidationOptions:
    """How a training is watched.

    Attributes:
        patients: simulated patients to validate on.
        every: steps between validations.
    """

    patients: int = 0
    every: int = 500

    def __post_init__(self):
        """Refuse what can't be done."""
        if self.patients < 0 or self.every < 1:
            raise InputError(f"{self.patients} patients every {self.every} steps can't be validated on.")


@dataclass(frozen=True)
class Stage:
    """One training, which starts from the weights of the stage before.

    Attributes:
        name: of its folder.
        patients: whom it trains on.
        validation: how it is watched.
        training: its settings.
    """

    name: str
    patients: PatientOptions
    validation: ValidationOptions
    training: TrainingSettings


@dataclass(frozen=True)
class Recipe:
    """What makes weights.

    Attributes:
        name: of the file, without extension.
        made: what came of it, in words.
        stages: in their order.
        text: of the file.
    """

    name: str
    made: str
    stages: tuple[Stage, ...]
    text: str

    @property
    def fingerprint(self) -> str:
        """Tells recipes apart by what they say; comments and spaces don't count."""
        return sha256(json.dumps(_loaded(self.text, self.name), sort_keys=True).encode()).hexdigest()[:16]


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def _loaded(text: str, name: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"The recipe '{name}' is not valid TOML ({error}): correct it there.") from error


def _entry(table: Mapping[str, Any], name: str, kind: type, where: str) -> Any:
    value = table.get(name)
    if not isinstance(value, kind) or not value:
        raise InputError(f"{where} lacks the entry '{name}', or it is no {kind.__name__}.")
    return value


def _stage(table: Mapping[str, Any], shared: Mapping[str, Any], where: str) -> Stage:
    if not isinstance(table, Mapping):
        raise InputError(f"{where} is no table: write it below [[stages]].")
    name = _entry(table, "name", str, where)
    if not name.replace("-", "").isalnum():
        raise InputError(f"{where} is named '{name}': a name has letters, digits and hyphens, as it names a folder.")
    unknown = sorted(set(table) - {"name", *_SHARED})
    if unknown:
        raise InputError(f"{where} has an unknown entry '{unknown[0]}': it may have name, {', '.join(_SHARED)}.")
    for key in _SHARED:
        if not isinstance(table.get(key, {}), Mapping):
            raise InputError(f"{where}.{key} is no table.")
    merged = {key: {**shared.get(key, {}), **table.get(key, {})} for key in _SHARED}
    return Stage(
        name,
        read_table(PatientOptions, merged["patients"], f"{where}.patients"),
        read_table(ValidationOptions, merged["validation"], f"{where}.validation"),
        read_table(TrainingSettings, merged["training"], f"{where}.training", trained_on=""),
    )


def read_recipe(name: str) -> Recipe:
    """A recipe by its name, or from a file of one's own.

    Args:
        name: one of `recipe_names`, or the path of a .toml file.

    Raises:
        InputError: if there is none, or for what is wrong in it.
    """
    path = _FOLDER / f"{name}.toml" if name in recipe_names() else Path(name)
    if not path.is_file() or path.suffix != ".toml":
        raise InputError(
            f"There is no recipe '{name}': choose {', '.join(recipe_names())}, or the path of a .toml file."
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The recipe '{path}' can't be read ({error}).") from error
    table = _loaded(text, path.name)
    if table.get("version") != _VERSION:
        raise InputError(f"The recipe '{path}' is of version {table.get('version')}: this program reads {_VERSION}.")
    unknown = sorted(set(table) - {"version", "made", "stages", *_SHARED})
    if unknown:
        raise InputError(f"The recipe '{path}' has an unknown entry '{unknown[0]}'.")
    for key in _SHARED:
        if not isinstance(table.get(key, {}), Mapping):
            raise InputError(f"The recipe '{path}' has {key} that is no table.")
    stages = tuple(
        _stage(stage, table, f"Stage {number} of the recipe '{path.name}'")
        for number, stage in enumerate(_entry(table, "stages", list, f"The recipe '{path}'"), start=1)
    )
    if len({stage.name for stage in stages}) < len(stages):
        raise InputError(f"The recipe '{path}' has stages of one name: each has a folder of its own.")
    if len({stage.training.network for stage in stages}) > 1:
        raise InputError(f"The recipe '{path}' has stages of several networks: each starts from the one before.")
    return Recipe(path.stem, str(table.get("made", "")), stages, text)
