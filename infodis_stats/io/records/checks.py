"""Checks of records, however they were read: names are unique and printable, and there is text to score."""

import unicodedata
from collections.abc import Sequence
from typing import TypeVar

from estimators import InputError
from infodis_stats.io.records.kinds import Question, Record, TextPair

__all__ = ["checked"]

Made = TypeVar("Made", bound=Record | TextPair | Question)


def checked(made: Sequence[Made], where: str) -> list[Made]:
    """Return records, pairs or questions that can be scored.

    Parameters
    ----------
    made : sequence of Record, of TextPair or of Question
    where : str
        Name of the file, or of the argument, in error messages.

    Raises
    ------
    InputError
        If there is none, a name repeats or has control characters, or a text to score is blank or not Unicode.

    Examples
    --------
    >>> checked([Record("a", "", "ACGT"), Record("a", "", "GT")], "x")
    Traceback (most recent call last):
    estimators.errors.InputError: x: the name 'a' appears more than once
    """
    if not made:
        raise InputError(f"{where} contains nothing to score")
    seen: dict[str, Made] = {}
    for item in made:
        _check_name(item, where)
        for what, text, scored in _texts(item):
            if not isinstance(text, str):
                raise InputError(f"{item.label}: {what} must be a string, got {type(text).__name__}")
            if scored and not text.strip():
                state = "blank" if text else "empty"
                raise InputError(f"{item.label}: {what} is {state}; there is nothing to score")
            if not _is_unicode(text):
                raise InputError(f"{item.label}: {what} has half a surrogate pair; texts must be Unicode")
        if item.name in seen:
            lines = (one.source.removeprefix(f"{where}, ") for one in (seen[item.name], item) if one.source)
            places = " and ".join(lines)
            raise InputError(
                f"{where}: the name {item.name!r} appears more than once" + (f" ({places})" if places else "")
            )
        seen[item.name] = item
    return list(made)


def _check_name(item: Record | TextPair | Question, where: str) -> None:
    name: object = item.name
    if not isinstance(name, str):
        raise InputError(f"{where}: a name must be a string, got {type(name).__name__}")
    if any(unicodedata.category(symbol) == "Cc" and symbol != "\t" for symbol in name):
        raise InputError(f"{item.source or where}: the name {name!r} contains control characters")
    if not _is_unicode(name):
        raise InputError(f"{item.source or where}: the name {name!r} has half a surrogate pair; names must be Unicode")


def _texts(item: Record | TextPair | Question) -> list[tuple[str, object, bool]]:
    """Return what each text is, the text, and whether it is scored."""
    prompt = ("the prompt", item.prompt, False)
    match item:
        case Record():
            return [prompt, ("the response", item.response, True), ("the suffix", item.suffix, False)]
        case TextPair():
            return [prompt, ("the first text", item.first, True), ("the second text", item.second, True)]
        case Question():  # one without text is left out when it is asked, and the others are kept
            return [prompt, *((f"answer {index}", answer, False) for index, answer in enumerate(item.answers))]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
