"""Reading of records, pairs and questions from files and standard input."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from estimators import InputError
from infodis_stats.io.files import read_text
from infodis_stats.io.records.checks import checked
from infodis_stats.io.records.content import SUFFIXES, format_of, is_blank, numbered
from infodis_stats.io.records.fasta import fasta_records
from infodis_stats.io.records.json_entries import json_entries
from infodis_stats.io.records.kinds import Question, Record, TextPair
from infodis_stats.io.records.shapes import KEYS, PAIRS, QUESTIONS, RECORDS, Shape, shaped

__all__ = ["parse_pairs", "parse_questions", "parse_records", "read_pairs", "read_questions", "read_records"]

Made = TypeVar("Made", bound=Record | TextPair | Question)


def read_records(
    path: Path | str,
    *,
    file_format: str | None = None,
    fields: Mapping[str, str] | None = None,
    upper: bool = False,
    strip_stop: bool = False,
) -> list[Record]:
    r"""Read the texts of a file.

    Parameters
    ----------
    path : Path or str
        ``-`` is standard input. The content decides the format, whatever the suffix; see Notes.
    file_format : {"lines", "fasta", "json"}, optional
        The format, where the content may be of several.
    fields : mapping of str to str, optional
        Keys of the JSON objects for ``prompt``, ``response``, ``suffix`` and ``id``, such as ``{"response": "y"}``.
    upper : bool, default False
        Read lower-case symbols of FASTA, which mark repeats, as upper-case ones.
    strip_stop : bool, default False
        Drop a ``*`` at the end of a FASTA sequence, which marks the stop codon.

    Returns
    -------
    list of Record
        At least one, in the order of the file. The default name is the place, such as ``line 3``.

    Raises
    ------
    InputError
        If the file cannot be read, has no record, may be of several formats, or a record is malformed; the message
        names the file, the line and the record.

    Notes
    -----
    The formats are

    - JSON, if the text begins with ``{`` or ``[`` and what follows these in JSON: one object per line, an array of
      objects, or an object that contains one list of objects. An object has the string ``response`` and optionally
      ``prompt``, ``suffix`` (text after the response, which is context too) and ``id``; null is none. Objects with the
      string ``text`` and any other keys are texts without a prompt.
    - FASTA, if the text begins with a header (``>``) or a comment (``;``) and all other lines are sequences of
      symbols. Names are the headers.
    - Plain lines otherwise: one text per line; blank lines are skipped, nothing else is changed.

    A file whose suffix names a format (such as ``.jsonl``, ``.fasta``, ``.faa``; in any case) must be of that format.
    A text that begins as one format and goes on as another is refused: state its ``file_format``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "dna.fasta"
    ...     _ = path.write_text(">a\nAC\nGT\n")
    ...     read_records(path)
    [Record(name='a', prompt='', response='ACGT', suffix='')]
    """
    text = read_text(path)
    return parse_records(text, _named(path), file_format=file_format, fields=fields, upper=upper, strip_stop=strip_stop)


def parse_records(
    text: str,
    where: str,
    *,
    file_format: str | None = None,
    fields: Mapping[str, str] | None = None,
    upper: bool = False,
    strip_stop: bool = False,
) -> list[Record]:
    r"""Parse texts in the formats of `read_records`.

    Parameters
    ----------
    text : str
    where : str
        Name of the file in error messages.
    file_format, fields, upper, strip_stop
        As in `read_records`.

    Examples
    --------
    >>> parse_records('{"prompt": "1 + 1 = ", "response": "2", "id": "sum"}', "input")
    [Record(name='sum', prompt='1 + 1 = ', response='2', suffix='')]
    >>> parse_records(">a\nAC\nGT\n", "input")
    [Record(name='a', prompt='', response='ACGT', suffix='')]
    """
    chosen = format_of(text, where, file_format)
    if chosen != "fasta" and (upper or strip_stop):
        option = "upper=True" if upper else "strip_stop=True"
        raise InputError(f"{option} is for FASTA, but {where} is {'JSON' if chosen == 'json' else 'plain lines'}")
    if chosen == "json":
        return _objects(text, where, RECORDS, fields, stated=file_format)
    if fields:
        raise InputError(f"fields= is for JSON, but {where} is {'FASTA' if chosen == 'fasta' else 'plain lines'}")
    if chosen == "fasta":
        return checked(fasta_records(text, where, upper=upper, strip_stop=strip_stop), where)
    lines = [(number, line) for number, line in numbered(text) if not is_blank(line)]
    records = [Record(f"line {number}", "", line, source=f"{where}, line {number}") for number, line in lines]
    return checked(records, where)


def read_pairs(
    path: Path | str, *, file_format: str | None = None, fields: Mapping[str, str] | None = None
) -> list[TextPair]:
    r"""Read pairs of texts from a JSON file.

    Parameters
    ----------
    path : Path or str
        ``-`` is standard input. JSON as in `read_records`. An object has the strings ``first`` and ``second`` and
        optionally ``prompt`` and ``id``; or, with any other keys, ``sentence_good`` and ``sentence_bad``, or ``chosen``
        and ``rejected`` and optionally ``prompt``.
    file_format : {"json"}, optional
        As in `read_records`.
    fields : mapping of str to str, optional
        Keys of the objects for ``prompt``, ``first``, ``second`` and ``id``.

    Returns
    -------
    list of TextPair
        At least one, in the order of the file. The default name is the place, such as ``line 3``.

    Raises
    ------
    InputError
        If the file cannot be read, has no pair, or a pair is malformed; the message names the line and the pair.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "pairs.json"
    ...     _ = path.write_text('[{"x": "1 + 1 = ", "y": "2", "z": "3"}]')
    ...     read_pairs(path, fields={"prompt": "x", "first": "y", "second": "z"})
    [TextPair(name='element 1', prompt='1 + 1 = ', first='2', second='3')]
    """
    return parse_pairs(read_text(path), _named(path), file_format=file_format, fields=fields)


def parse_pairs(
    text: str, where: str, *, file_format: str | None = None, fields: Mapping[str, str] | None = None
) -> list[TextPair]:
    r"""Parse pairs of texts in the format of `read_pairs`.

    Parameters
    ----------
    text : str
    where : str
        Name of the file in error messages.
    file_format, fields
        As in `read_pairs`.

    Examples
    --------
    >>> parse_pairs('{"prompt": "1 + 1 = ", "first": "2", "second": "3", "id": "sum"}', "input")
    [TextPair(name='sum', prompt='1 + 1 = ', first='2', second='3')]
    """
    _check_json(text, where, file_format, "pairs")
    return _objects(text, where, PAIRS, fields, stated=file_format)


def read_questions(
    path: Path | str, *, file_format: str | None = None, fields: Mapping[str, str] | None = None
) -> list[Question]:
    r"""Read questions from a JSON file.

    Parameters
    ----------
    path : Path or str
        ``-`` is standard input. JSON as in `read_records`. An object has the list ``answers`` and optionally
        ``prompt``, ``correct`` (the index of the right answer from 0, or its letter) and ``id``. The shapes of common
        benchmarks may have any other keys: ``ctx``, ``endings``, ``label`` (HellaSwag); ``goal``, ``sol1``, ``sol2``,
        ``label`` (PIQA); ``question`` and ``choices`` with ``answer`` (MMLU) or ``answerKey`` (ARC); ``query``,
        ``choices``, ``gold`` (AGIEval). In these there is one blank between the prompt and an answer, as in evaluation
        harnesses.
    file_format : {"json"}, optional
        As in `read_records`.
    fields : mapping of str to str, optional
        Keys of the objects for ``prompt``, ``answers``, ``correct`` and ``id``.

    Returns
    -------
    list of Question
        At least one, in the order of the file. The default name is the place, such as ``line 3``.

    Raises
    ------
    InputError
        If the file cannot be read, has no question, or a question is malformed; the message names the line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "piqa.jsonl"
    ...     _ = path.write_text('{"goal": "To rest,", "sol1": "sleep", "sol2": "run", "label": 0}')
    ...     read_questions(path)
    [Question(name='line 1', prompt='To rest,', answers=(' sleep', ' run'), correct=0)]
    """
    return parse_questions(read_text(path), _named(path), file_format=file_format, fields=fields)


def parse_questions(
    text: str, where: str, *, file_format: str | None = None, fields: Mapping[str, str] | None = None
) -> list[Question]:
    r"""Parse questions in the format of `read_questions`.

    Parameters
    ----------
    text : str
    where : str
        Name of the file in error messages.
    file_format, fields
        As in `read_questions`.

    Examples
    --------
    >>> parse_questions('{"prompt": "1 + 1 = ", "answers": ["2", "3"], "correct": 0, "id": "sum"}', "input")
    [Question(name='sum', prompt='1 + 1 = ', answers=('2', '3'), correct=0)]
    """
    _check_json(text, where, file_format, "questions")
    return _objects(text, where, QUESTIONS, fields, stated=file_format)


def _named(path: Path | str) -> str:
    return "standard input" if str(path) == "-" else str(path)


def _check_json(text: str, where: str, stated: str | None, what: str) -> None:
    chosen = format_of(text, where, stated)
    if chosen != "json" and text.strip():
        found = "FASTA" if chosen == "fasta" else "plain lines"
        raise InputError(f"{where} is {found}, but {what} are JSON: one object per line, or an array of objects")


def _objects(
    text: str,
    where: str,
    shapes: Sequence[type[Shape[Made]]],
    fields: Mapping[str, str] | None,
    *,
    stated: str | None,
) -> list[Made]:
    fields = {} if fields is None else fields
    if not isinstance(fields, Mapping) or not all(isinstance(key, str) for pair in fields.items() for key in pair):
        raise InputError(f"fields must be a mapping of strings to strings, got {fields!r}")
    allowed = list(shapes[0].model_fields)
    for key in fields:
        if key not in allowed:
            raise InputError(f"fields may name {', '.join(allowed)}, got {key!r}")
    if len(set(fields.values())) < len(fields):
        raise InputError(f"fields must name different keys, got {', '.join(fields.values())}")
    try:
        entries = json_entries(text, where, KEYS.union(fields.values()))
    except InputError as error:
        settled = stated or Path(where).suffix.lower() in SUFFIXES or "not valid" not in str(error)
        raise InputError(
            str(error) if settled else f"{error}; if it is plain text, state file_format='lines'"
        ) from error
    return checked([shaped(entry, shapes, fields) for entry in entries], where)
