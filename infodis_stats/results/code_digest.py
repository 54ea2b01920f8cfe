"""The digest of the code that computes numbers, without what leaves every number as it is."""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.abc import Traversable
from pathlib import PurePosixPath
from typing import Any, NamedTuple

__all__ = ["code_digest"]

PACKAGES = ("estimators", "infodis_stats")
NO_NUMBERS = (
    "infodis_stats/__main__.py",
    "infodis_stats/cli.py",
    "infodis_stats/commands",
    "infodis_stats/diagnostics",
    "infodis_stats/notebook.py",
    "infodis_stats/plots",
    "report",
    "report.py",
    "verdicts.py",
    "studies/*/example.py",
    "studies/diagnosis.py",
    "studies/kinds.py",
    "studies/reference.py",
    "studies/template.py",
)
"""Files and folders that display numbers, judge them or choose what to run, in any folder of a package."""

STUDIES = ("infodis_stats", "studies")
DISPLAYED = ("_repr_html_",)
"""Methods that display a value."""

CAUTION = "Caution"
"""A value that holds messages behind its key."""

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class _Source(NamedTuple):
    """What counts of a file: the digest of its statements, and the kinds of study that it imports."""

    digest: bytes
    imports: frozenset[str]


@cache
def code_digest(module: str) -> str:
    """Return the SHA-256 of the code that a module computes its numbers with, in hexadecimal.

    It covers unreleased changes, and is the same on every version of Python that parses the code alike. Comments,
    docstrings, formatting, the messages of errors and cautions, and code that displays numbers do not count; nor do
    kinds of study that the kind of the module does not import.

    Parameters
    ----------
    module : str
        Its full name. All kinds of study count if it is in no package of ours.

    Examples
    --------
    >>> frontier, run = (code_digest(f"infodis_stats.studies.frontier.{name}") for name in ("schema", "run"))
    >>> frontier == run, frontier == code_digest("infodis_stats.studies.corpora.run")
    (True, False)
    """
    sources = _sources()
    kinds = {path.parts[2] for path in sources if path.parts[:2] == STUDIES and path.name == "run.py"}
    counted = _reached(module, kinds, sources)
    digest = hashlib.sha256()
    for path, source in sorted(sources.items()):
        if counted.issuperset(kinds.intersection(_kind(path))):
            digest.update(str(path).encode() + b"\0" + source.digest)
    return digest.hexdigest()


def _reached(module: str, kinds: set[str], sources: dict[PurePosixPath, _Source]) -> set[str]:
    """Return the kinds of study that a module belongs to or imports, directly or not."""
    package, *inner = module.split(".")
    if package not in PACKAGES:
        return kinds
    reached: set[str] = set()
    found = kinds.intersection(inner[1:2]) if inner[:1] == ["studies"] else set()
    while found:
        reached |= found
        found = {
            name for path, source in sources.items() if reached.intersection(_kind(path)) for name in source.imports
        }
        found = (found & kinds) - reached
    return reached


def _kind(path: PurePosixPath) -> tuple[str, ...]:
    """Return the name of the folder in ``studies`` that a file is in, if it is in any."""
    return path.parts[2:3] if path.parts[:2] == STUDIES and len(path.parts) > 3 else ()


@cache
def _sources() -> dict[PurePosixPath, _Source]:
    return {
        path: _source(text)
        for package in PACKAGES
        for path, text in _files(resources.files(package), PurePosixPath(package))
    }


def _files(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, bytes]]:
    for entry in folder.iterdir():
        inner = path / entry.name
        if any(inner.match(pattern) for pattern in NO_NUMBERS):
            continue
        if entry.is_dir():
            yield from _files(entry, inner)
        elif entry.name.endswith(".py"):
            yield inner, entry.read_bytes()


def _source(text: bytes) -> _Source:
    parts: list[str] = []
    _write(ast.parse(text), parts)
    names = re.findall(rb"\binfodis_stats\.studies\.(\w+)", text)
    return _Source(hashlib.sha256("\n".join(parts).encode()).digest(), frozenset(name.decode() for name in names))


def _write(node: Any, parts: list[str]) -> None:
    """Write a syntax tree without what displays, and without empty fields, in which versions of Python differ."""
    node = _without_messages(node)
    parts.append(type(node).__name__)
    for name in node._fields:
        value = getattr(node, name)
        if isinstance(value, list):
            if name == "body" and isinstance(node, DOCUMENTED) and _is_text(value[:1]):
                value = value[1:]
            for item in value:
                if isinstance(item, DOCUMENTED) and getattr(item, "name", "") in DISPLAYED:
                    continue
                parts.append(name)
                _write_value(item, parts)
        elif value is not None and not isinstance(value, ast.expr_context):
            parts.append(name)
            _write_value(value, parts)
    parts.append("end")


def _without_messages(node: Any) -> Any:
    """Return a node without the message of the error that it raises, or the texts of the caution that it makes."""
    match node:
        case ast.Raise(exc=ast.Call(func=error), cause=cause):
            return ast.Raise(error, cause)
        case ast.Call(func=ast.Name(id=name), args=[key, *_]) if name == CAUTION:
            return ast.Call(node.func, [key], [])
        case _:
            return node


def _write_value(value: Any, parts: list[str]) -> None:
    if isinstance(value, ast.AST):
        _write(value, parts)
    else:
        parts.append(repr(value))


def _is_text(first: list[Any]) -> bool:
    return any(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for node in first
    )
