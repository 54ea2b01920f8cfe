"""Checks of arguments: each refuses a wrong value in one sentence that names the argument."""

import reprlib
from collections.abc import Iterable

import numpy as np

from estimators.errors import InputError

__all__ = ["check_choice", "check_count", "check_flag", "check_share"]


def check_count(name: str, value: object, least: int = 1) -> None:
    """Refuse anything but an integer of at least this number. Raises `InputError`.

    Examples
    --------
    >>> check_count("passes", "16")
    Traceback (most recent call last):
    estimators.errors.InputError: passes must be a positive integer, got '16' (str)
    >>> check_count("swaps", 1, least=3)
    Traceback (most recent call last):
    estimators.errors.InputError: swaps must be an integer of at least 3, got 1
    """
    kind = {0: "a non-negative integer", 1: "a positive integer"}.get(least, f"an integer of at least {least}")
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise InputError(f"{name} must be {kind}, got {_shown(value)}")
    if value < least:
        raise InputError(f"{name} must be {kind}, got {value}")


def check_flag(name: str, value: object) -> None:
    """Refuse anything but True or False: a text such as "no" would count as True. Raises `InputError`.

    Examples
    --------
    >>> check_flag("coupled", "no")
    Traceback (most recent call last):
    estimators.errors.InputError: coupled must be True or False, got 'no' (str)
    """
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} must be True or False, got {_shown(value)}")


def check_share(name: str, value: object) -> None:
    """Refuse anything but a number between 0 and 1, both excluded. Raises `InputError`.

    Examples
    --------
    >>> check_share("error", 5)
    Traceback (most recent call last):
    estimators.errors.InputError: error must be between 0 and 1, got 5
    """
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        raise InputError(f"{name} must be between 0 and 1, got {_shown(value)}")
    if not 0 < value < 1:
        raise InputError(f"{name} must be between 0 and 1, got {value}")


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Refuse anything but one of the texts. Raises `InputError`.

    Examples
    --------
    >>> check_choice("of", ["these"], ("these", "population"))
    Traceback (most recent call last):
    estimators.errors.InputError: of must be one of these, population, got ['these'] (list)
    """
    known = list(choices)
    if not isinstance(value, str):
        raise InputError(f"{name} must be one of {', '.join(known)}, got {_shown(value)}")
    if value not in known:
        raise InputError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def _shown(value: object) -> str:
    return f"{reprlib.repr(value)} ({type(value).__name__})"
