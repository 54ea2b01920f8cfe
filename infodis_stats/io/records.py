"""Text records: the prompts, responses, pairs and questions that a file asks to score."""

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
    """A response to score given a prompt.

    Attributes
    ----------
    name : str
        Unique within a file.
    prompt, response : str
        The response is scored; the prompt is context and may be empty.
    suffix : str, default ""
        Text after the response, which is context as well: the response fills a blank.

    Examples
    --------
    >>> from infodis_stats import estimate_texts, load_model
    >>> record = Record("opening", prompt="It is a truth ", response="universally acknowledged")
    >>> result = estimate_texts(load_model("austen"), [record], passes=4, replicates=2)
    >>> bool(result["nll"].item() > 0)
    True
    """

    name: str
    prompt: str
    response: str
    suffix: str = ""


@dataclass(frozen=True)
class TextPair:
    """Two texts to compare given the same prompt.

    Attributes
    ----------
    name : str
        Unique within a file.
    prompt, first, second : str
        Both texts are scored; the prompt is context and may be empty.

    Examples
    --------
    >>> from infodis_stats import estimate_text_ratios, load_model
    >>> pair = TextPair("opening", prompt="It is a ", first="truth", second="xqzvk")
    >>> result = estimate_text_ratios(load_model("austen"), [pair], passes=4, replicates=2)
    >>> bool(result["log_ratio"].item() > 0)  # the first text is more likely
    True
    """

    name: str
    prompt: str
    first: str
    second: str


@dataclass(frozen=True)
class Question:
    """A prompt with a choice of answers.

    Attributes
    ----------
    name : str
        Unique within a file.
    prompt : str
        Context; may be empty.
    answers : tuple of str
        At least 2 distinct answers.
    correct : int or None
        Index of the correct answer, from 0; None if unknown.
    """

    name: str
    prompt: str
    answers: tuple[str, ...]
    correct: int | None = None


def read_records(path: Path | str) -> list[Record]:
    r"""Read the records of a text file.

    Parameters
    ----------
    path : Path or str
        ``-`` is standard input. The suffix decides the format. ``.jsonl``: one JSON object per line, with the string
        ``response`` and optionally ``prompt`` and ``id``. ``.fasta`` or ``.fa``: headers and sequences. Any other
        suffix: one response per line; blank lines are skipped.

    Returns
    -------
    list of Record
        At least one, in the order of the file. The default name is the line number.

    Raises
    ------
    InputError
        If the file cannot be read, has no record, or a record is malformed; the message names the line or the record.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "dna.fasta"
    ...     _ = path.write_text(">a\nAC\nGT\n")
    ...     read_records(path)
    [Record(name='a', prompt='', response='ACGT')]
    """
    return parse_records(read_text(path), Path(path).suffix, str(path))


def parse_records(text: str, suffix: str, where: str) -> list[Record]:
    r"""Parse records in the formats of `read_records`.

    Parameters
    ----------
    text : str
    suffix : str
        File suffix, which decides the format.
    where : str
        Name of the text in error messages.

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
            raise InputError(f"{where}: the response of {record.name!r} is empty; there is nothing to score")
    return records


def read_pairs(path: Path | str) -> list[TextPair]:
    r"""Read pairs of texts from a JSON-lines file.

    Parameters
    ----------
    path : Path or str
        ``-`` is standard input. One JSON object per line, with the strings ``first`` and ``second`` and optionally
        ``prompt`` and ``id``.

    Returns
    -------
    list of TextPair
        At least one, in the order of the file. The default name is the line number.

    Raises
    ------
    InputError
        If the file cannot be read, has no pair, or a pair is malformed; the message names the line or the pair.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "pairs.jsonl"
    ...     _ = path.write_text('{"prompt": "1 + 1 = ", "first": "2", "second": "3"}\n')
    ...     read_pairs(path)
    [TextPair(name='line 1', prompt='1 + 1 = ', first='2', second='3')]
    """
    return parse_pairs(read_text(path), str(path))


def parse_pairs(text: str, where: str) -> list[TextPair]:
    r"""Parse pairs of texts in the format of `read_pairs`.

    Parameters
    ----------
    text : str
    where : str
        Name of the text in error messages.

    Examples
    --------
    >>> parse_pairs('{"prompt": "1 + 1 = ", "first": "2", "second": "3", "id": "sum"}', "input")
    [TextPair(name='sum', prompt='1 + 1 = ', first='2', second='3')]
    """
    pairs = [TextPair(name, prompt, *texts) for name, prompt, texts in _objects(text, where, keys=("first", "second"))]
    _check_names([pair.name for pair in pairs], where)
    for pair in pairs:
        if not pair.first or not pair.second:
            raise InputError(f"{where}: a text of {pair.name!r} is empty; there is nothing to score")
    return pairs


def read_questions(path: Path | str) -> list[Question]:
    """Read questions from a JSON-lines file; `parse_questions` describes the format.

    Raises
    ------
    InputError
        If the file cannot be read, has no question, or a question is malformed; the message names the line.
    """
    return parse_questions(read_text(path), str(path))


def parse_questions(text: str, where: str) -> list[Question]:
    r"""Parse questions: one JSON object per line with ``answers`` and optionally ``prompt``, ``correct`` and ``id``.

    Parameters
    ----------
    text : str
    where : str
        Name of the text in error messages.

    Examples
    --------
    >>> parse_questions('{"prompt": "1 + 1 = ", "answers": ["2", "3"], "correct": 0, "id": "sum"}', "input")
    [Question(name='sum', prompt='1 + 1 = ', answers=('2', '3'), correct=0)]
    """
    questions = []
    for number, entry in _entries(text, where):
        name, prompt = _name_and_prompt(entry, where, number)
        answers, correct = entry.get("answers"), entry.get("correct")
        if not (isinstance(answers, list) and all(isinstance(answer, str) and answer for answer in answers)):
            raise InputError(f'{where}, line {number}: needs a JSON object with "answers", a list of non-empty strings')
        if len(set(answers)) < max(2, len(answers)):
            raise InputError(f"{where}, line {number}: needs at least 2 answers, all distinct")
        if correct is not None and (type(correct) is not int or not 0 <= correct < len(answers)):
            raise InputError(
                f'{where}, line {number}: "correct" must be the index of an answer, 0 to {len(answers) - 1}, '
                f"got {correct!r}"
            )
        questions.append(Question(name, prompt, tuple(answers), correct))
    _check_names([question.name for question in questions], where)
    return questions


def _check_names(names: Sequence[str], where: str) -> None:
    if not names:
        raise InputError(f"{where} contains nothing to score")
    for name in names:
        if any(unicodedata.category(symbol) == "Cc" and symbol != "\t" for symbol in name):
            raise InputError(f"{where}: the name {name!r} contains control characters")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(f"{where}: the name {repeated[0]!r} appears more than once")


def _lines(text: str, _: str) -> list[Record]:
    return [Record(f"line {number}", "", line) for number, line in _numbered(text) if line.strip()]


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    # str.splitlines would also split at form feeds and Unicode separators inside a line.
    return enumerate(re.split(r"\r\n|\r|\n", text), 1)


def _jsonl(text: str, where: str) -> list[Record]:
    return [Record(name, prompt, *texts) for name, prompt, texts in _objects(text, where, keys=("response",))]


def _objects(text: str, where: str, keys: tuple[str, ...]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the name, the prompt and the texts of each line."""
    needed = " and ".join(f'the string "{key}"' for key in keys)
    for number, entry in _entries(text, where):
        if not all(isinstance(entry.get(key), str) for key in keys):
            raise InputError(f"{where}, line {number}: needs a JSON object with {needed}")
        yield *_name_and_prompt(entry, where, number), [entry[key] for key in keys]


def _entries(text: str, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the JSON object of each non-blank line; an empty dict for any other JSON value."""
    for number, line in _numbered(text):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            json.dumps(entry, ensure_ascii=False).encode()
        except json.JSONDecodeError as error:
            raise InputError(f"{where}, line {number}: not valid JSON ({error.msg})") from error
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{where}, line {number}: the JSON is nested too deeply, or has a number that is too long or half a "
                "surrogate pair"
            ) from error
        yield number, entry if isinstance(entry, dict) else {}


def _name_and_prompt(entry: dict[str, Any], where: str, number: int) -> tuple[str, str]:
    prompt, name = entry.get("prompt", ""), entry.get("id", f"line {number}")
    if not isinstance(prompt, str) or not isinstance(name, str | int) or isinstance(name, bool):
        raise InputError(f'{where}, line {number}: "prompt" must be a string, and "id" a string or an integer')
    return str(name), prompt


def _fasta(text: str, where: str) -> list[Record]:
    records: list[Record] = []
    name, parts = None, [""]
    for number, raw in _numbered(f"{text}\n>"):  # the extra header ends the last sequence
        line = raw.strip()
        if line.startswith(">"):
            if name is not None:
                records.append(Record(name, "", "".join(parts)))
            name, parts = line[1:].strip() or f"sequence {len(records)}", []
        elif line and name is None:
            raise InputError(f"{where}, line {number}: sequence data before the first header line ('>')")
        else:
            parts.append(line)
    return records
