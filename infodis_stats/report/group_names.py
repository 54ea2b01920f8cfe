"""Names of groups for readers: the subject is said once."""

import re

__all__ = ["short_group"]


def short_group(name: str) -> str:
    """Return the name ``subject/table`` of a group without words of the subject that the table says again.

    Examples
    --------
    >>> short_group("English characters/characters: one word changed"), short_group("Molecules/one atom changed")
    ('English characters/one word changed', 'Molecules/one atom changed')
    """
    subject, slash, table = name.partition("/")
    said, colon, rest = table.partition(":")
    again = set(re.findall(r"\w+", said.lower())) <= set(re.findall(r"\w+", subject.lower()))
    return f"{subject}{slash}{rest.strip()}" if slash and colon and again and rest.strip() else name
