"""Lines of the keys in a TOML text, which `tomllib` does not tell."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Path", "key_lines"]

Path = tuple[int | str, ...]
"""Keys and indices that lead to a value."""

TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\r]+|\#[^\n]*)
    | (?P<string>\"{3}(?:[^"\\]|\\.|"{1,2}(?!"))*\"{3,5} | '{3}(?:[^']|'{1,2}(?!'))*'{3,5}
        | "(?:[^"\\\n]|\\.)*" | '[^'\n]*')
    | (?P<mark>[\[\]{}=,.\n])
    | (?P<bare>[^\s\#\[\]{}=,."']+)
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    text: str
    line: int


def key_lines(text: str) -> dict[Path, int]:
    r"""Return the line of every key, table and element of a valid TOML text, by its path.

    Examples
    --------
    >>> lines = key_lines('a = [\n1,\n2]\n[[b]]\nc.d = { e = 3 }\n[[b]]')
    >>> lines["a", 1], lines["b", 0, "c", "d", "e"], lines["b", 1]
    (3, 5, 6)
    """
    return _Reader(text).lines


class _Reader:
    """Reads statements one by one; the text is known to be valid."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._sizes: dict[Path, int] = {}  # of arrays of tables
        self._tokens = list(_tokens(text))
        self._at = 0
        self._table: Path = ()
        while self._at < len(self._tokens):
            if self._peek() == "\n":
                self._next()
            elif self._peek() == "[":
                self._header()
            else:
                self._pair(self._table)

    def _peek(self) -> str:
        return self._tokens[self._at].text if self._at < len(self._tokens) else "\n"

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _header(self) -> None:
        line = self._next().line
        element = self._peek() == "["
        if element:
            self._next()
        *parents, last = self._key()
        path: Path = ()
        for key in parents:
            path = self._latest((*path, key))
            self.lines.setdefault(path, line)
        path = (*path, last)
        if element:
            self.lines.setdefault(path, line)
            self._sizes[path] = self._sizes.get(path, 0) + 1
        self._table = self._latest(path)
        self.lines[self._table] = line
        self._skip("]")

    def _latest(self, path: Path) -> Path:
        """Return the path of the last element where the path is an array of tables."""
        return (*path, self._sizes[path] - 1) if path in self._sizes else path

    def _key(self) -> list[str]:
        """Read a key and its dots."""
        parts = [_unquoted(self._next().text)]
        while self._peek() == ".":
            self._next()
            parts.append(_unquoted(self._next().text))
        return parts

    def _pair(self, table: Path) -> None:
        line = self._tokens[self._at].line
        path = table
        for key in self._key():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._skip("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._peek() == "[":
            self._next()
            index = 0
            while (mark := self._peek()) != "]":
                if mark in "\n,":
                    self._next()
                    continue
                self.lines[*path, index] = self._tokens[self._at].line
                self._value((*path, index))
                index += 1
            self._next()
        elif self._peek() == "{":
            self._next()
            while (mark := self._peek()) != "}":
                if mark in "\n,":
                    self._next()
                else:
                    self._pair(path)
            self._next()
        else:
            while self._peek() not in ("\n", ",", "]", "}"):
                self._next()

    def _skip(self, mark: str) -> None:
        while self._peek() == mark:
            self._next()


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in TOKEN.finditer(text):
        if match.lastgroup != "blank":
            yield _Token(match[0], line)
        line += match[0].count("\n")


def _unquoted(key: str) -> str:
    if key.startswith("'"):
        return key[1:-1]
    if key.startswith('"'):
        escaped = re.sub(r"\\U([0-9a-fA-F]{8})", lambda code: chr(int(code[1], 16)), key)
        return str(json.loads(escaped, strict=False))
    return key
