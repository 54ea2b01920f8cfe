"""Formats of text files, decided by their content: plain lines, FASTA or JSON."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from estimators import InputError

__all__ = ["FORMATS", "Entry", "format_of", "is_blank", "numbered"]

FORMATS = ("lines", "fasta", "json")
SUFFIXES = dict.fromkeys((".json", ".jsonl", ".ndjson"), "json") | dict.fromkeys(
    (".fa", ".faa", ".fas", ".fasta", ".ffn", ".fna", ".frn", ".fsa", ".mpfa"), "fasta"
)
UNREAD = {
    suffix: f"{name}, which is not read; convert it to {right}"
    for suffixes, name, right in (
        ((".csv", ".tsv"), "a table", "JSON lines, or read it with pandas and pass the DataFrame in Python"),
        ((".fastq", ".fq"), "FASTQ", "FASTA"),
    )
    for suffix in suffixes
}
JSON_START = re.compile(r"""\{\s*(?:["'}]|\w+\s*:|$)|\[\s*(?:[\[{"'\]]|$)""")
SEQUENCE = re.compile(r"(?![A-Z][a-z]+$)[\w*~+-]+")  # no word such as Yes, with one capital
BLOCK = 10  # symbols between two blanks in the sequences of many databases


@dataclass(frozen=True)
class Entry:
    """Something that a file or a Python object contains: its place there, such as ``line 3``, and its value."""

    where: str
    place: str
    value: Any

    @property
    def source(self) -> str:
        """Return the file and the place in it."""
        return f"{self.where}, {self.place}" if self.where else self.place


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text and their numbers, from 1."""
    # str.splitlines would also split at form feeds and Unicode separators inside a line.
    return enumerate(re.split(r"\r\n|\r|\n", text), 1)


def is_blank(line: str) -> bool:
    """Return whether a line has no visible symbol."""
    return not line.strip()


def format_of(text: str, where: str, stated: str | None) -> str:
    r"""Return the format of a text: ``lines``, ``fasta`` or ``json``.

    Parameters
    ----------
    text : str
    where : str
        Name of the file. The suffix of a format says that the content must be of that format; it changes nothing else.
    stated : str or None
        The format that the user states, which is taken as it is.

    Raises
    ------
    InputError
        If the content may be of several formats, or of one that is not read.

    Notes
    -----
    JSON begins with ``{`` or ``[`` and what follows these in JSON: a quote, another bracket, or the end of the line.
    FASTA begins with a header (``>``) or a comment (``;``), and each other line is a sequence: one word, or symbols or
    blocks of ten with blanks between them. Where a blank follows a ``>``, as in quoted mail, sequences are upper-case.
    A text that begins as FASTA or JSON but goes on as something else is refused, and so is a text where only later
    lines are headers or objects. All else is plain lines.

    Examples
    --------
    >>> format_of(">a\nACGT\n", "-", None), format_of('{"response": "a"}', "-", None), format_of("{sic} a", "-", None)
    ('fasta', 'json', 'lines')
    """
    if stated is not None:
        if stated not in FORMATS:
            raise InputError(f"file_format must be {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, got {stated!r}")
        return stated
    suffix = Path(where).suffix.lower()
    if suffix in UNREAD:
        raise InputError(f"{where} is {UNREAD[suffix]}")
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    lines = [(number, line.strip()) for number, line in numbered(text) if not is_blank(line)]
    if not lines:
        return "lines"
    if JSON_START.match(lines[0][1]):
        return "json"
    _refuse_other(lines, where)
    return "fasta" if _is_fasta(lines, where) else "lines"


def _refuse_other(lines: list[tuple[int, str]], where: str) -> None:
    first = lines[0][0]
    for number, line in lines[1:]:
        if line.startswith("{") and line.endswith("}") and _is_object(line):
            raise InputError(
                f"{where}, line {number} is a JSON object, but line {first} is not: correct line {first}, or state "
                "file_format='lines'"
            )
    if len(lines) > 3 and lines[0][1].startswith("@") and lines[2][1].startswith("+") and _is_sequence(lines[1][1]):
        raise InputError(f"{where} is {UNREAD['.fastq']}, or state file_format='lines'")


def _is_object(line: str) -> bool:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, Mapping) and bool(value)


def _is_fasta(lines: list[tuple[int, str]], where: str) -> bool:
    (first, start), choice = lines[0], "state file_format='fasta' or file_format='lines'"
    headers = [number for number, line in lines if line.startswith(">")]
    others = [(number, line) for number, line in lines if not line.startswith((">", ";"))]
    quoted = any(line.startswith("> ") for _, line in lines)  # as in mail, where the other lines may be one word
    prose = [(n, line) for n, line in others if not _is_sequence(line) or (quoted and line != line.upper())]
    if start.startswith(";") and not headers:
        return bool(others) and not prose
    if not headers or (prose and not start.startswith((">", ";"))):
        return False
    if not start.startswith((">", ";")):
        raise InputError(
            f"{where}, line {headers[0]} is like a header of FASTA, but there is none before line {first}: {choice}"
        )
    if prose:
        raise InputError(f"{where} begins as FASTA does, but line {prose[0][0]} is not a sequence of symbols: {choice}")
    if not others:
        raise InputError(f"{where} begins as FASTA does, but has headers only and no sequence: {choice}")
    return True


def _is_sequence(line: str) -> bool:
    return SEQUENCE.fullmatch("".join(line.split())) is not None and are_blocks(line)


def are_blocks(line: str) -> bool:
    """Return whether the blanks of a line only group its symbols: between all of them, or in blocks of ten.

    Examples
    --------
    >>> are_blocks("ACGT"), are_blocks("A C G T"), are_blocks("ACGTACGTAC GTAC"), are_blocks("It is a truth")
    (True, True, True, False)
    """
    *words, last = line.split()
    return all(len(word) == BLOCK for word in words) or all(len(word) == 1 for word in (*words, last))
