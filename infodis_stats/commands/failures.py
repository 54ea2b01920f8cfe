"""Items of a file that could not be scored: named with their reasons, while the others are kept."""

from collections.abc import Mapping

from estimators import InputError

__all__ = ["report_failed"]

SHOWN = 3  # reasons


def report_failed(failed: Mapping[str, str], count: int, items: str) -> None:
    """Raise `InputError` if items have failed, with how many and why; they have been left out.

    Examples
    --------
    >>> report_failed({}, 3, "questions")
    >>> report_failed({"a": "line 1, 'a': answer 0 is empty"}, 3, "questions")
    Traceback (most recent call last):
    estimators.errors.InputError: 1 of 3 questions left out: line 1, 'a': answer 0 is empty
    """
    if failed:
        reasons = list(failed.values())
        more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
        raise InputError(f"{len(failed)} of {count} {items} left out: {'; '.join(reasons[:SHOWN])}{more}")
