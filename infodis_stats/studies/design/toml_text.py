"""TOML text of plain values."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from estimators import InputError

__all__ = ["plain", "toml_key", "toml_text", "toml_value"]

WIDTH = 110  # of a list on one line


def plain(value: Any, where: str) -> Any:
    """Convert a value of Python to what TOML can hold; keys whose value is None are left out.

    Raises
    ------
    InputError
        If TOML has no such type.

    Examples
    --------
    >>> plain({"passes": (4, np.int64(8)), "records": Path("a.jsonl"), "level": None}, "the study")
    {'passes': [4, 8], 'records': 'a.jsonl'}
    """
    if isinstance(value, str) and any("\ud800" <= symbol <= "\udfff" for symbol in value):
        raise InputError(f"{where} must consist of Unicode symbols, but {value!r} has half a surrogate pair")
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), where)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise InputError(f"{where}: keys must be strings, got {key!r}")
        return {key: plain(item, f"{where}.{key}") for key, item in value.items() if item is not None}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item, f"{where}.{index}") for index, item in enumerate(value)]
    raise InputError(
        f"{where} must be text, a number, true or false, a list or a dictionary of these, got {type(value).__name__}"
    )


def toml_text(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> str:
    """Return the TOML document of a plain dictionary.

    Examples
    --------
    >>> print(toml_text({"seed": 0, "law": {"kind": "table"}, "targets": [{"name": "a"}]}), end="")
    seed = 0
    <BLANKLINE>
    [law]
    kind = "table"
    <BLANKLINE>
    [[targets]]
    name = "a"
    """
    lines, sections = [], []
    for key, value in table.items():
        inner = (*path, key)
        header = ".".join(map(toml_key, inner))
        if isinstance(value, Mapping):
            sections.append(f"\n[{header}]\n{toml_text(value, inner)}")
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            sections += [f"\n[[{header}]]\n{toml_text(item, inner)}" for item in value]
        else:
            lines.append(f"{toml_key(key)} = {toml_value(value)}\n")
    return "".join([*lines, *sections])


def toml_value(value: Any) -> str:
    """Return the TOML text of a plain value, tables and lists inline; a long list has a line per value.

    Examples
    --------
    >>> toml_value({"name": "a", "sizes": [1, 2.5], "on": True})
    '{ name = "a", sizes = [1, 2.5], on = true }'
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        items = [toml_value(item) for item in value]
        line = ", ".join(items)
        return f"[{line}]" if len(line) <= WIDTH else "".join(["[\n", *(f"    {item},\n" for item in items), "]"])
    return repr(value)


def toml_key(key: str) -> str:
    """Return a key as TOML writes it."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)
