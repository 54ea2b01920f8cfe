"""Validation of TOML documents: an error is one sentence that names the line."""

import difflib
import re
import reprlib
import tomllib
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo

from estimators import InputError

Spec = TypeVar("Spec", bound=BaseModel)

__all__ = ["Count", "File", "Name", "Numbers", "Seed", "Text", "TomlTable", "kind_of", "validated"]

RULES = {
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be an integer",
    "int_type": "must be an integer",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_type": "must be a string",
    "tuple_type": "must be a list",
}
"""What a value must be, in the words of TOML, by pydantic's type of the error."""

MOST = 2**63 - 1  # the largest integer that a stored study can hold

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Seed = Annotated[int, Field(ge=0, le=MOST)]
Numbers = Annotated[tuple[Any, ...], Field(strict=False)]  # nested lists; the law checks them


def _printable(name: str) -> str:
    if any(unicodedata.category(symbol) == "Cc" for symbol in name):
        raise ValueError(f"the name {name!r} has control characters")
    return name


Name = Annotated[Text, AfterValidator(_printable)]
"""A name in reports, on one line."""


def _beside(name: object, info: ValidationInfo) -> object:
    return info.context["folder"] / name if isinstance(name, str) and name and info.context else name


File = Annotated[Path, BeforeValidator(_beside)]
"""A file, named relative to the folder of the document."""


class TomlTable(BaseModel):
    """A table of a study file: frozen, strict about types, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def validated(kind: type[Spec], text: str, path: Path | str) -> Spec:
    """Check a TOML text against its specification.

    Raises
    ------
    InputError
        If it is not TOML, or a key is unknown, missing or of the wrong type; the message names the line.
    """
    data = _parsed(text, path)
    try:
        return kind.model_validate(data, context={"folder": Path(path).parent})
    except ValidationError as error:
        # A misspelt key is also a missing one: the spelling is more informative.
        first = min(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
        keys = _keys(first["loc"], data)
        raise InputError(f"{path}{_line(keys, text)}: {_sentence(first, keys, kind)}") from error


def kind_of(text: str, path: Path | str, kinds: Sequence[str]) -> str:
    """Return the ``kind`` of a TOML text, by default the first of the kinds."""
    kind = _parsed(text, path).get("kind", kinds[0])
    if kind not in kinds:
        allowed = " or ".join(map(repr, kinds))
        raise InputError(f"{path}{_line(('kind',), text)}: kind must be {allowed}, got {reprlib.repr(kind)}")
    return str(kind)


def _parsed(text: str, path: Path | str) -> dict[str, Any]:
    try:
        data = tomllib.loads(text)
        repr(data)  # a hexadecimal number may have too many digits for an error message
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} cannot be read as TOML: it is nested too deeply, or has a number with too many digits"
        ) from error
    return data


def _keys(location: tuple[int | str, ...], data: Any) -> tuple[int | str, ...]:
    # Drop what pydantic adds for unions (tags and type names): only the last key may be absent from the data.
    keys: list[int | str] = []
    for depth, key in enumerate(location):
        present = key in data if isinstance(data, dict) else isinstance(data, list) and isinstance(key, int)
        if present:
            keys.append(key)
            data = data[key]
        elif depth == len(location) - 1 and isinstance(data, dict):
            keys.append(key)
    return tuple(keys)


def _sentence(error: Any, keys: tuple[int | str, ...], kind: type[BaseModel]) -> str:
    path = ".".join(map(str, keys))
    message, value = str(error["msg"]), error["input"]
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(keys[-1]), sorted(_field_names(kind)), n=1)
        return f"unknown key {path!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if error["type"] == "missing":
        return f"key {path!r} is missing"
    if error["type"] == "value_error":
        return message.removeprefix("Value error, ")
    if error["type"].startswith("union_tag"):
        return f"{path}.kind must be 'table', 'markov-chain', 'hidden-markov', 'code' or 'independent'"
    if error["type"] in RULES:
        limits = {
            name: f"{limit:g}" if isinstance(limit, float) else limit for name, limit in error.get("ctx", {}).items()
        }
        return f"{path} {RULES[error['type']].format(**limits)}, got {reprlib.repr(value)}"
    return f"{path}: {message[0].lower()}{message[1:]}, got {reprlib.repr(value)}"


def _field_names(kind: Any) -> set[str]:
    """Names of all fields of a table and of the tables in it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return set(kind.model_fields).union(*(_field_names(field.annotation) for field in kind.model_fields.values()))
    return set().union(*(_field_names(field) for field in get_args(kind)))


def _line(keys: tuple[int | str, ...], text: str) -> str:
    """Return the line of a key, or of the table that it belongs to, in words; nothing where the text has neither."""
    lines: dict[tuple[int | str, ...], int] = {}
    table: tuple[int | str, ...] = ()
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[\s*([\w.-]+)\s*\]\]", line):
            name = header[1]
            seen[name] = seen.get(name, -1) + 1
            table = (*name.split("."), seen[name])
            lines[table] = number
        elif header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            table = tuple(header[1].split("."))
            lines[table] = number
        elif key := re.match(r"\s*([\w-]+)\s*=", line):
            lines.setdefault((*table, key[1]), number)
    while keys and keys not in lines:
        keys = keys[:-1]
    return f", line {lines[keys]}" if keys in lines else ""
