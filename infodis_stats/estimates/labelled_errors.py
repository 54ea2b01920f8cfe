"""Errors that say which record they are about, instead of the index of a sequence."""

import contextlib
import re
from collections.abc import Iterator, Sequence

from estimators import InputError, ModelError

__all__ = ["labelled_errors"]

ITEM = re.compile(r"(?:(?:sequence|pair) )?(?:(?P<index>\d+)\b|(?P<name>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))")


@contextlib.contextmanager
def labelled_errors(labels: Sequence[str], names: Sequence[str] = ()) -> Iterator[None]:
    """Replace the index or the name of an item, with which the message of an error begins, by its label.

    Parameters
    ----------
    labels : sequence of str
        Label of each item.
    names : sequence of str, optional
        Name of each item.

    Examples
    --------
    >>> with labelled_errors(["dna.fasta, line 1", "dna.fasta, line 3"]):
    ...     raise InputError("sequence 1, position 3: token 7 is not one of 4 symbols")
    Traceback (most recent call last):
    estimators.errors.InputError: dna.fasta, line 3, position 3: token 7 is not one of 4 symbols
    """
    try:
        yield
    except (InputError, ModelError) as error:
        message = str(error)
        match = ITEM.match(message)
        item = None if match is None else _item(match, names)
        if match is None or item is None or item >= len(labels):
            raise
        kind = ModelError if isinstance(error, ModelError) else InputError
        raise kind(labels[item] + message[match.end() :]) from error


def _item(match: re.Match[str], names: Sequence[str]) -> int | None:
    if match["index"]:
        return int(match["index"]) if match[0][:1].isalpha() else None
    return next((item for item, name in enumerate(names) if repr(name) == match["name"]), None)
