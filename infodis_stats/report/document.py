"""What a report of any kind consists of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["Document"]


@dataclass(frozen=True)
class Document:
    """A report before it is laid out.

    Attributes
    ----------
    template : str
        Name of its templates, without suffixes.
    answer : tuple of str
        The findings, a sentence each.
    headlines : mapping of str to DataFrame
        The tables that are printed: title and cells as text.
    figures : mapping of str to callable
        What draws each from the study, as an SVG element.
    tables : mapping of str to DataFrame
        What is written as CSV, in full precision.
    content : mapping
        What else the templates show.
    """

    template: str
    answer: tuple[str, ...]
    headlines: Mapping[str, pd.DataFrame]
    figures: Mapping[str, Callable[[Any], str]]
    tables: Mapping[str, pd.DataFrame]
    content: Mapping[str, object]
