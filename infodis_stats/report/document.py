"""A report as a value: a list of sections, rendered to HTML and to Markdown from one description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from infodis_stats.diagnostics import Diagnosis

__all__ = [
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


@dataclass(frozen=True)
class Heading:
    """A heading; depth 2 begins a part of the page, 3 and 4 are below it."""

    text: str
    depth: int = 2


@dataclass(frozen=True)
class Note:
    """A paragraph that says how something was measured or is to be read."""

    text: str


@dataclass(frozen=True)
class Answer:
    """The findings, the first of which is the most important, a sentence each."""

    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Verdicts:
    """A diagnosis, and where a study compares estimators the verdict on each of them."""

    diagnosis: Diagnosis
    estimators: Diagnosis = NONE


@dataclass(frozen=True, eq=False)
class Table:
    """A table whose cells are text.

    Parameters
    ----------
    frame : DataFrame
    headline : str
        Title under which the command line prints it; empty: it does not.
    """

    frame: pd.DataFrame
    headline: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture.

    Parameters
    ----------
    name : str
        Of its file, without the suffix.
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
    """A list of sentences, some of them about a term; framed where they are a warning."""

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
    """Sections that are folded away under a title."""

    title: str
    sections: Sequence[Section]


@dataclass(frozen=True)
class SideBySide:
    """Columns, each with a heading and a table."""

    columns: Sequence[tuple[Heading, Table]]


Section = Heading | Note | Answer | Verdicts | Table | Figure | Points | Code | Details | SideBySide


@dataclass(frozen=True, eq=False)
class Document:
    """A report before it is laid out.

    Parameters
    ----------
    title : str
    subtitle : str
        What was measured, in a line.
    sections : sequence of Section
    tables : mapping of str to DataFrame
        What is written as CSV, in full precision.
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
