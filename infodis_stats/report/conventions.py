"""The conventions of a model in words."""

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["conventions_in_words", "model_points"]


def conventions_in_words(conventions: Mapping[str, Any]) -> str:
    """Return the conventions of a model in one line.

    Examples
    --------
    >>> conventions_in_words({"family": "dream", "before": [9], "after": [], "shifted": True, "guidance": 0.5})
    'family dream, before 9, after none, shifted yes, guidance 0.5'
    """
    return ", ".join(f"{name} {_in_words(value)}" for name, value in conventions.items())


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def model_points(attributes: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """Return the models of a result and their conventions as points of a report."""
    points = []
    for name, heading in (("model", "Model"), ("second_model", "Second model")):
        if name in attributes:
            conventions = json.loads(attributes.get(f"{name}_conventions", "{}"))
            points.append(("", f"{heading}: {attributes[name]}"))
            points += [("", f"Its conventions: {conventions_in_words(conventions)}")] if conventions else []
    return points
