"""Names of groups for readers: the subject is said once."""

import re
from collections.abc import Iterable

__all__ = ["short_group"]


def short_group(name: str, subjects: Iterable[str]) -> str:
    """Return the name ``subject/table`` of a group without words of the subject that the table says again.

    Parameters
    ----------
    name : str
    subjects : iterable of str
        Names of the subjects of the study; a group that begins with none of them keeps its name.

    Examples
    --------
    >>> subjects = ["English characters", "Molecules"]
    >>> short_group("English characters/characters: one word changed", subjects)
    'English characters/one word changed'
    >>> short_group("Molecules/one atom changed", subjects)
    'Molecules/one atom changed'
    """
    for subject in subjects:
        said, _, rest = name.removeprefix(f"{subject}/").partition(": ")
        again = set(re.findall(r"\w+", said.lower())) <= set(re.findall(r"\w+", subject.lower()))
        if name.startswith(f"{subject}/") and rest and again:
            return f"{subject}/{rest}"
    return name
