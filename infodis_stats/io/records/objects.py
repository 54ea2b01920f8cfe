"""Records from Python objects: strings, tuples, dictionaries, and series and frames of pandas."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from estimators import InputError
from infodis_stats.io.records.checks import checked
from infodis_stats.io.records.content import Entry
from infodis_stats.io.records.kinds import Question, Record, TextPair
from infodis_stats.io.records.shapes import PAIRS, QUESTIONS, RECORDS, Shape, shaped

__all__ = ["Text", "TextPairs", "Texts", "as_answers", "as_pairs", "as_questions", "as_record", "as_records"]

Made = TypeVar("Made", bound=Record | TextPair | Question)

Text = Record | str | tuple[str, str] | Mapping[str, Any]
"""What `as_record` takes."""
Texts = Iterable[Text] | pd.DataFrame | Record | Mapping[str, Any]
"""What `as_records` takes."""
TextPairs = Iterable[TextPair | tuple[str, str, str] | Mapping[str, Any]] | pd.DataFrame | TextPair | Mapping[str, Any]
"""What `as_pairs` takes."""

DIGITS = 1000  # of an integer, in bits: Python refuses to write out longer ones


@dataclass(frozen=True)
class _Kind(Generic[Made]):
    # What a record may be given as: by keys, by the lengths of tuples, and where text alone belongs.
    made: type[Made]
    shapes: Sequence[type[Shape[Made]]]
    tuples: Mapping[int, tuple[str, ...]]
    reader: str
    text: str | None = None

    @property
    def right(self) -> str:
        forms = " or ".join(f"tuples ({', '.join(keys)})" for keys in self.tuples.values())
        return f"{'strings, ' if self.text else ''}{forms}, dictionaries, or objects of type {self.made.__name__}"


TEXTS = _Kind(Record, RECORDS, {2: ("prompt", "response")}, "read_records", text="response")
TEXT_PAIRS = _Kind(TextPair, PAIRS, {3: ("prompt", "first", "second")}, "read_pairs")
ASKED = _Kind(Question, QUESTIONS, {2: ("prompt", "answers"), 3: ("prompt", "answers", "correct")}, "read_questions")


def as_records(texts: Any) -> list[Record]:
    """Turn what holds texts into records.

    Parameters
    ----------
    texts : iterable
        Of `Record`, strings, tuples ``(prompt, response)``, or dictionaries with the keys of the JSON objects of
        `read_records`: a list, a generator, a pandas Series, or a DataFrame with these keys as columns. A single
        `Record` or dictionary is a list of one.

    Returns
    -------
    list of Record
        Names are those of records, or ``id``, or the labels of a pandas index, or else places such as ``element 1``.

    Raises
    ------
    InputError
        If an element is none of these; the message gives its place and its type.

    Examples
    --------
    >>> as_records([("It is a ", "truth"), "universally"])[0]
    Record(name='element 1', prompt='It is a ', response='truth', suffix='')
    """
    return _made(texts, "texts", TEXTS)


def as_record(text: Any) -> Record:
    """Turn a string, a tuple ``(prompt, response)``, a dictionary or a `Record` into a record.

    Examples
    --------
    >>> as_record("universally")
    Record(name='text', prompt='', response='universally', suffix='')
    """
    if isinstance(text, Record):
        (record,) = checked([text], "the record")
        return record
    if not isinstance(text, str | tuple | Mapping):
        raise InputError(
            f"a record must be a string, a tuple (prompt, response), a dictionary or a Record, got {_type(text)}"
        )
    (record,) = checked([_element(text, Entry("", "text", text), TEXTS)], "the record")
    return record


def as_pairs(pairs: Any) -> list[TextPair]:
    """Turn what holds pairs of texts into pairs.

    Parameters
    ----------
    pairs : iterable
        Of `TextPair`, tuples ``(prompt, first, second)``, or dictionaries with the keys of the JSON objects of
        `read_pairs`, as in `as_records`. A single `TextPair` or dictionary is a list of one.

    Examples
    --------
    >>> as_pairs([("It is a ", "truth", "trvth")])
    [TextPair(name='element 1', prompt='It is a ', first='truth', second='trvth')]
    """
    return _made(pairs, "pairs", TEXT_PAIRS)


def as_questions(questions: Any) -> list[Question]:
    """Turn what holds questions into questions.

    Parameters
    ----------
    questions : iterable
        Of `Question`, tuples ``(prompt, answers)`` or ``(prompt, answers, correct)``, or dictionaries with the keys of
        the JSON objects of `read_questions`, as in `as_records`.

    Examples
    --------
    >>> as_questions([("It is a ", ["truth", "trvth"], 0)])
    [Question(name='element 1', prompt='It is a ', answers=('truth', 'trvth'), correct=0)]
    """
    return _made(questions, "questions", ASKED)


def as_answers(answers: Any) -> tuple[str, ...]:
    """Turn a list, a pandas Series or an array of strings into answers.

    Examples
    --------
    >>> as_answers(["truth", "trvth"])
    ('truth', 'trvth')
    """
    if isinstance(answers, str | bytes | Mapping | Path) or not _has_elements(answers):
        raise InputError(f"answers must be a list of strings, got {_type(answers)}")
    found = [_plain(answer, "the answers") for answer in answers]
    for index, answer in enumerate(found):
        if not isinstance(answer, str):
            raise InputError(f"answers must be strings, but answer {index} is {_type(answer)}")
    return tuple(found)


def _made(given: Any, what: str, kind: _Kind[Made]) -> list[Made]:
    if isinstance(given, Mapping | kind.made):
        given = [given]
    elif isinstance(given, pd.DataFrame):
        given = pd.Series(given.to_dict("records"), index=given.index, dtype=object)
    if isinstance(given, str | bytes | Path):
        advice = f"{kind.reader} reads files"
    elif isinstance(given, tuple) and given and all(isinstance(part, str) for part in given):
        advice = "put the tuple into a list"
    elif isinstance(given, Set):
        advice = "a set has no order"
    elif not _has_elements(given):
        advice = f"{kind.reader} reads files"
    else:
        advice = ""
    if advice:
        raise InputError(f"{what} must be a list of {kind.right}, got {_type(given)}; {advice}")
    labels = given.index if isinstance(given, pd.Series) and not _is_counted(given.index) else None
    made = []
    for index, element in enumerate(given):
        place = f"element {index + 1}" if labels is None else str(labels[index])
        made.append(_element(element, Entry("" if labels is None else what, place, element), kind))
    return checked(made, what)


def _has_elements(given: object) -> bool:
    # Arrays and tensors are iterables, even those without a dimension.
    return isinstance(given, Iterable) and getattr(given, "ndim", 1) > 0


def _is_counted(index: "pd.Index[Any]") -> bool:
    return index.equals(pd.RangeIndex(len(index)))


def _element(element: Any, entry: Entry, kind: _Kind[Made]) -> Made:
    if isinstance(element, kind.made):
        return element
    value = _plain(element, entry.source)
    if isinstance(value, str) and kind.text:
        value = {kind.text: value}
    elif isinstance(element, tuple | list) and len(value) in kind.tuples:
        value = dict(zip(kind.tuples[len(value)], value, strict=True))
    elif not isinstance(value, dict):
        size = f" of {len(value)}" if isinstance(element, tuple | list) else ""
        raise InputError(f"{entry.source}: needs {kind.right}, got {_type(element)}{size}")
    return shaped(Entry(entry.where, entry.place, value), kind.shapes, None)


def _plain(value: Any, where: str) -> Any:
    """Return a value in the types of JSON: numpy scalars, arrays, tuples and missing values are converted."""
    if isinstance(value, Mapping):
        return {key: _plain(item, where) for key, item in value.items()}
    if isinstance(value, tuple | list | pd.Series) or (isinstance(value, np.ndarray) and value.ndim == 1):
        return [_plain(item, where) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, int) and value.bit_length() > DIGITS:
        raise InputError(f"{where}: a number is too long")
    return str(value) if isinstance(value, str) else value


def _type(value: object) -> str:
    name = type(value).__name__
    words = {"str": "a string", "bytes": "bytes", "tuple": "a tuple", "list": "a list", "dict": "a dictionary"}
    return words.get(name, "None" if value is None else f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}")
