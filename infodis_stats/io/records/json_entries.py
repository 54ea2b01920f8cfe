"""The objects of a JSON text: one a line, the elements of an array, or of the one list in an object."""

import json
from collections.abc import Container, Iterator
from typing import Any

from estimators import InputError
from infodis_stats.io.records.content import Entry, is_blank, numbered

__all__ = ["json_entries"]

BLANKS = " \t\r\n"


class _RepeatedKeyError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} appears more than once")
    return made


DECODER = json.JSONDecoder(object_pairs_hook=_object)


def json_entries(text: str, where: str, keys: Container[str]) -> list[Entry]:
    r"""Return the objects of a text, each with its place.

    Parameters
    ----------
    text : str
        JSON lines, an array, one object, or an object with one list of objects in it.
    where : str
        Name of the text in error messages.
    keys : container of str
        Keys of records: an object that has one of them is itself a record.

    Raises
    ------
    InputError
        If the text is not valid JSON; the message names the line or the element.

    Examples
    --------
    >>> [entry.place for entry in json_entries('[{"a": 1}, {"a": 2}]', "x", ())]
    ['element 1', 'element 2']
    >>> [entry.place for entry in json_entries('{"a": 1}\n\n{"a": 2}', "x", "a")]
    ['line 1', 'line 3']
    """
    lines = [(number, line) for number, line in numbered(text) if not is_blank(line)]
    if not lines:
        return []
    if lines[0][1].lstrip().startswith("["):
        values = enumerate(_elements(text, where), 1)
        return [Entry(where, f"element {number}", value) for number, value in values]
    if _is_one_value(lines, text):
        whole = _decoded(text.strip(BLANKS), where, first_line=lines[0][0])
        entries = [Entry(where, f"line {lines[0][0]}", whole)]
    else:
        entries = [
            Entry(where, f"line {number}", _decoded(line.strip(), f"{where}, line {number}")) for number, line in lines
        ]
    return _listed(entries, keys) if len(entries) == 1 else entries


def _is_one_value(lines: list[tuple[int, str]], text: str) -> bool:
    # Broken JSON is one value unless a line is like an object: errors then name the line that breaks it.
    if len(lines) == 1:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return not (lines[0][1].rstrip().endswith("}") or any(_is_object(line) for _, line in lines))
    return True


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _listed(entries: list[Entry], keys: Container[str]) -> list[Entry]:
    (entry,) = entries
    if not isinstance(entry.value, dict) or any(key in keys for key in entry.value):
        return entries
    lists = [value for value in entry.value.values() if _is_list_of_objects(value)]
    if len(lists) != 1:
        return entries
    return [Entry(entry.where, f"element {number}", value) for number, value in enumerate(lists[0], 1)]


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _decoded(text: str, where: str, first_line: int = 0) -> Any:
    value, end = _value(text, 0, where, first_line)
    if text[end:].strip(BLANKS):
        line = f", line {first_line + text.count(chr(10), 0, end)}" if first_line else ""
        raise InputError(f"{where}{line}: not valid JSON (there is more text after the end of a value)")
    return value


def _elements(text: str, where: str) -> Iterator[Any]:
    position = text.index("[") + 1
    number = 0
    while True:
        position = _skipped(text, position)
        if text[position : position + 1] == "]" and not number:
            break
        number += 1
        value, position = _value(text, position, f"{where}, element {number}", None)
        yield value
        position = _skipped(text, position)
        if text[position : position + 1] == "]":
            break
        if text[position : position + 1] != ",":
            raise InputError(f"{where}, element {number}: not valid JSON (no ',' or ']' after the element)")
        position += 1
    if text[position + 1 :].strip(BLANKS):
        raise InputError(f"{where}, after element {number}: not valid JSON (there is more text after the array)")


def _skipped(text: str, position: int) -> int:
    while text[position : position + 1] in BLANKS and position < len(text):
        position += 1
    return position


def _value(text: str, position: int, where: str, first_line: int | None) -> tuple[Any, int]:
    """Return the value at a position, and the position after it; with a first line, errors name their line."""
    try:
        value, end = DECODER.raw_decode(text, position)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        line = f", line {first_line + error.lineno - 1}" if first_line else ""
        raise InputError(f"{where}{line}: not valid JSON ({error.msg})") from error
    except _RepeatedKeyError as error:
        raise InputError(f"{where}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{where}: the JSON is nested too deeply, or has a number that is too long or half a surrogate pair"
        ) from error
    return value, end
