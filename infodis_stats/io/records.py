"""Records: what a text file asks to be scored, a prompt and a response each."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from estimators import InputError
from infodis_stats.io.files import read_text

__all__ = [
    "Question",
    "Record",
    "TextPair",
    "parse_pairs",
    "parse_questions",
    "parse_records",
    "read_pairs",
    "read_questions",
    "read_records",
]


@dataclass(frozen=True)
class Record:
    """A text to score, given a prompt.

    Attributes
    ----------
    name : str
        Distinct within a file.
    prompt, response : str
        Only the response is scored; the prompt is given and may be empty.
    """

    name: str
    prompt: str
    response: str


@dataclass(frozen=True)
class TextPair:
    """Two texts to compare, given one prompt.

    Attributes
    ----------
    name : str
        Distinct within a file.
    prompt, first, second : str
        Both texts are scored; the prompt is given and may be empty.
    """

    name: str
    prompt: str
    first: str
    second: str


@dataclass(frozen=True)
class Question:
    """A prompt and the answers to choose from.

    Attributes
    ----------
    name : str
        Distinct within a file.
    prompt : str
        Given; may be empty.
    answers : tuple of str
        At least 2, all different.
    correct : int or None
        Which of them is right, counted from 0, where that is known.
    """

    name: str
    prompt: str
    answers: tuple[str, ...]
    correct: int | None = None


def read_records(path: Path | str) -> list[Record]:
    """Read the records of a file; see `parse_records` for the formats, which go by the suffix.

    Raises
    ------
    InputError
        If the file cannot be read or a record is not as it should be; names the line.
    """
    return parse_records(read_text(path), Path(path).suffix, str(path))


def parse_records(text: str, suffix: str, where: str) -> list[Record]:
    r"""Parse records.

    Parameters
    ----------
    text : str
    suffix : str
        ``.jsonl``: an object a line with ``response``, and optionally ``prompt`` and ``id``; ``.fasta`` or ``.fa``:
        headers and sequences; anything else: a response a line, blank lines passed over.
    where : str
        What messages call the text.

    Examples
    --------
    >>> parse_records('{"prompt": "1 + 1 = ", "response": "2", "id": "sum"}', ".jsonl", "input")
    [Record(name='sum', prompt='1 + 1 = ', response='2')]
    >>> parse_records(">a\nAC\nGT\n", ".fasta", "input")
    [Record(name='a', prompt='', response='ACGT')]
    """
    parse = {".jsonl": _jsonl, ".fasta": _fasta, ".fa": _fasta}.get(suffix, _lines)
    records = parse(text, where)
    _check_names([record.name for record in records], where)
    for record in records:
        if not record.response:
            raise InputError(f"{where}: the response of {record.name!r} is empty, there is nothing to score")
    return records


def read_pairs(path: Path | str) -> list[TextPair]:
    """Read pairs of texts; see `parse_pairs` for the format.

    Raises
    ------
    InputError
        If the file cannot be read or a pair is not as it should be; names the line.
    """
    return parse_pairs(read_text(path), str(path))


def parse_pairs(text: str, where: str) -> list[TextPair]:
    r"""Parse pairs of texts: an object a line with ``first`` and ``second``, and optionally ``prompt`` and ``id``.

    Parameters
    ----------
    text : str
    where : str
        What messages call the text.

    Examples
    --------
    >>> parse_pairs('{"prompt": "1 + 1 = ", "first": "2", "second": "3", "id": "sum"}', "input")
    [TextPair(name='sum', prompt='1 + 1 = ', first='2', second='3')]
    """
    pairs = [TextPair(name, prompt, *texts) for name, prompt, texts in _objects(text, where, keys=("first", "second"))]
    _check_names([pair.name for pair in pairs], where)
    for pair in pairs:
        if not pair.first or not pair.second:
            raise InputError(f"{where}: a text of {pair.name!r} is empty, there is nothing to score")
    return pairs


def read_questions(path: Path | str) -> list[Question]:
    """Read questions; see `parse_questions` for the format.

    Raises
    ------
    InputError
        If the file cannot be read or a question is not as it should be; names the line.
    """
    return parse_questions(read_text(path), str(path))


def parse_questions(text: str, where: str) -> list[Question]:
    r"""Parse questions: an object a line with ``answers``, and optionally ``prompt``, ``correct`` and ``id``.

    Parameters
    ----------
    text : str
    where : str
        What messages call the text.

    Examples
    --------
    >>> parse_questions('{"prompt": "1 + 1 = ", "answers": ["2", "3"], "correct": 0, "id": "sum"}', "input")
    [Question(name='sum', prompt='1 + 1 = ', answers=('2', '3'), correct=0)]
    """
    questions = []
    for number, entry in _entries(text, where):
        name, prompt = _name_and_prompt(entry, where, number)
        answers, correct = entry.get("answers"), entry.get("correct")
        if not (isinstance(answers, list) and all(isinstance(one, str) and one for one in answers)):
            raise InputError(f'{where}, line {number}: needs an object with "answers", a list of texts')
        if len(set(answers)) < max(2, len(answers)):
            raise InputError(f"{where}, line {number}: needs at least 2 answers, all different")
        if correct is not None and (type(correct) is not int or not 0 <= correct < len(answers)):
            raise InputError(f'{where}, line {number}: "correct" counts answers from 0, got {correct!r}')
        questions.append(Question(name, prompt, tuple(answers), correct))
    _check_names([question.name for question in questions], where)
    return questions


def _check_names(names: Sequence[str], where: str) -> None:
    if not names:
        raise InputError(f"{where} holds nothing to score")
    for name in names:
        if any(unicodedata.category(symbol) == "Cc" and symbol != "\t" for symbol in name):
            raise InputError(f"{where}: the name {name!r} has control characters")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(f"{where}: the name {repeated[0]!r} stands more than once")


def _lines(text: str, _: str) -> list[Record]:
    return [Record(f"line {number}", "", line) for number, line in _numbered(text) if line.strip()]


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    # str.splitlines would also end a line at a form feed or a separator that is part of it.
    return enumerate(re.split(r"\r\n|\r|\n", text), 1)


def _jsonl(text: str, where: str) -> list[Record]:
    return [Record(name, prompt, *texts) for name, prompt, texts in _objects(text, where, keys=("response",))]


def _objects(text: str, where: str, keys: tuple[str, ...]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the name, the prompt and the texts of each line."""
    needed = " and ".join(f'"{key}"' for key in keys)
    for number, entry in _entries(text, where):
        if not all(isinstance(entry.get(key), str) for key in keys):
            raise InputError(f"{where}, line {number}: needs an object with a string {needed}")
        yield *_name_and_prompt(entry, where, number), [entry[key] for key in keys]


def _entries(text: str, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the object of each line; one that is no object is empty."""
    for number, line in _numbered(text):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            json.dumps(entry, ensure_ascii=False).encode()
        except json.JSONDecodeError as error:
            raise InputError(f"{where}, line {number}: not JSON ({error.msg})") from error
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{where}, line {number}: JSON too deep, with a number too long, or with half a surrogate pair"
            ) from error
        yield number, entry if isinstance(entry, dict) else {}


def _name_and_prompt(entry: dict[str, Any], where: str, number: int) -> tuple[str, str]:
    prompt, name = entry.get("prompt", ""), entry.get("id", f"line {number}")
    if not isinstance(prompt, str) or not isinstance(name, str | int) or isinstance(name, bool):
        raise InputError(f'{where}, line {number}: "prompt" needs to be a string, and "id" a string or a number')
    return str(name), prompt


def _fasta(text: str, where: str) -> list[Record]:
    records: list[Record] = []
    name, parts = None, [""]
    for number, raw in _numbered(f"{text}\n>"):
        line = raw.strip()
        if line.startswith(">"):
            if name is not None:
                records.append(Record(name, "", "".join(parts)))
            name, parts = line[1:].strip() or f"sequence {len(records)}", []
        elif line and name is None:
            raise InputError(f"{where}, line {number}: a sequence stands before the first header '>'")
        else:
            parts.append(line)
    return records
