"""A report as a value: a list of sections, rendered to HTML and to Markdown from one description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from infodis_stats.diagnostics import Diagnosis

__all__ = [
    "OVERALL",
    "Answer",
    "Code",
    "Details",
    "Document",
    "Figure",
    "Heading",
    "Note",
    "Points",
    "Section",
    "SideBySide",
    "Table",
    "Verdicts",
]

NONE = Diagnosis([])

OVERALL = {
    "fine": "No problems found.",
    "caution": "Read this report with care; worst first:",
    "do not use": "Do not use these numbers as likelihoods; worst first:",
}
"""What a report says first, by its overall verdict."""


@dataclass(frozen=True)
class Heading:
    """A heading; depth 2 begins a part of the page, 3 and 4 are below it."""

    text: str
    depth: int = 2


@dataclass(frozen=True)
class Note:
    """A paragraph on how something was measured or how to read it."""

    text: str


@dataclass(frozen=True)
class Answer:
    """The findings, one sentence each, the most important first."""

    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Verdicts:
    """A diagnosis and, in a study that compares estimators, a verdict on each of them."""

    diagnosis: Diagnosis
    estimators: Diagnosis = NONE


@dataclass(frozen=True, eq=False)
class Table:
    """A table whose cells are text.

    Parameters
    ----------
    frame : DataFrame
    headline : str
        Title under which the command line prints the table; empty: it is not printed.
    """

    frame: pd.DataFrame
    headline: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture.

    Parameters
    ----------
    name : str
        File name without the suffix.
    title : str
        What it shows, in a few words.
    svg : str
        The SVG element.
    caption : str
    """

    name: str
    title: str
    svg: str
    caption: str = ""


@dataclass(frozen=True)
class Points:
    """A list of sentences, each with an optional term; framed if it is a warning."""

    items: Sequence[tuple[str, str]]
    lead: str = ""
    warning: bool = False


@dataclass(frozen=True)
class Code:
    """A block of text that is shown as it is."""

    text: str
    language: str = ""


@dataclass(frozen=True)
class Details:
    """Sections folded under a title."""

    title: str
    sections: Sequence[Section]


@dataclass(frozen=True)
class SideBySide:
    """Columns, each with a heading and a table."""

    columns: Sequence[tuple[Heading, Table]]


Section = Heading | Note | Answer | Verdicts | Table | Figure | Points | Code | Details | SideBySide


@dataclass(frozen=True, eq=False)
class Document:
    """A report before it is rendered.

    Parameters
    ----------
    title : str
    subtitle : str
        What was measured, in one line.
    sections : sequence of Section
    tables : mapping of str to DataFrame
        Tables that are written as CSV, in full precision.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def answer(self) -> list[str]:
        """The findings."""
        parts = [section.sentences for section in _walk(self.sections) if isinstance(section, Answer)]
        return [sentence for part in parts for sentence in part]

    @property
    def headlines(self) -> dict[str, pd.DataFrame]:
        """The tables that the command line prints, by their titles."""
        tables = [section for section in _walk(self.sections) if isinstance(section, Table)]
        return {table.headline: table.frame for table in tables if table.headline}

    @property
    def figures(self) -> dict[str, str]:
        """The pictures as SVG elements, by their names."""
        return {section.name: section.svg for section in _walk(self.sections) if isinstance(section, Figure)}


def _walk(sections: Sequence[Section]) -> Iterator[Section]:
    for section in sections:
        yield section
        if isinstance(section, Details):
            yield from _walk(section.sections)
