"""Reference of the keys of study files, made from the models that check them."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from infodis_stats.studies.design.toml import MOST, tables_in
from infodis_stats.studies.design.toml_text import toml_value
from infodis_stats.studies.kinds import kind_named, kinds_by_name

__all__ = ["is_list", "opening_first", "study_reference", "study_schema"]


def study_schema(kind: str = "comparison") -> dict[str, Any]:
    """Return the JSON schema of the study files of a kind.

    Examples
    --------
    >>> study_schema("frontier")["required"][:3]
    ['title', 'seed', 'kind']
    """
    schema: dict[str, Any] = kind_named(kind).schema.model_json_schema()
    return schema


def study_reference(kind: str | None = None) -> str:
    """Return a reference of the keys of study files in Markdown: types, defaults and meanings.

    Parameters
    ----------
    kind : str, optional
        A kind of study. None: all kinds.

    Raises
    ------
    InputError
        If there is no such kind.

    Examples
    --------
    >>> print(study_reference("corpora").splitlines()[0])
    # kind = "corpora"
    """
    names = list(kinds_by_name()) if kind is None else [kind]
    return "\n".join("\n".join(_kind(name)) for name in names)


def opening_first(fields: Mapping[str, FieldInfo]) -> dict[str, FieldInfo]:
    """Return the fields of a study with its kind, its title and its seed first."""
    opening = ("kind", "title", "seed")
    return dict(sorted(fields.items(), key=lambda item: opening.index(item[0]) if item[0] in opening else len(opening)))


def _kind(name: str) -> Iterator[str]:
    schema = kind_named(name).schema
    yield f'# kind = "{name}"'
    yield from _table(schema, "", 2)


def _table(table: type[BaseModel], path: str, level: int) -> Iterator[str]:
    """Describe a table, then those in it."""
    properties = _properties(table)
    yield from ("", _summary(table), "", "| key | type | default | meaning |", "|---|---|---|---|")
    for key, field in (table.model_fields if path else opening_first(table.model_fields)).items():
        words = _table_words(key, field) if tables_in(field.annotation) else _words(properties[key])
        yield f"| `{key}` | {words} | {_default(field)} | {_escaped(field.description or '')} |"
    yield ""
    for key, field in table.model_fields.items():
        tables, header = tables_in(field.annotation), f"{path}{key}"
        if not tables:
            continue
        brackets = f"[[{header}]]" if is_list(field) else f"[{header}]"
        yield f"{'#' * level} `{brackets}`"
        for inner in tables:
            if len(tables) > 1:
                (name,) = get_args(inner.model_fields["kind"].annotation)
                yield from ("", f'{"#" * (level + 1)} `{brackets}` with `kind = "{name}"`')
            yield from _table(inner, f"{header}.", level + 1)


def _summary(table: type[BaseModel]) -> str:
    """Return the first sentence of what a table is."""
    return (table.__doc__ or "").strip().split("\n\n")[0].replace("``", "`")


def _properties(table: type[BaseModel]) -> dict[str, Any]:
    return dict(table.model_json_schema()["properties"])


def is_list(field: FieldInfo) -> bool:
    """Return whether a key is a list, such as of tables."""
    return str(field.annotation).startswith("tuple[")


def _table_words(key: str, field: FieldInfo) -> str:
    return f"list of tables, see `[[{key}]]`" if is_list(field) else f"table, see `[{key}]`"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None or field.default == ():
        return "none"
    return "its defaults" if isinstance(field.default, BaseModel) else f"`{toml_value(field.default)}`"


def _words(schema: Mapping[str, Any]) -> str:
    """Return the type that a JSON schema allows, in words."""
    if "anyOf" in schema:
        return ", or ".join(_words(option) for option in schema["anyOf"] if option.get("type") != "null")
    if "const" in schema:
        return f'`"{schema["const"]}"`'
    if "enum" in schema:
        return " or ".join(f'`"{name}"`' for name in schema["enum"])
    if schema.get("type") == "array":
        if not schema["items"]:
            return "nested lists of numbers"
        size = f", at least {schema['minItems']}" if schema.get("minItems", 1) > 1 else ""
        items = (
            _words(schema["items"]).replace("integer", "integers").replace("number", "numbers").replace("text", "texts")
        )
        return f"list of {items}{size}"
    names = {"integer": "integer", "number": "number", "boolean": "true or false", "string": "text"}
    word = "file name" if schema.get("format") == "path" else names[schema["type"]]
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "greater than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    bounds = [f"{said} {schema[limit]:g}" for limit, said in limits.items() if schema.get(limit, MOST) != MOST]
    return " ".join([word, *([" and ".join(bounds)] if bounds else [])])


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
