"""Validation of TOML documents: all errors are in one message that names their lines."""

import difflib
import reprlib
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo

from estimators import InputError
from infodis_stats.studies.design.toml_lines import Path as Keys
from infodis_stats.studies.design.toml_lines import key_lines
from infodis_stats.studies.design.toml_text import toml_value

Spec = TypeVar("Spec", bound=BaseModel)

__all__ = [
    "MOST",
    "Count",
    "File",
    "Name",
    "Numbers",
    "Seed",
    "StudyKeyError",
    "Text",
    "TomlTable",
    "checked",
    "hint",
    "kind_of",
    "parsed",
    "tables_in",
    "validated",
]

RULES = {
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "is_instance_of": "must be a file name",  # the only class of values
    "int_from_float": "must be an integer",
    "int_type": "must be an integer",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_type": "must be a string",
    "too_short": "must have at least {min_length} {values}",
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


class StudyKeyError(ValueError):
    """A problem of one key of a table that is seen only beside other keys; its message gets the line of that key.

    Parameters
    ----------
    sentence : str
    *keys : str or int
        The path of the key in the table.
    """

    def __init__(self, sentence: str, *keys: int | str) -> None:
        super().__init__(sentence)
        self.keys = keys


class TomlTable(BaseModel):
    """A table of a study file: frozen, strict about types, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def validated(kind: type[Spec], text: str, path: Path | str) -> Spec:
    """Check a TOML text against its specification.

    Raises
    ------
    InputError
        If it is not TOML, or keys are unknown, missing or of the wrong type; the message names all of them, each with
        its line.
    """
    return checked(kind, parsed(text, path), where=str(path), folder=Path(path).parent, text=text)


def checked(
    kind: type[Spec], data: Mapping[str, Any], *, where: str, folder: Path, text: str = "", name: str = ""
) -> Spec:
    """Check plain data against their specification.

    Parameters
    ----------
    kind : type
    data : mapping
        As `tomllib` reads them.
    where : str
        Name of the data in messages.
    folder : Path
        Files are named relative to it.
    text : str
        TOML text of the data; empty: messages name no lines.
    name : str
        Name that stands for a model in memory.

    Raises
    ------
    InputError
        As in `validated`.
    """
    try:
        return kind.model_validate(data, context={"folder": folder, "object": name})
    except ValidationError as error:
        problems = _problems(error, data, kind)
        lines = key_lines(text) if text else {}
        placed = sorted({(_line(problem.keys, lines), problem.sentence): None for problem in problems})
        said = [f"line {line}: {sentence}" if line else sentence for line, sentence in placed]
        if len(said) == 1:
            separator = ", " if placed[0][0] else ": "
            raise InputError(f"{where}{separator}{said[0]}") from error
        numbered = ", ".join(f"({number}) {problem}" for number, problem in enumerate(said, 1))
        raise InputError(f"{where} has {len(said)} problems: {numbered}") from error


def kind_of(data: Mapping[str, Any], where: str, kinds: Sequence[str], text: str = "") -> str:
    """Return the ``kind`` of the data of a study, by default the first of the kinds."""
    kind = data.get("kind", kinds[0])
    if kind not in kinds:
        line = _line(("kind",), key_lines(text)) if text else 0
        place = f", line {line}" if line else ""
        raise InputError(
            f"{where}{place}: kind must be {_either(map(repr, kinds))}, got {_got(kind)}{hint(kind, kinds)}"
        )
    return str(kind)


def hint(name: object, names: Iterable[str]) -> str:
    """Return a question after the name nearest to a misspelt one; empty if none is near."""
    near = difflib.get_close_matches(str(name), list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def tables_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the tables that a type consists of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for part in get_args(annotation) for table in tables_in(part)]


def parsed(text: str, path: Path | str) -> dict[str, Any]:
    """Parse a TOML text; `InputError` if it is none."""
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


@dataclass(frozen=True)
class _Problem:
    """What is wrong with the value of some keys."""

    keys: Keys
    sentence: str
    type: str
    meant: str = ""  # the key that an unknown one seems to stand for


def _problems(error: ValidationError, data: Mapping[str, Any], kind: type[BaseModel]) -> list[_Problem]:
    problems = [_problem(item, data, kind) for item in error.errors(include_url=False)]
    # A misspelt key is also a missing one, and a value of several types fails as each of them.
    meant = {(*problem.keys[:-1], problem.meant) for problem in problems if problem.meant}
    deeper = {problem.keys[:depth] for problem in problems for depth in range(len(problem.keys))}
    lists = {problem.keys for problem in problems if problem.type == "tuple_type"}
    short = {problem.keys for problem in problems if problem.type == "too_short"}
    words = {problem.keys for problem in problems if problem.type == "literal_error"}
    return [
        replace(problem, sentence=problem.sentence.replace(" must be ", " must be a list or ", 1))
        if problem.type == "literal_error" and problem.keys in lists
        else problem
        for problem in problems
        if not (problem.type == "missing" and problem.keys in meant)
        and not (problem.type in ("literal_error", "too_short") and problem.keys in deeper)
        and not (problem.type == "tuple_type" and problem.keys in words)
        and not (problem.type == "literal_error" and problem.keys in short)
    ]


def _problem(error: Any, data: Mapping[str, Any], kind: type[BaseModel]) -> _Problem:
    location: Keys = error["loc"]
    keys, tables = _keys(location, data), _tables(kind, location[:-1])
    path, sort = ".".join(map(str, keys)), str(error["type"])
    if sort == "extra_forbidden":
        key, fields = str(keys[-1]), {name for table in tables for name in table.model_fields}
        place = _place(key, kind, len(keys) > 1)
        near = [] if place else _near(key, fields, _present(data, keys[:-1]))
        advice = f"; did you mean {near[0]!r}?" if near else place
        return _Problem(keys, f"unknown key {path!r}{advice}", sort, *near)
    if sort == "missing":
        return _Problem(keys, f"key {path!r} is missing", sort)
    message = str(error["msg"])
    if sort == "value_error":
        cause = error["ctx"]["error"]
        inner = cause.keys if isinstance(cause, StudyKeyError) else ()
        return _Problem((*keys, *inner), message.removeprefix("Value error, "), sort)
    return _Problem(keys, _sentence(error, path, _field(kind, location)), sort)


def _sentence(error: Any, path: str, field: FieldInfo | None) -> str:
    """Say what a value must be, in the words of TOML."""
    sort, context, value = error["type"], error.get("ctx", {}), error["input"]
    tables = tables_in(field.annotation) if field else []
    if sort.startswith("union_tag"):
        return _tag_sentence(path, value, [name for table in tables for name in _tags(table)])
    if sort in ("model_type", "model_attributes_type", "dict_type"):
        example = f" such as {toml_value(field.examples[0])}" if field and field.examples else ""
        said = f" must be a table{example}, got {_got(value)}"
    elif sort == "tuple_type" and isinstance(value, dict) and tables:
        said = f" must be a list of tables, [[{path}]] in TOML, got one table"
    elif sort == "literal_error":
        allowed = [part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", ")]
        said = f" must be {context['expected']}, got {_got(value)}{hint(value, allowed)}"
    elif sort in RULES:
        limits = {name: f"{limit:g}" if isinstance(limit, float) else limit for name, limit in context.items()}
        limits["values"] = "value" if context.get("min_length") == 1 else "values"
        said = f" {RULES[sort].format(**limits)}, got {_got(value)}"
    else:
        message = str(error["msg"])
        said = f": {message[0].lower()}{message[1:]}, got {_got(value)}"
    return path + said


def _tag_sentence(path: str, value: object, kinds: Sequence[str]) -> str:
    got = value.get("kind") if isinstance(value, dict) else None
    if got is None:
        return f"key '{path}.kind' is missing: it must be {_either(map(repr, kinds))}"
    return f"{path}.kind must be {_either(map(repr, kinds))}, got {_got(got)}{hint(got, kinds)}"


def _got(value: object) -> str:
    return reprlib.repr(value)


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def _place(key: str, kind: type[BaseModel], nested: bool) -> str:
    """Say in which other table an unknown key would be known; empty if in none."""
    if nested and key in kind.model_fields:
        return f"; {key!r} is a key of the study itself: write it above the first table"
    inner = {name: tables_in(field.annotation) for name, field in kind.model_fields.items()}
    places = [name for name, tables in inner.items() if any(key in table.model_fields for table in tables)]
    return f"; {key!r} is a key of {_either(places)}" if places else ""


def _near(key: str, names: set[str], present: set[str]) -> list[str]:
    """Return the name that an unknown key stands for, if any: one that is there already only if it differs little."""
    matches = difflib.get_close_matches(key, sorted(names))
    close = difflib.get_close_matches(key, matches, cutoff=0.8)
    return [name for name in matches if name not in present or name in close][:1]


def _present(data: Any, keys: Keys) -> set[str]:
    """Return the keys of the table at a path."""
    for key in keys:
        data = data[key]
    return set(data)


def _tables(kind: type[BaseModel], location: Keys) -> list[type[BaseModel]]:
    """Return the tables that can stand at a location, which may have tags of unions among its keys."""
    tables = [kind]
    for key in location:
        fields = [table.model_fields[key] for table in tables if key in table.model_fields]
        tagged = [table for table in tables if "kind" in table.model_fields and key in _tags(table)]
        if fields:
            tables = [table for field in fields for table in tables_in(field.annotation)]
        elif tagged:
            tables = tagged
    return tables


def _tags(table: type[BaseModel]) -> tuple[Any, ...]:
    return get_args(table.model_fields["kind"].annotation)


def _field(kind: type[BaseModel], location: Keys) -> FieldInfo | None:
    """Return the field that a location is in."""
    for depth in range(len(location), 0, -1):
        key = location[depth - 1]
        for table in _tables(kind, location[: depth - 1]):
            if key in table.model_fields:
                return table.model_fields[str(key)]
    return None


def _keys(location: Keys, data: Any) -> Keys:
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


def _line(keys: Keys, lines: Mapping[Keys, int]) -> int:
    """Return the line of a key, or of the table that it belongs to; 0 where the text has neither."""
    while keys and keys not in lines:
        keys = keys[:-1]
    return lines.get(keys, 0)
