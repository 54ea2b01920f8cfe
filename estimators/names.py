"""The grammar of estimator names: ``KIND[(argument, ...)][+DESIGN]``."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from estimators.errors import InputError

__all__ = ["Name", "number", "parse"]

GRAMMAR = re.compile(r"(?P<kind>[^(+]+)(\((?P<arguments>[^)]*)\))?(\+(?P<design>.+))?")

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Name:
    """An estimator name in its parts.

    Parameters
    ----------
    kind : str
        What comes before parentheses and plus.
    words : tuple of str, optional
        Positional arguments, in order.
    values : dict of str to str, optional
        Arguments given as ``key=value``.
    design : str, optional
        What comes after the plus; empty where there is none.
    """

    kind: str
    words: tuple[str, ...] = ()
    values: dict[str, str] = field(default_factory=dict)
    design: str = ""

    @property
    def plain(self) -> str:
        """The name without its arguments, such as ``"time-integral+stratified"``."""
        return f"{self.kind}+{self.design}" if self.design else self.kind


def parse(name: str) -> Name | None:
    """Return the parts of a name; None for a text that does not follow the grammar.

    Arguments are separated by commas; spaces around them do not count.

    Raises
    ------
    InputError
        If a key is given twice.

    Examples
    --------
    >>> parse("score-entropy(uniform, polynomial, power=3)+sobol")
    Name(kind='score-entropy', words=('uniform', 'polynomial'), values={'power': '3'}, design='sobol')
    >>> parse("chain").plain, parse("chain(")
    ('chain', None)
    """
    match = GRAMMAR.fullmatch(name)
    if match is None:
        return None
    arguments = [argument.strip() for argument in (match["arguments"] or "").split(",")]
    values: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and key in values:
            raise InputError(f"estimator {name!r} has {key}= twice; give it once")
        if equals:
            values[key] = value
    words = tuple(argument for argument in arguments if argument and "=" not in argument)
    return Name(match["kind"], words, values, match["design"] or "")


def number(where: str, key: str, value: str, kind: Callable[[str], Number]) -> Number:
    """Return the number that an argument gives.

    Parameters
    ----------
    where : str
        What the argument belongs to, for the message.
    key, value : str
    kind : type
        ``int`` or ``float``.

    Raises
    ------
    InputError
        If the value is not such a number.

    Examples
    --------
    >>> number("score-entropy", "pilot", "64", int)
    64
    """
    try:
        return kind(value)
    except ValueError as error:
        raise InputError(f"{where} needs a number for {key}, got {value!r}") from error
