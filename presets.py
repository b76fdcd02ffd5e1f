"""Reads presets, TOML files that hold one thing each, and says what is wrong so that it can be mended.

`grey.toml: light.fill = 1.4. Input should be less than or equal to 1.`
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from errors import PresetError

PRESETS = Path(__file__).parent / "presets"

Sentence = Annotated[str, Field(min_length=1, max_length=300, pattern=r"\S")]


class Preset(BaseModel):
    """Habits of every preset: frozen, no unknown keys, no infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def rule(sentence: str) -> PydanticCustomError:
    """A broken rule, without pydantic's `Value error,` in front."""
    return PydanticCustomError("rule", "{sentence}", {"sentence": sentence})


P = TypeVar("P", bound=Preset)
M = TypeVar("M", bound=BaseModel)


def read_presets(folder: Path, kind: type[P]) -> dict[str, P]:
    """Every `*.toml` of a folder by file name. Raises `PresetError`, also when there is none."""
    presets = {path.stem: read_preset(path, kind) for path in sorted(folder.glob("*.toml"))}
    if not presets:
        raise PresetError(f"{folder.name}: no preset here. Put at least one .toml file into it.")
    return presets


def read_preset(path: Path, kind: type[P]) -> P:
    """One preset of any kind, named after its file. Raises `PresetError` naming file, key, value, rule."""
    table = read_table(path)
    if "name" in table:
        raise PresetError(f"{path.name}: name = {table['name']!r}. The file's name is the preset's name.")
    return parse_table({**table, "name": path.stem}, kind, path.name)


def read_table(path: Path) -> dict[str, Any]:
    """A TOML file. Raises `PresetError` naming the file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # editors of Windows begin with a BOM
    except OSError as error:
        raise PresetError(f"{path.name} cannot be read. Check that it is there and may be read.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PresetError(f"{path.name}: {error}.") from error


def parse_table(table: dict[str, Any], kind: type[M], file: str, *above: str) -> M:
    """A table of a file, its keys under `above`. Raises `PresetError` naming file, key, value and rule."""
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        raise PresetError(f"{file}: {complaint(error, *above)}") from error


def complaint(error: ValidationError, *above: str) -> str:
    """The first thing that is wrong: `light.fill = 1.4. Input should be less than or equal to 1.`."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in (*above, *first["loc"]))
    if first["type"] == "missing":
        return f"{key} is missing. {first['msg']}."
    return f"{key} = {first['input']!r}. {first['msg'].rstrip('.')}."
